"""Submissions around deadlines, closed by the real errand and logged by the real sequencer (F19, G2; AL1 L4.5, L4.7).

On time if and only if ``received_at < close``; every acknowledged bid that stands is in the manifest; nothing is logged
after the close; nobody in time is refused, unless the platform says that it is busy.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.build.market import OpenLot, default_close
from tests.support.campaigns import LONG, among
from tests.support.databases import Database
from tests.support.storm import Storm, close_at_once, close_by_errand, storm_over
from tests.support.storm_checker import EARLY_REFUSED, LATE_ACCEPTED, check
from tests.support.wrong_variants import VARIANTS, Variant
from trading.bids import closing

GROUP = 4  # deadlines a second apart, two to a procedure, so that one lot closes while bids for the other arrive
APART_MS = 3_600_000  # of groups: longer than one of them takes, however busy the machine is
ROUNDS = 6  # a race is lost by chance; one round is the rule


@pytest.fixture
def storm(demo_database: Database, tmp_path: Path) -> Iterator[Storm]:
    with storm_over(demo_database, tmp_path) as storm:
        yield storm


def deadlines(storm: Storm, count: int, spacing_ms: int = 1000) -> list[int]:
    first = default_close(storm.market.now_ms())
    return [first + number * spacing_ms for number in range(count)]


def groups(storm: Storm, size: int, ahead: int) -> Iterator[list[OpenLot]]:
    """Yield groups of so many lots without end, ``ahead`` of them published at once.

    A deadline is weeks after its notice and the calendar has an end: what is published together shares the weeks.
    """
    while True:
        first = default_close(storm.market.now_ms())
        starts = [first + number * APART_MS for number in range(ahead)]
        yield from [storm.publish([start + number * 1000 for number in range(size)], lots=2) for start in starts]


def near(storm: Storm) -> int:
    return sum(each.is_near and not each.repeated for each in storm.journal)


def report(storm: Storm, lots: int, began: float) -> str:
    answers = Counter(each.code or "accepted" for each in storm.journal if not each.repeated)
    return f"{near(storm)} submissions near {lots} deadlines in {time.monotonic() - began:.0f} s: {dict(answers)}"


def test_the_deadline_is_exact(
    storm: Storm, amount: Callable[[int, int], int], record_property: Callable[[str, object], None]
) -> None:
    began, wanted = time.monotonic(), amount(100, among(10_000, alone=100_000))
    ready = groups(storm, amount(GROUP, among(20, alone=100)), amount(1, among(2, alone=5)))
    storm.pauses.rare_ms = 400
    lots: list[OpenLot] = []
    while near(storm) < wanted or len(lots) < amount(GROUP, 40):
        fresh = next(ready)
        storm.rage(fresh, close_by_errand)
        assert storm.failures == []
        lots += fresh
    record_property("storm", report(storm, len(lots), began))
    print(report(storm, len(lots), began))  # noqa: T201 - shown with -s
    assert check(storm, lots, drained=True) == {}
    # Negative controls: an answer that should not have been given is found.
    late = next(each for each in storm.journal if each.code == "bid.late")
    early = next(each for each in storm.journal if each.code is None)
    storm.journal += [replace(late, code=None), replace(early, code="bid.late")]
    assert check(storm, lots, drained=True).keys() >= {LATE_ACCEPTED, EARLY_REFUSED}


def test_without_drain_what_was_acknowledged_is_still_opened(
    storm: Storm, monkeypatch: pytest.MonkeyPatch, amount: Callable[[int, int], int]
) -> None:
    monkeypatch.setattr(closing, "DRAIN_MS", 0)
    lots = storm.publish(deadlines(storm, amount(GROUP, 40)), lots=2)
    storm.rage(lots, close_at_once)
    assert storm.failures == []
    assert check(storm, lots, drained=False) == {}


@pytest.mark.parametrize("variant", list(VARIANTS)[:: 1 if LONG else 2], ids=lambda variant: variant.__name__)
def test_the_checker_finds_the_wrong_variant(
    storm: Storm, monkeypatch: pytest.MonkeyPatch, amount: Callable[[int, int], int], variant: Variant
) -> None:
    monkeypatch.setattr(closing, "DRAIN_MS", 0)
    variant(storm, monkeypatch)
    found: Counter[str] = Counter()
    for _ in range(ROUNDS):
        lots = storm.publish(deadlines(storm, amount(2, 12)), lots=1)
        storm.rage(lots, close_at_once)
        assert storm.failures == []
        found += check(storm, lots, drained=False)
        if found.keys() & VARIANTS[variant]:
            return
    pytest.fail(f"the checker does not find it: {dict(found)}")
