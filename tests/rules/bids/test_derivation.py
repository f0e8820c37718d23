"""Which failures move a deadline, and to when: the table of TE1 T6, its boundaries, what holds of every extension."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.build.bid_documents import SCHEDULE, VECTORS, raw
from trading.bids.rules.derivation import (
    MOST_DERIVED,
    Decision,
    Outage,
    Trigger,
    Verdict,
    by_clock,
    by_outage,
    by_refusal,
    decide,
    successor,
)
from trading.bids.rules.refusals import Refusal
from trading.bids.rules.schedule import MIN_NOTICE_MS, Schedule, parse_schedule, require_successor
from trading.kernel.digests import sha256_hex
from trading.procedures.rules.extension import ExtensionRule

TABLE: dict[str, Any] = VECTORS["te1"]["extension"]
DAY = 1_750_032_000_000  # a midnight; hours of the table are counted from it
MINUTE = 60_000
RULE = ExtensionRule(**{**TABLE["rule"], "triggers": tuple(TABLE["rule"]["triggers"])})
H = "ab" * 32


def at(time: str) -> int:
    """The instant of ``HH:MM``, with seconds and thousandths if they are there."""
    hours, minutes, *seconds = time.split(":")
    return DAY + (int(hours) * 60 + int(minutes)) * MINUTE + round(float(seconds[0] if seconds else 0) * 1000)


CLOSE = at(TABLE["close"])


def schedule(rule: ExtensionRule | None = RULE, close: int = CLOSE) -> Schedule:
    return parse_schedule(raw(SCHEDULE, close=close, extension_rule=None if rule is None else rule.to_json()))


def held(first: int, last: int | None, host: str = "database") -> list[dict[str, Any]]:
    told = [("clock.hold", first), *([] if last is None else [("clock.released", last)])]
    return [{"kind": kind, "at": when, "body": {"host": host}, "h": h_of(kind, when, host)} for kind, when in told]


def h_of(kind: str, when: int, host: str = "database") -> str:
    return sha256_hex(f"{kind} {host} {when}".encode())


def outage(first: str | int, last: str | int | None, h: str = "outage") -> Outage:
    begin, end = (at(each) if isinstance(each, str) else each for each in (first, last))
    assert begin is not None
    return Outage(first=begin, last=end, evidence=(h,))


def decision(triggers: Iterable[Trigger | None], now: int, base: Schedule | None = None, derived: int = 0) -> Decision:
    met = [each for each in triggers if each is not None]
    return decide(base or schedule(), met, usual=RULE, derived=derived, at=now)


@pytest.mark.parametrize("case", TABLE["cases"], ids=lambda case: str({**case, "at": None}))
def test_the_table_of_the_protocol(case: dict[str, Any]) -> None:
    records = [each for first, last in case.get("holds", ()) for each in held(at(first), at(last))]
    found = decision(
        (
            by_outage([outage(*each) for each in case.get("outages", ())], RULE, CLOSE),
            by_clock(records, CLOSE),
            by_refusal([Refusal(h=H, arrival=at(each)) for each in case.get("refusals", ())], RULE, CLOSE),
        ),
        at(case["at"]),
    )
    if case["new_close"] is None:
        assert found == Decision(verdict=Verdict.CLOSE)
    else:
        assert (found.verdict, found.close) == (Verdict.EXTEND, at(case["new_close"]))
        assert found.trigger is not None
        assert found.trigger.cause == case["cause"]


@pytest.mark.parametrize(
    ("first", "last", "met"),
    [
        (CLOSE - 300_000, CLOSE - 120_001, False),
        (CLOSE - 300_000, CLOSE - 120_000, True),
        (CLOSE, CLOSE, True),
        (CLOSE - 300_000, CLOSE + 300_000, True),
        (CLOSE + 5_000, CLOSE + 60_000, True),
        (CLOSE + 5_001, CLOSE + 60_000, False),
    ],
)
def test_a_hold_touches_the_deadline_or_not(first: int, last: int, *, met: bool) -> None:
    found = by_clock(held(first, last), CLOSE)
    assert (found is not None) is met
    if found is not None:
        assert found.until == last
        assert found.evidence == (h_of("clock.hold", first), h_of("clock.released", last))


def test_of_several_holds_the_last_end_counts_and_all_are_evidence() -> None:
    """The records stand in log order, whatever hold they belong to; a hold that is not over is waited for."""
    inner, outer = held(CLOSE - 10, CLOSE + 10, "sequencer"), held(CLOSE - 60_000, CLOSE + 60_000)
    before = held(CLOSE - 600_000, CLOSE - 500_000)
    records = [*before, outer[0], inner[0], inner[1], outer[1]]
    found = by_clock(records, CLOSE)
    assert found is not None
    assert (found.until, found.evidence) == (CLOSE + 60_000, tuple(each["h"] for each in records[2:]))
    going_on = by_clock(records[:-1], CLOSE)
    assert going_on is not None
    assert going_on.until is None
    assert decision([going_on], CLOSE + 5_000).verdict is Verdict.WAIT


@pytest.mark.parametrize(
    ("intervals", "until"),
    [
        ([("10:00", "10:09:59.999")], None),
        ([("10:00", "10:10")], "10:10"),  # inside the look-back, and long enough
        ([("09:59:59.999", "10:09:59.999")], None),  # a millisecond of it lies before the look-back
        ([("11:59:59.999", "12:00")], None),  # over at the deadline
        ([("11:59:59.999", "12:00:00.001")], "12:00:00.001"),  # in progress at it
        ([("12:00", "12:00:01")], "12:00:01"),
        ([("12:00:00.001", "12:30")], None),
        ([("10:00", "10:05"), ("11:00", "11:05")], "11:05"),
        ([("10:00", "10:20"), ("12:00:00.001", "12:30")], "10:20"),
    ],
)
def test_outages_around_their_boundaries(intervals: list[tuple[str, str]], until: str | None) -> None:
    found = by_outage([outage(*each, h=str(number)) for number, each in enumerate(intervals)], RULE, CLOSE)
    assert (None if found is None else found.until) == (None if until is None else at(until))


def test_an_outage_that_goes_on_is_waited_for() -> None:
    found = by_outage([outage("11:58", None)], RULE, CLOSE)
    assert found is not None
    assert decision([found], at("12:30")).verdict is Verdict.WAIT


@pytest.mark.parametrize(
    ("arrival", "met"),
    [
        (CLOSE - RULE.look_back_ms - 1, False),
        (CLOSE - RULE.look_back_ms, True),
        (CLOSE + 5_000, True),
        (CLOSE + 5_001, False),
    ],
)
def test_refusals_around_their_boundaries(arrival: int, *, met: bool) -> None:
    assert (by_refusal([Refusal(h=H, arrival=arrival)], RULE, CLOSE) is not None) is met


def trigger(cause: str, until: int | None) -> Trigger:
    return Trigger(cause=cause, until=until, evidence=(H,))


@pytest.mark.parametrize(
    ("triggers", "cause"),
    [
        ((("clock", 5), ("outage", 5), ("refusal", 5)), "outage"),
        ((("refusal", 5), ("clock", 5)), "clock"),
        ((("clock", 5), ("refusal", 6)), "refusal"),
    ],
)
def test_the_latest_counts_and_of_equals_the_first_of_the_table(
    triggers: Sequence[tuple[str, int]], cause: str
) -> None:
    found = decision([trigger(name, CLOSE + after) for name, after in triggers], CLOSE + 6_000)
    assert found.trigger is not None
    assert found.trigger.cause == cause


def test_the_agency_decides_where_it_did_not_consent_or_three_times_were_enough() -> None:
    """Negative controls of consent: no rule, a rule that does not list the cause, a fourth time (T5)."""
    clock, later = trigger("clock", CLOSE + 10), trigger("refusal", CLOSE + 20)
    for base, derived, reason in (
        (schedule(None), 0, "clock"),
        (schedule(replace(RULE, triggers=("outage",))), 0, "clock"),
        (schedule(), MOST_DERIVED, "clock"),
    ):
        found = decision([clock], CLOSE + 6_000, base, derived)
        assert (found.verdict, found.trigger) == (Verdict.BLOCK, clock), reason
    assert decision([clock], CLOSE + 6_000, schedule(), MOST_DERIVED - 1).verdict is Verdict.EXTEND
    listed = decision([clock, later], CLOSE + 6_000, schedule(replace(RULE, triggers=("clock",))))
    assert listed.trigger == clock  # what is not listed counts at the new deadline, if it still does
    assert decision([clock, later], CLOSE + 6_000, schedule(None)).trigger == later


def test_without_consent_the_usual_length_says_whether_the_deadline_would_move() -> None:
    early = trigger("refusal", CLOSE - RULE.extend_ms)
    assert decision([early], CLOSE, schedule(None)).verdict is Verdict.CLOSE
    assert decision([replace(early, until=CLOSE - RULE.extend_ms + 1)], CLOSE, schedule(None)).verdict is Verdict.BLOCK


causes = st.sampled_from(("clock", "outage", "refusal"))
instants = st.integers(CLOSE - 3 * 3_600_000, CLOSE + 3 * 3_600_000)
rules = st.builds(
    ExtensionRule,
    extend_ms=st.integers(1_800_000, 7_200_000),
    look_back_ms=st.integers(0, 7_200_000),
    min_outage_ms=st.integers(0, 1_200_000),
    triggers=st.sets(causes, min_size=1).map(lambda each: tuple(sorted(each))),
)


@given(
    rule=rules,
    found=st.lists(st.builds(trigger, causes, instants), max_size=4),
    late=st.integers(5_000, 3 * 3_600_000),
    data=st.data(),
)
def test_what_holds_of_every_extension(
    rule: ExtensionRule, found: list[Trigger], late: int, data: st.DataObject
) -> None:
    now, base = CLOSE + late, schedule(rule)
    told = decision(found, now, base)
    shuffled = decision(data.draw(st.permutations(found)), now, base)
    assert (shuffled.verdict, shuffled.close) == (told.verdict, told.close)
    if told.verdict is not Verdict.EXTEND:
        assert told.verdict is Verdict.CLOSE or {each.cause for each in found} - set(rule.triggers)
        return
    assert told.trigger is not None
    assert told.trigger.cause in rule.triggers
    assert told.close > CLOSE
    assert told.close % MINUTE == 0
    until = told.trigger.until or 0
    assert 0 <= told.close - max(until + rule.extend_ms, now + MIN_NOTICE_MS) < MINUTE
    after = parse_schedule(successor(base, told.trigger, told.close))
    require_successor(base, after, now)
    assert (after.cause, after.evidence, after.extension_rule) == (told.trigger.cause, told.trigger.evidence, rule)
    again = decision([each for each in found if each.cause in rule.triggers], told.close, after, 1)
    assert again.verdict is Verdict.CLOSE  # the same evidence never moves a deadline twice


@given(lengths=st.lists(st.integers(0, 4 * 3_600_000), min_size=4, max_size=6))
def test_holds_at_every_deadline_move_it_three_times(lengths: list[int]) -> None:
    """A state machine of one lot: each deadline falls into a hold of some length; time only goes on."""
    current, derived, now, records = schedule(), 0, 0, list[dict[str, Any]]()
    for length in lengths:
        records += held(current.close, current.close + length)
        now = max(now, current.close + max(length, 5_000))
        told = decision([by_clock(records, current.close)], now, current, derived)
        if derived == MOST_DERIVED:
            assert told.verdict is Verdict.BLOCK
            return
        assert told.trigger is not None
        following = parse_schedule(successor(current, told.trigger, told.close))
        require_successor(current, following, now)
        current, derived = following, derived + 1
