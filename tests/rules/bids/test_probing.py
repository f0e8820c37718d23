"""What synthetic bidders may tell, and what their silence means at a deadline (TE1 T6, ADR 0054)."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest

from trading.bids.rules.outages import SILENT_MS, Probe, is_unknown
from trading.bids.rules.probing import AHEAD_MS, LONGEST_MS, MOST_ROUNDS, Round, not_told, parse_rounds, recovers
from trading.kernel.errors import InvalidInput, RuleBroken
from trading.procedures.rules.extension import ExtensionRule

MINUTE = 60_000
CLOSE = 1_700_003_600_000
RULE = ExtensionRule(extend_ms=120 * MINUTE, look_back_ms=120 * MINUTE, min_outage_ms=10 * MINUTE, triggers=())
GOOD: dict[str, Any] = {"from": 5, "ms": 700, "ok": True, "reason": None}


@pytest.mark.parametrize(
    "changes",
    [
        {"from": -1}, {"from": True}, {"from": "5"}, {"ms": -1}, {"ms": LONGEST_MS + 1}, {"ms": 0.5}, {"ok": 1},
        {"ok": False}, {"reason": "busy"}, {"ok": False, "reason": ""}, {"ok": False, "reason": "x" * 65},
        {"ok": False, "reason": "忙"}, {"vantage": "operator"},
    ],
)  # fmt: skip
def test_what_is_malformed_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=r"probe\.malformed"):
        parse_rounds([GOOD, {**GOOD, **changes}])


def test_rounds_are_read_oldest_first_and_not_without_end() -> None:
    failed = {"from": 3, "ms": LONGEST_MS, "ok": False, "reason": "unreachable"}
    assert [each.to_json() for each in parse_rounds([GOOD, failed])] == [failed, GOOD]
    assert len(parse_rounds([GOOD] * MOST_ROUNDS)) == MOST_ROUNDS
    malformed: list[list[Any]] = [[GOOD] * (MOST_ROUNDS + 1), ["good"], [{}]]
    for bad in malformed:
        with pytest.raises(InvalidInput, match=r"probe\.malformed"):
            parse_rounds(bad)


def rounds(*starts: int) -> list[Round]:
    return [Round(start=start, ms=10, ok=True, reason=None) for start in starts]


@pytest.mark.parametrize(
    ("until", "taken"), [(0, [100, 110, 200]), (100, [100, 110, 200]), (101, [105, 200]), (210, [])]
)
def test_nothing_is_told_twice_or_put_between(until: int, taken: list[int]) -> None:
    """What begins before everything told has ended is passed over, also within one telling."""
    assert [each.start for each in not_told(rounds(100, 105, 110, 200), until, 1_000)] == taken


@pytest.mark.parametrize(
    ("at", "ahead"), [(110 - AHEAD_MS - 1, True), (110 - AHEAD_MS, False), (111 - AHEAD_MS, False)]
)
def test_nothing_is_told_of_the_future(at: int, *, ahead: bool) -> None:
    with pytest.raises(RuleBroken, match=r"probe\.ahead") if ahead else nullcontext():
        assert len(not_told(rounds(100), 0, at)) == 1


def told(vantage: str, start: int, *, ok: bool) -> dict[str, Any]:
    """Return a record of a round that took a second; instants are minutes after the deadline."""
    body = {"from": CLOSE + start * MINUTE, "ms": 1_000, "ok": ok, "vantage": vantage}
    return {"body": body, "h": f"{vantage}{start}", "n": start}


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ("++", "+", False),
        ("+-", "+", False),  # one lost round is no failure
        ("+--", "-", False),  # it goes on
        ("+--", "+", True),
        ("+--+", "+", False),  # over before
        ("", "--+", True),  # told at once, after the recovery
    ],
)
def test_a_recovery_is_the_good_round_that_ends_a_failure(before: str, now: str, *, expected: bool) -> None:
    records = [told("operator", start, ok=sign == "+") for start, sign in enumerate(before + now)]
    fresh = [each["h"] for each in records[len(before) :]]
    assert recovers(map(Probe.of, records), fresh) is expected


def both(operator: dict[int, bool], supervisor: dict[int, bool]) -> list[dict[str, Any]]:
    found = [told("operator", start, ok=ok) for start, ok in operator.items()]
    return found + [told("supervisor", start, ok=ok) for start, ok in supervisor.items()]


FINE = {-40: True, -1: True, 1: True}
SILENT = {-40: True}
DOWN = {-40: True, -30: False, -15: False, -10: True, 1: True}  # over before the deadline, long enough


@pytest.mark.parametrize(
    ("operator", "supervisor", "unknown"),
    [
        ({}, {}, False),  # an installation without probes closes as before
        (SILENT, {}, False),
        (SILENT, SILENT, True),
        (FINE, SILENT, False),  # one that was served is enough
        ({-1: True}, {-1: True}, True),  # shortly before the deadline is not at it
        ({-1: True, 1: False}, {-1: True, 1: False}, True),  # failed once: the next round will tell
        (DOWN, SILENT, True),  # what the operator saw before may have been an outage
        (DOWN, FINE, False),
        (DOWN, DOWN, False),  # it was one, and that is known
        (DOWN, {-40: True, -30: False, -15: False}, False),  # the operator knows when it was over
        (DOWN, {-40: True, -30: False}, True),  # one lost round, so far
        ({**FINE, 1: False, 2: False}, SILENT, True),
        ({-40: True, -1: False, 2: False, 3: True}, SILENT, True),  # the other may have been served all the time
        ({-40: True, -1: False, 2: False, 3: True}, FINE, False),
        ({-40: True, -8: False, -5: False, -4: True, 1: True}, SILENT, False),  # too short, whatever the other saw
    ],
)
def test_silence_counts_as_a_failure_where_it_could_move_the_deadline(
    operator: dict[int, bool], supervisor: dict[int, bool], *, unknown: bool
) -> None:
    assert is_unknown(both(operator, supervisor), RULE, CLOSE) is unknown
    assert is_unknown(both(supervisor, operator), RULE, CLOSE) is unknown


@pytest.mark.parametrize(("end", "waited"), [(-1, False), (0, True), (1, True)])
def test_a_vantage_point_that_was_silent_for_a_day_is_not_waited_for(end: int, *, waited: bool) -> None:
    old = told("supervisor", 0, ok=True)
    old["body"] |= {"from": CLOSE - SILENT_MS - 1_000 + end}
    assert is_unknown([*both(SILENT, {}), old], RULE, CLOSE) is waited


def test_what_the_agency_has_settled_is_not_waited_for() -> None:
    records = both(DOWN, SILENT)
    assert is_unknown(records, RULE, CLOSE)
    assert not is_unknown(records, RULE, CLOSE, settled=CLOSE - 12 * MINUTE)
