"""The demonstration's tender on a whole platform of real processes, with planted experts; what all of it keeps.

Web, worker, contact service, sequencer, clock, witnesses, custodians and contributors are programs of their own; mail
goes through a real server; every key of Valkey is looked at while it lives.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from io import StringIO
from pathlib import Path
from unittest.mock import patch

from flask import Flask
from rich.console import Console

from tests.support import leaks
from tests.support.expert_names import Crowd, mails_in
from tests.support.leaks import Place
from tests.support.mail_server import Inbox, mail_server
from tests.support.name_readers import Asked, NameReaders, layers
from tests.support.platforms import runtime_on, temporary_platform
from trading.accounts import service as accounts
from trading.app import create_app
from trading.audit.runtime import Runtime
from trading.demo import keepsakes, pool
from trading.demo.__main__ import START
from trading.demo.play import Play
from trading.demo.scenes import SCENES
from trading.demo.stage import set_stage
from trading.demo.tender import LOTS
from trading.experts.rules.identity import Identity
from trading.kernel.clock import SystemClock
from trading.up import Platform
from trading.up import platform as up
from trading.up.programs import Program, platform_programs

SIZE = 40  # of the pool
LOOK_S = 1.0  # a job is kept for a minute after it is done
#: What a process of the platform writes to its standard output and error.
LOGS = (
    *("web", "worker", "contact", "sequencer", "clock", "authorities"),
    *("witness-supervisor", "witness-notary", "witness-auditor"),
)


@dataclass
class Watched:
    """Every key of Valkey with every value that was seen, while the platform runs."""

    platform: Platform
    seen: dict[str, set[bytes]] = field(default_factory=dict)
    _stopped: threading.Event = field(default_factory=threading.Event)

    def look(self) -> None:
        for place in leaks.doorbell(self.platform):
            self.seen.setdefault(place.name, set()).add(place.data)

    @contextmanager
    def watching(self) -> Iterator[None]:
        def work() -> None:
            while not self._stopped.wait(LOOK_S):
                self.look()

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            self._stopped.set()
            thread.join()

    def places(self) -> Iterator[Place]:
        self.look()
        for name, values in self.seen.items():
            yield from (Place(name, value) for value in values)


@dataclass(kw_only=True)
class PlayedNames:
    """The play of one tender; ``until`` and ``go_on`` move it on by scenes."""

    platform: Platform
    play: Play
    app: Flask
    crowd: Crowd
    watched: Watched
    inbox: Inbox
    mail_url: str
    _scenes: Iterator[Callable[[Play], None]] = field(default_factory=lambda: iter(SCENES))

    @property
    def mails(self) -> Path:
        return self.platform.data_dir / "mail"

    def until(self, last: Callable[[Play], None]) -> None:
        """Play the scenes up to ``last`` and wait until everything is published and witnessed."""
        for scene in self._scenes:
            scene(self.play)
            if scene is last:
                break
        self.play.wait_published()
        self.play.wait_witnessed()

    @property
    def called(self) -> list[int]:
        """Return who was called, by number; a seat code or not."""
        logins = {address.partition("@")[0] for each in self.inbox.received for address in each.rcpt_tos}
        return [number for number in range(SIZE) if pool.login_of(number) in logins]

    @cached_property
    def readers(self) -> NameReaders:
        """Return everybody who might ask the web processes."""
        lot, runtime = LOTS[0], self.play.stage.runtime
        with runtime.ledger.upkeep() as conn:
            member = accounts.actor_of(conn, self.play.members[0])
            bids = conn.exec_driver_sql("SELECT reference FROM record.bid ORDER BY id").scalars().all()
        found = self.play.lot(lot)
        asked = Asked(
            ledger=runtime.ledger,
            tender=self.play.reference,
            place=lot.place,
            draw=self.play.draw,
            bids=tuple(bids),
            policy=found.policy_sha256 or "",
            member=member,
            sessions=("drafter", "representative"),
            words=self.crowd.words,
        )
        return NameReaders(asked=asked, app=self.app, base=self.platform.base_url)

    def kept(self) -> Iterator[Place]:
        """Yield all that is kept or was sent: files with their names, tables, a dump, Valkey, logs, mails."""
        for place in leaks.files(self.platform.data_dir):
            if place.name.startswith("mail/"):
                continue
            yield Place(f"name of {place.name}", place.name.encode())
            for layer in (
                layers(place.data) if place.name.startswith(("objects/", "bundles/", "log/")) else [place.data]
            ):
                yield replace(place, data=layer)
        yield from leaks.tables(self.platform)
        yield leaks.dump(self.platform)
        yield from self.watched.places()
        yield from mails_in(self.mails)


@contextmanager
def played(crowd: Crowd) -> Iterator[PlayedNames]:
    """Yield the play of a tender with this crowd, on a platform of its own; nothing is played yet."""
    shift = round(START.timestamp() * 1000) - SystemClock().now_ms()
    inbox = Inbox()
    with ExitStack() as stack:
        url = stack.enter_context(mail_server(inbox))
        stack.enter_context(patch.object(up, "platform_programs", _mailing(url)))
        stack.enter_context(patch.object(pool, "identity", _identity(crowd)))
        stack.enter_context(patch.object(pool, "SIZE", SIZE))
        platform = stack.enter_context(temporary_platform(fsync=False, demo_shift_ms=shift))
        inbox.folder = platform.data_dir / "mail"
        runtime = stack.enter_context(runtime_on(platform))
        watched = Watched(platform)
        stack.enter_context(watched.watching())
        play = _play(platform, runtime)
        stack.callback(play.standing.stop)
        app = create_app(platform.settings("web"), runtime)
        yield PlayedNames(
            platform=platform, play=play, app=app, crowd=crowd, watched=watched, inbox=inbox, mail_url=url
        )


def _play(platform: Platform, runtime: Runtime) -> Play:
    stage = set_stage(runtime, platform.data_dir / "people", START.year)
    keepsakes.hand_out_trust(stage)
    console = Console(file=StringIO(), quiet=True)
    return Play(stage=stage, base_url=platform.base_url, shift_file=platform.data_dir / "demo-shift", console=console)


def _identity(crowd: Crowd) -> Callable[[int, str], Identity]:
    def identity(number: int, account: str) -> Identity:
        return crowd.person(number, account, f"{pool.login_of(number)}@mail.{crowd.latin}.example")

    return identity


def _mailing(url: str) -> Callable[[Path, str], tuple[Program, ...]]:
    """Return the programs of a platform whose contact service mails through a server."""
    whole = platform_programs

    def programs(data_dir: Path, listen: str) -> tuple[Program, ...]:
        return tuple(
            replace(each, environment={**each.environment, "MAIL_URL": url}) if each.name == "contact" else each
            for each in whole(data_dir, listen)
        )

    return programs
