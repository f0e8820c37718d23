"""Odd offsets, the hour in which clocks are moved, and any zone of process and session change no decision (TE1 T1, G2).

An instant is written in some odd way and read at every place that takes one as text; what it decides is decided by the
database, whose session lives in one zone, for a process that lives in another. A normal run reads 300 texts;
``MINGBIAO_CAMPAIGN=long`` 2,000, and submits to lots whose deadlines lie around changes of the clocks. Controls:
readings that drop the offset, or take the process's zone, are found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from random import Random  # noqa: TID251 - a seeded generator of test data
from typing import Any

import pytest
from click import BadParameter
from sqlalchemy import bindparam, event, select

from agents.sealing import SealedBid
from tests.build.market import DemoTime, Market, default_close, open_market, runtime_of
from tests.build.odd_instants import DAY_MS, MINUTE_MS, NO_INSTANT, ZONES, clock_changes, process_in, written
from tests.support.campaigns import LONG
from tests.support.databases import Database
from tests.support.logs import LogWorld
from trading.commands.instants import INSTANT
from trading.db import Instant
from trading.kernel.calendar import CHINA
from trading.kernel.errors import InvalidInput, RuleBroken
from trading.kernel.instants import parse_instant
from trading.notices.rules.changes import Change
from trading.storage.local import LocalStore

START = 1_767_225_600_000  # 2026-01-01T00:00:00Z
CASES = 2_000 if LONG else 300
SEED = 20_260_308
_NOW = """
CREATE TABLE public.odd_now (at timestamptz NOT NULL);
INSERT INTO public.odd_now SELECT log.platform_time();
GRANT USAGE ON SCHEMA public TO PUBLIC;
GRANT SELECT ON public.odd_now TO PUBLIC;
CREATE OR REPLACE FUNCTION log.platform_time() RETURNS timestamptz LANGUAGE sql AS 'SELECT at FROM public.odd_now';
"""


def instants(random: Random, count: int) -> list[int]:
    """Return instants of a year: near changes of the clocks of the process, at midnights, and anywhere."""
    changes = clock_changes(START, 365) or [START]
    near = [random.choice(changes) + random.randint(-7_200_000, 7_200_000) // 1000 * 1000 for _ in range(count // 2)]
    midnights = [START + random.randrange(365) * DAY_MS + random.choice((-345, 210, -840, 0)) * MINUTE_MS for _ in near]
    anywhere = [START + random.randrange(365 * DAY_MS) for _ in range(count)]
    return [each + random.choice((-1, 0, 1)) for each in (*near, *midnights, *anywhere)][:count]


#: Every place that takes an instant as text, and how it reads one.
PLACES: dict[str, Callable[[str], int | None]] = {
    "with an offset": parse_instant,
    "the form of a committee's plan": lambda text: parse_instant(text, CHINA),
    "an option of a command": lambda text: INSTANT.convert(text, None, None),
    "a correction notice": lambda text: noticed(Change(field="lot 1 close", old=text, new=text)),
}


def noticed(change: Change) -> int | None:
    """Return the instant that a notice shows; None where it shows the text as it is written."""
    return change.value(change.old) if change.kind == "instant" else None


@pytest.mark.parametrize("zone", ZONES)
def test_every_place_reads_the_same_instant(zone: str) -> None:
    random, wrong, careless = Random(f"{SEED} {zone}"), list[str](), [0, 0]  # noqa: S311 - test data
    with process_in(zone):
        for instant in instants(random, CASES // len(ZONES)):
            text = written(instant, random)
            wrong += [f"{place}: {text} is {instant}" for place, read in PLACES.items() if read(text) != instant]
            at = datetime.fromtimestamp(instant // 1000, timezone(timedelta(minutes=345)))
            # The controls: one reading forgets the offset for the form's zone, one for that of the process.
            careless[0] += at.replace(tzinfo=CHINA).timestamp() != instant // 1000
            careless[1] += at.replace(tzinfo=None).timestamp() != instant // 1000
    assert wrong == []
    assert careless[0] == CASES // len(ZONES)
    assert careless[1] == (0 if zone == "Asia/Kathmandu" else CASES // len(ZONES))


@pytest.mark.parametrize("code", NO_INSTANT)
def test_no_place_takes_what_names_no_instant(code: str) -> None:
    for text in NO_INSTANT[code]:
        for place, read in PLACES.items():
            if code == "instant.no_offset" and place == "the form of a committee's plan":
                continue  # it tells whose time it takes
            assert _refused(read, text), f"{place}: {text}"


def _refused(read: Callable[[str], int | None], text: str) -> bool:
    """Whether a place refuses a text."""
    try:
        return read(text) is None
    except (InvalidInput, BadParameter):
        return True


# The database decides, in whatever zone its session lives.


@dataclass
class Still:
    """A platform whose time stands still until it is moved on, to the millisecond; sessions live in a zone."""

    database: Database
    market: Market
    zone: str = "UTC"

    def freeze(self) -> None:
        with self.database.connect() as superuser:
            superuser.exec_driver_sql(_NOW)

    def move_to(self, instant: int) -> None:
        with self.database.connect() as superuser:
            superuser.exec_driver_sql(
                "UPDATE public.odd_now SET at = to_timestamp(0) + %s * interval '1 ms'", (instant,)
            )

    def sessions_in(self, zone: str) -> None:
        """Let every session from now on live in a zone; the product's own ask for UTC."""
        self.zone = zone
        for engine in self.database._engines:
            engine.dispose()
        with self.market.ledger.read() as conn:
            assert conn.exec_driver_sql("SHOW timezone").scalar_one() == zone

    def listen(self) -> None:
        for engine in self.database._engines:
            event.listen(engine, "connect", self._settle)

    def _settle(self, connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's own
        with connection.transaction():
            connection.execute(f"SET timezone TO '{self.zone}'")

    def submit(self, sealed: SealedBid, at: int) -> tuple[str, int]:
        """Submit at an instant; return the code of the refusal, or nothing, and when it was received."""
        self.move_to(at)
        try:
            accepted = self.market.submit(self.market.bidders[0], sealed)
        except RuleBroken as refused:
            return refused.code, int(str(refused.facts["received_at"]))
        return "", accepted.received_at


@pytest.fixture
def still(demo_database: Database, tmp_path: Path) -> Iterator[Still]:
    demo_time = DemoTime(database=demo_database, shift_file=tmp_path / "demo-shift")
    world = LogWorld(demo_database, tmp_path, clock=demo_time.clock)
    try:
        runtime = runtime_of(demo_database, world, LocalStore(tmp_path / "objects"))
        found = Still(demo_database, open_market(runtime, bidders=1))
        found.listen()
        yield found
    finally:
        world.close()


def around_changes(now: int) -> list[int]:
    """Return deadlines in the hours that the clocks of two zones skip and repeat, read from odd texts."""
    random, found = Random(SEED), set[int]()  # noqa: S311 - test data
    for zone in ("America/New_York", "Australia/Lord_Howe"):
        with process_in(zone):
            changes = [each for each in clock_changes(now, 360) if each > default_close(now)]
        found |= {change + minutes * MINUTE_MS for change in changes for minutes in (-30, -15, 0, 15, 30)}
    return [parse_instant(written(each, random)) for each in sorted(found)]


@pytest.mark.skipif(not LONG, reason="a platform with a score of deadlines: `python3 run.py test long odd_instants`")
def test_deadlines_around_changes_of_the_clocks_are_exact(
    still: Still, record_property: Callable[[str, object], None]
) -> None:
    market, closes = still.market, around_changes(still.market.now_ms())
    lots = sorted(market.publish(closes), key=lambda lot: lot.close)
    assert [lot.close for lot in lots] == closes
    bidder, zones = market.bidders[0], list(ZONES)
    bids = [market.start_bid(lot, bidder) for lot in lots]
    still.freeze()
    for number, (lot, bid) in enumerate(zip(lots, bids, strict=True)):
        still.sessions_in(zones[number % 4])
        with process_in(zones[(number // 4 + number) % 4]):
            first = market.seal(lot, market.context(lot, bidder, bid), total=1)
            context = market.context(lot, bidder, bid, seq=2)
            second = market.seal(lot, context, total=2, supersedes=first.envelope.sha256)
            told = [still.submit(first, lot.close - 1), *(still.submit(second, lot.close + ms) for ms in (0, 1))]
            assert told == [("", lot.close - 1), ("bid.late", lot.close), ("bid.late", lot.close + 1)]
    record_property("deadlines", len(lots))


@pytest.mark.skipif(not LONG, reason="part of the long run")
def test_a_session_in_any_zone_gives_back_every_instant(still: Still) -> None:
    received, close = (bindparam(name, type_=Instant()) for name in ("received", "close"))
    query = select(received.label("received"), close.label("close"), (received < close).label("in_time"))
    for zone in ZONES:
        still.sessions_in(zone)
        with process_in(zone):
            cases = instants(Random(f"{SEED} {zone} sessions"), CASES // len(ZONES))  # noqa: S311 - test data
            with still.market.ledger.read() as conn:
                for at in cases:
                    rows = [conn.execute(query, {"received": at + ms, "close": at}).one() for ms in (-1, 0, 1)]
                    assert [tuple(row) for row in rows] == [(at - 1, at, True), (at, at, False), (at + 1, at, False)]
