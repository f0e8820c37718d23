"""The world of a tender by hand: a whole platform, its people, one browser of each, and the clock that is moved on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from io import StringIO
from typing import Final

from playwright.sync_api import Browser
from rich.console import Console
from sqlalchemy import Connection, update

from tests.support.browsers import open_browser
from tests.support.hands.person import Looked, Person
from tests.support.people import code_of
from tests.support.platforms import runtime_on, temporary_platform
from trading.accounts.service.demonstration import Part, WayIn, code_now, open_ways_in
from trading.accounts.tables import credential
from trading.demo import cast
from trading.demo.play import Play
from trading.demo.stage import set_stage
from trading.kernel.clock import SystemClock
from trading.up import Platform

START: Final = datetime(2026, 3, 2, 9, 0, tzinfo=timezone(timedelta(hours=8)))  # a year with a complete calendar
PLACE: Final = ("1", "all")  # number and stage of the only lot
BIDDERS: Final = cast.BIDDERS[:3]


@dataclass(slots=True, kw_only=True)
class World:
    """What the scenes share. ``play`` holds folders, actors and clock as the demonstration's scenes know them."""

    platform: Platform
    browser: Browser
    play: Play
    looked: Looked = field(default_factory=Looked)
    people: dict[str, Person] = field(default_factory=dict)

    @property
    def reference(self) -> str:
        """The tender that is played."""
        return self.play.reference

    @property
    def custodian_kids(self) -> tuple[str, ...]:
        """The keys of the five custodians."""
        return tuple(self.play.stage.signers[(each.key, "custodian")].kid for each in cast.CUSTODIANS)

    def read(self) -> AbstractContextManager[Connection]:
        """Look into the database, to know when something has happened."""
        return self.play.stage.runtime.ledger.read()

    def person(self, login: str, *, locale: str = "en-GB") -> Person:
        """Return somebody before a browser of its own; nobody is signed in there at first."""
        if login not in self.people:
            context = self.browser.new_context(base_url=self.platform.base_url, locale=locale)
            context.set_default_timeout(30_000)
            ledger = self.play.stage.runtime.ledger
            self.people[login] = Person(
                login=login, page=context.new_page(), looked=self.looked, code=lambda: code_of(ledger, login)
            )
        return self.people[login]

    def ways_in(self, *logins: str) -> dict[str, WayIn]:
        """Give people password and authenticator, as the demonstration gives them to its visitors."""
        parts = [Part(login=login, title_zh=login, title_en=login, note_zh="", note_en="") for login in logins]
        ways = open_ways_in(self.play.stage.runtime, self.platform.data_dir, parts)
        with self.play.stage.runtime.ledger.upkeep() as conn:  # as if the authenticators were set up a minute ago
            conn.execute(update(credential).values(spent=credential.c.spent - 2))
        return {way.login: way for way in ways}

    def digits(self, way: WayIn) -> str:
        """Return the six digits that the authenticator of a person shows now."""
        with self.play.stage.runtime.ledger.upkeep() as conn:
            return code_now(conn, way)[0]


@contextmanager
def open_world() -> Iterator[World]:
    """Start platform and browser, set the stage; stop every program at the end."""
    shift = round(START.timestamp() * 1000) - SystemClock().now_ms()
    with ExitStack() as stack:
        platform = stack.enter_context(temporary_platform(fsync=False, demo_shift_ms=shift))
        browser = stack.enter_context(open_browser())
        yield stack.enter_context(world_of(platform, browser))


@contextmanager
def world_of(platform: Platform, browser: Browser) -> Iterator[World]:
    """Set the stage on a running platform."""
    with runtime_on(platform) as runtime:
        stage = set_stage(runtime, platform.data_dir / "people", START.year, BIDDERS)
        shift_file = platform.data_dir / "demo-shift"
        play = Play(
            stage=stage, base_url=platform.base_url, shift_file=shift_file, console=Console(file=StringIO(), quiet=True)
        )
        try:
            yield World(platform=platform, browser=browser, play=play)
        finally:
            play.standing.stop()
