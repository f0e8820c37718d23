"""The opening hall with many viewers and a restart in the middle: nothing lost or twice, everybody else is served."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from typing_extensions import override

from tests.support.ceremony import Station
from tests.support.databases import Server, clone
from tests.support.live_app import VARIABLE, described
from tests.support.market import CLOSE, Market, open_market
from tests.support.polling import eventually
from tests.web.api.test_ceremony import Play
from trading.app import ROOT
from trading.demo.cast import BIDDERS
from trading.notices.queries.ceremony import ceremony
from trading.web.streams import MIMETYPE, READERS

VIEWERS = 64
PROCESSES = 2
STOP_S = 10  # far below the graceful time-out: streams end when their process is asked to stop


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Site:
    """Real gunicorn over a market; it can be stopped and started again on the same port."""

    market: Market
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        environment = {**os.environ, VARIABLE: described(self.market), "LISTEN": f"127.0.0.1:{self.port}"}
        command = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "tests.support.live_app:make()"]
        log = (Path(self.market.directory) / "gunicorn.log").open("ab")
        with log:
            self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        eventually(lambda: self.answers("/livez") == 200, seconds=60)

    def stop(self) -> float:
        """Ask it to stop; return how many seconds that took."""
        assert self.process is not None
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        self.process = None
        return time.monotonic() - began

    def answers(self, path: str) -> int:
        """Return the status of a page, or 0 while nobody listens."""
        try:
            with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection:
                connection.request("GET", path)
                return connection.getresponse().status
        except OSError:
            return 0


class Viewer(threading.Thread):
    """A browser's event source: follows the stream, comes back with the last id, polls when it is refused."""

    def __init__(self, site: Site, path: str) -> None:
        super().__init__(daemon=True)
        self.site, self.path = site, path
        self.ids: list[str] = []
        self.kinds: list[str] = []
        self.refused = 0
        self.came_back = False
        self.streaming = False
        self.polled: set[int] = set()
        self.ended = threading.Event()

    @override
    def run(self) -> None:
        while not self.ended.is_set():
            try:
                self._follow()
            except (OSError, http.client.HTTPException):
                self.streaming = False
                self.ended.wait(0.2)

    def _follow(self) -> None:
        with closing(http.client.HTTPConnection("127.0.0.1", self.site.port, timeout=15)) as connection:
            headers = {"Accept": MIMETYPE, **({"Last-Event-ID": self.ids[-1]} if self.ids else {})}
            connection.request("GET", f"{self.path}/events", headers=headers)
            answer = connection.getresponse()
            if answer.status != http.client.OK:
                self.refused += 1
                self.polled.add(self.site.answers(f"{self.path}/state"))
                self.ended.wait(1.0)
                return
            self.streaming = True
            self.came_back = self.came_back or bool(self.ids)
            event: dict[str, str] = {}
            while not self.ended.is_set():
                line = answer.readline().decode()
                if not line:
                    break
                name, _, value = line.strip().partition(": ")
                if name:
                    event[name] = value
                elif event:
                    self._take(event)
                    event = {}
            self.streaming = False

    def _take(self, event: dict[str, str]) -> None:
        if event.get("event") == "record":
            self.ids.append(event["id"])
            self.kinds.append(json.loads(event["data"])["kind"])


@contextmanager
def viewers(site: Site, path: str) -> Iterator[list[Viewer]]:
    found = [Viewer(site, path) for _ in range(VIEWERS)]
    for each in found:
        each.start()
    try:
        yield found
    finally:
        for each in found:
            each.ended.set()
        if site.process is not None:
            site.stop()  # ends every stream, so that nobody waits for a next message
        for each in found:
            each.join(20)


@pytest.fixture
def play(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Play]:
    with (
        clone(server, demo=True) as database,
        open_market(database, tmp_path_factory.mktemp("live"), BIDDERS) as market,
        market.serving() as base,
    ):
        play = Play(market, base)
        try:
            play.publish()
            play.bid()
            play.market.advance_to(CLOSE + 10_000)
            yield play
        finally:
            play.institutions.close()


def test_many_viewers_and_a_restart(play: Play) -> None:
    market = play.market
    site = Site(market)
    path = f"/procedures/{market.tender}/lots/1/opening"
    site.start()
    try:
        with viewers(site, path) as audience:
            eventually(lambda: sum(each.streaming for each in audience) >= READERS, seconds=30)
            eventually(lambda: sum(each.refused > 0 for each in audience) >= VIEWERS - PROCESSES * READERS, seconds=30)
            # Everybody else is served while every place is taken.
            began = time.monotonic()
            assert [site.answers(page) for page in ("/", path, f"/procedures/{market.tender}")] == [200] * 3
            assert time.monotonic() - began < 5
            order(play)
            eventually(lambda: all(followed(audience)), seconds=30)
            play.institutions.round("notary", "agency")
            assert site.stop() < STOP_S
            play.institutions.round()  # the ceremony goes on while nobody serves the hall
            site.start()
            eventually(lambda: acts(market) == ["open.ordered", *["share.checked"] * 5], seconds=30)
            expected = ids(market)
            eventually(lambda: sum(each.ids == expected for each in audience) >= READERS, seconds=60)
            # Who lost its place meanwhile polls; what it has is the beginning of the same, and nothing twice.
            assert all(each.ids == expected[: len(each.ids)] for each in audience)
            resumed = [each for each in audience if each.came_back and each.ids == expected]
            assert resumed, "somebody went on from its last record after the restart"
        polled = set().union(*(each.polled for each in audience))
        assert polled <= {0, 200}, "whoever is refused a stream is answered when it polls"
        assert sum(each.refused > 0 for each in audience) > 0
    finally:
        if site.process is not None:
            site.stop()


def order(play: Play) -> None:
    directory = play.market.directory / "station"
    station = Station.at(play.market, play.base, play.institutions.trust, directory)
    eventually(lambda: station.get().status_code == 200)
    assert station.sign(station.draft_order(), "agency", "supervisor").get_json()["h"]


def followed(audience: list[Viewer]) -> Iterator[bool]:
    """Yield of every viewer that has a stream whether it knows of the order."""
    yield from ("open.ordered" in each.kinds for each in audience if each.streaming)


def ids(market: Market) -> list[str]:
    with market.runtime.ledger.read() as conn:
        return [act.h for act in ceremony(conn, market.tender, "1").journal]


def acts(market: Market) -> list[str]:
    with market.runtime.ledger.read() as conn:
        return [act.kind for act in ceremony(conn, market.tender, "1").journal]
