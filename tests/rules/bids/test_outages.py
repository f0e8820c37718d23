"""Outages told by probes: two vantage points, two failures in a row, the table of TE1 T6, a slow count of seconds."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rules.bids.test_derivation import CLOSE, DAY, RULE, TABLE, at, decision
from trading.bids.rules.derivation import Verdict
from trading.bids.rules.outages import VANTAGES, Probe, by_probes, failures, outages
from trading.kernel.digests import sha256_hex

EVERY = 30_000
OPERATOR, SUPERVISOR = VANTAGES
Down = Sequence[tuple[int, int]]


def probe(vantage: str, start: int, *, ok: bool, ms: int = 0) -> dict[str, Any]:
    body = {"from": start, "ms": ms, "ok": ok, "reason": None if ok else "timeout", "vantage": vantage}
    return {"h": sha256_hex(f"{vantage} {start} {ok}".encode()), "body": body}


def watched(vantage: str, down: Down, first: int = DAY + 9 * 3_600_000, last: int = DAY + 14 * 3_600_000) -> list[Any]:
    """A probe every 30 s; it fails while the platform is down, and is good again at the very end of that."""
    starts = range(first, last + 1, EVERY)
    return [probe(vantage, start, ok=not any(begin <= start < end for begin, end in down)) for start in starts]


@pytest.mark.parametrize(
    "case",
    [each for each in TABLE["cases"] if "outages" in each and "holds" not in each],
    ids=lambda each: str(each["outages"]),
)
def test_the_table_of_the_protocol_told_by_probes(case: dict[str, Any]) -> None:
    down = [(at(first), at(last)) for first, last in case["outages"]]
    records = [each for vantage in VANTAGES for each in watched(vantage, down)]
    found = decision([by_probes(records, RULE, CLOSE)], at(case["at"]))
    if case["new_close"] is None:
        assert found.verdict is Verdict.CLOSE
        return
    assert (found.verdict, found.close) == (Verdict.EXTEND, at(case["new_close"]))
    assert found.trigger is not None
    named = [each for each in records if each["h"] in found.trigger.evidence]
    assert [each["h"] for each in named] == list(found.trigger.evidence)  # in log order
    assert {each["body"]["vantage"] for each in named} == set(VANTAGES)
    assert sum(each["body"]["ok"] for each in named) == len(VANTAGES) * len(down)  # each failure to its next good probe


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ([], []),
        ([(0, False)], []),
        ([(0, False), (30, True), (60, False), (90, True)], []),  # two, but not in a row
        ([(0, False), (30, False)], [(0, None)]),
        (
            [(0, True), (30, False), (60, False), (90, True)],
            [(30, 95)],
        ),  # the next good one ends it
        ([(0, False), (30, False), (60, True), (90, False), (120, False), (150, True)], [(0, 65), (90, 155)]),
    ],
)
def test_failures_at_one_vantage_point(told: list[tuple[int, bool]], found: list[tuple[int, int | None]]) -> None:
    probes = [Probe(h=str(start), start=start, end=start + 5, ok=ok) for start, ok in told]
    assert [(each.first, each.last) for each in failures(reversed(probes))] == found


@pytest.mark.parametrize(
    ("one", "other", "common"),
    [
        ([(0, 120)], [(60, 180)], [(60, 120)]),
        ([(0, 120)], [(120, 240)], []),  # they touch and have no time in common
        ([(0, 300)], [(30, 90), (150, 210)], [(30, 90), (150, 210)]),
        ([(0, 120)], [], []),  # one vantage point alone proves nothing
    ],
)
def test_only_what_every_vantage_point_saw_is_an_outage(one: Down, other: Down, common: Down) -> None:
    def seconds(down: Down) -> list[tuple[int, int]]:
        return [(begin * 1_000, end * 1_000) for begin, end in down]

    first, second = (
        watched(vantage, seconds(down), 0, 600_000) for vantage, down in zip(VANTAGES, (one, other), strict=True)
    )
    stranger = watched("elsewhere", [(0, 600_000)], 0, 600_000)
    for records in (first + second + stranger, stranger + second + first):
        assert [(each.first, each.last) for each in outages(records)] == seconds(common)


def test_an_outage_ends_when_one_vantage_point_reaches_the_platform_again() -> None:
    """While none of them does, the end is waited for."""
    failing = [probe(vantage, CLOSE - EVERY * back, ok=False) for vantage in VANTAGES for back in (3, 2, 1, 0)]
    found = by_probes(failing, RULE, CLOSE)
    assert found is not None
    assert found.until is None
    assert decision([found], CLOSE + 5_000).verdict is Verdict.WAIT
    over = by_probes([*failing, probe(SUPERVISOR, CLOSE + EVERY, ok=True, ms=700)], RULE, CLOSE)
    assert over is not None
    assert over.until == CLOSE + EVERY + 700


results = st.lists(st.booleans(), min_size=2, max_size=24)


@given(one=results, other=results, data=st.data())
def test_a_slow_count_finds_the_same(one: list[bool], other: list[bool], data: st.DataObject) -> None:
    """Second by second: down is what lies, for both, between the first of two failures and the next good probe."""
    told = {OPERATOR: one, SUPERVISOR: other}
    records = [probe(name, 10 * n, ok=ok, ms=5) for name, oks in told.items() for n, ok in enumerate(oks)]
    found = outages(data.draw(st.permutations(records)))
    down = {name: slowly_down(oks) for name, oks in told.items()}
    seconds = {each for each in range(300) if all(each in down[name] for name in told)}
    assert {each for part in found for each in range(part.first, 300 if part.last is None else part.last)} == seconds
    assert all(before.last is not None and before.last <= after.first for before, after in pairwise(found))


def slowly_down(oks: list[bool]) -> set[int]:
    found: set[int] = set()
    for n in range(len(oks) - 1):
        if not oks[n] and not oks[n + 1]:
            good = next((later for later in range(n, len(oks)) if oks[later]), None)
            found |= set(range(10 * n, 300 if good is None else 10 * good + 5))
    return found
