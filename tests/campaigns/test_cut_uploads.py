"""A replacement's part is cut at random bytes, again and again: it goes on, and the earlier version stands (F23, G7).

The client is the bidder's own, the server the real application; between them lies a way that resets connections. In
the long run that is gunicorn with two workers, which now and then are killed −9 at the cut. What the platform has
confirmed never goes back, at most one chunk is sent again for each cut, and the stored bytes are those of the file.
Besides, any order of chunks, cuts, kills, races and sweeps is compared with one number (tests/support/arriving.py).
"""

from __future__ import annotations

import hashlib
import os
import secrets
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from _pytest.outcomes import Failed
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test
from sqlalchemy import update

from agents.bid.platform import Platform, Refused
from agents.bid.uploading import CHUNK, Progress, Sending, upload_part
from tests.faults.test_live_hall import Site
from tests.support.arriving import CHUNK as SMALL
from tests.support.arriving import machine_of
from tests.support.campaigns import LONG, among
from tests.support.cutting import Way, way_to
from tests.support.databases import Server, clone
from tests.support.kills import web_workers
from tests.support.market import Bidder, Market, open_market
from trading.bids import store
from trading.bids.rules import uploads as rules
from trading.bids.rules.envelope import Part
from trading.bids.rules.fields import AGE
from trading.bids.rules.uploads import Upload
from trading.bids.tables import upload_piece
from trading.bids.uploads import Chunk, Uploads
from trading.demo.cast import BIDDERS
from trading.kernel.errors import MingbiaoError
from trading.storage.local import LocalStore

KB, MB = 1_000, 1_000_000
#: Size of the part, cuts of one upload, uploads in a sample and in the long run: 200 cuts in all.
SIZES = ((KB, 1, 1, 60), (5 * MB, 2, 1, 35), (500 * MB, 14, 0, 5))
ADDRESS_BYTES = 1_000  # more than the lines of one request take
KILL_EVERY = 10


class Died(BaseException):
    """The client's process ends without a word."""


@dataclass
class Trial:
    """A bidder with a standing version, whose replacement never arrives in one piece."""

    bidder: Bidder
    way: Way
    platform: Platform
    folder: Path
    kill: Callable[[], None]
    confirmed: list[int] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def round(self, size: int, cuts: int) -> list[str]:
        """Upload a part whose way is cut so many times; return what is wrong."""
        path = self.folder / "main.age"
        path.write_bytes(secrets.token_bytes(size))
        part = Part(alg=AGE, name="main", sha256=_sha256(path), size=size)
        self.way.sent = self.way.connections = self.way.cuts = 0
        self.way.plan = [1 + secrets.randbelow(max(1, size // cuts)) for _ in range(cuts)]
        self.way.at_cut = self._cut
        self.confirmed.clear()
        self.wrong.clear()
        while not self._send(part, path, dies=secrets.randbelow(2) == 0):
            pass
        path.unlink()
        return self.wrong + self._wrong_bytes(part) + self._wrong_amount(size)

    def _cut(self) -> None:
        """The connection is lost: the earlier version stands, whatever else dies with it."""
        if secrets.randbelow(KILL_EVERY) == 0:
            self.kill()
        self.wrong += [] if self._first_stands() else ["the earlier version does not stand"]

    def _send(self, part: Part, path: Path, *, dies: bool) -> bool:
        """Send as one process does, to the end or until it dies of a cut; return whether it came to the end."""

        def pause(seconds: float) -> None:
            if dies:
                raise Died
            moment(seconds)

        try:
            upload_part(self.platform, self.bidder.bid, part, path, Sending(report=self._note, pause=pause))
        except Died:
            return False
        except Refused as refusal:
            self.wrong.append(f"refused: {refusal.code}")
        return True

    def _note(self, progress: Progress) -> None:
        self.confirmed.append(progress.confirmed)

    def _first_stands(self) -> bool:
        (row,) = self.bidder.client.get("/api/v1/bids").get_json()["bids"]
        return row["standing"] == "envelope" and [version["seq"] for version in row["versions"]] == [1]

    def _wrong_bytes(self, part: Part) -> list[str]:
        objects = self.bidder.market.runtime.objects
        assert isinstance(objects, LocalStore)
        if objects.stat(part.sha256) != part.size:
            return ["the part is not stored"]
        for _ in objects.chunks(part.sha256):  # hashed again to the end
            pass
        objects._path(part.sha256).unlink()  # the disk is for the next one
        return [f"{name} was left" for name in objects.pieces.uploads()]

    def _wrong_amount(self, size: int) -> list[str]:
        again = self.way.sent - size - ADDRESS_BYTES * self.way.connections
        wrong = [f"{again} bytes were sent again"] if again > self.way.cuts * CHUNK else []
        return wrong + (["confirmed bytes were lost"] if self.confirmed != sorted(self.confirmed) else [])


def moment(_seconds: float) -> None:
    """Wait before asking again, as clients do, but not for as long."""
    threading.Event().wait(0.05)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@pytest.fixture(scope="module")
def market(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    directory = tmp_path_factory.mktemp("cuts")
    with clone(server, demo=True) as database, open_market(database, directory, BIDDERS[:1]) as market:
        market.draft()
        market.prove_local_keys()
        market.publish()
        yield market


@pytest.fixture(scope="module")
def trial(market: Market, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    bidder = Bidder(market, BIDDERS[0])
    bidder.start()
    assert bidder.submit(bidder.seal(100_00)).status_code in {201, 202}
    with ExitStack() as running:
        site = Site(market)
        base = f"http://127.0.0.1:{site.port}" if LONG else running.enter_context(market.serving())
        if LONG:
            site.start()
            running.callback(site.stop)
        address, way = running.enter_context(way_to(base))
        platform = Platform(address, market.stage.tokens[bidder.key], pause=moment, attempts=500)

        def kill() -> None:
            """Both workers of gunicorn end; the master starts others."""
            for worker in web_workers(site.process.pid) if site.process is not None else ():
                os.kill(worker, signal.SIGKILL)

        yield Trial(bidder, way, platform, tmp_path_factory.mktemp("parts"), kill)


def test_a_cut_upload_goes_on_and_the_earlier_version_stands(
    trial: Trial, amount: Callable[[int, int], int], record_property: Callable[[str, object], None]
) -> None:
    wrong, cuts, planned = [], 0, 0
    for size, each, sample, full in SIZES:
        rounds = amount(sample, among(full // 5, alone=full))
        planned += rounds * each
        for number in range(rounds):
            wrong += [f"{size} bytes, no. {number}: {what}" for what in trial.round(size, each)]
            cuts += trial.way.cuts
    assert wrong == []
    assert cuts == planned
    record_property("cuts", cuts)


def counted_first(self: Uploads, upload: Upload, chunk: Chunk) -> None:
    """Take a chunk as a server does that counts it before it is there."""
    with self.ledger.upkeep() as conn:
        store.touch_upload(conn, upload.id)
        store.add_piece(conn, upload.id, chunk.start, chunk.size, "0")
    name, _ = self.objects.pieces.put(upload.id, chunk.body)
    with self.ledger.upkeep() as conn:
        named = update(upload_piece).where(upload_piece.c.upload_id == upload.id)
        conn.execute(named.where(upload_piece.c.start == chunk.start).values(name=name))


@pytest.mark.skipif(LONG, reason="the variant is put over this process's server")
def test_control_a_chunk_that_counts_before_it_is_there_is_found(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Uploads, "_count", counted_first)
    assert any("confirmed bytes were lost" in trial.round(5 * MB, 1) for _ in range(3))


@pytest.fixture
def arriving(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> type[RuleBasedStateMachine]:
    monkeypatch.setattr(rules, "LEAST_CHUNK", SMALL)
    monkeypatch.setattr(rules, "MOST_CHUNK", 2 * SMALL)
    bidder = trial.bidder
    return machine_of(bidder.market, bidder.bid, bidder.organisation.code)


def run(machine: type[RuleBasedStateMachine], examples: int, steps: int) -> None:
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        phases=[Phase.generate],
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=chosen)


def test_offsets_and_bytes_agree_whatever_happens(
    arriving: type[RuleBasedStateMachine], amount: Callable[[int, int], int]
) -> None:
    run(arriving, amount(4, 300), amount(15, 40))


def test_control_the_states_find_it_too(arriving: type[RuleBasedStateMachine], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Uploads, "_count", counted_first)
    with pytest.raises((AssertionError, Failed, MingbiaoError)):
        run(arriving, 20, 20)
