"""Each guard just before, exactly at and just after its boundary, with code, rule id and the value that is lawful."""
# ruff: noqa: ANN401 - a builder takes any field

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.build.tenders import (
    AGENCY,
    CALENDAR,
    CLOSE_AT,
    EARLIEST,
    NATIONAL,
    PLATFORM,
    PUBLISHED_AT,
    REPLAY,
    REVIEWER,
    actor,
    facts,
    ms,
)
from trading.kernel.errors import NotFound, RuleBroken
from trading.kernel.roles import Actor, Role
from trading.procedures.rules import guards
from trading.procedures.rules.catalogue import KINDS, kind_of
from trading.procedures.rules.failure import failure_after_opening, failure_at_close
from trading.procedures.rules.kinds.open_tender_gp import OPEN_TENDER_GP
from trading.procedures.rules.lifecycle import Act, Facts, Guard, LotPhase, ProcedurePhase, advance
from trading.procedures.rules.policies import CONSULTATION_PERIODS
from trading.procedures.rules.silence import silence_ends
from trading.rulebook.keys import Key, Regime
from trading.rulebook.model import Edition, Parameter

SECOND = 1_000
HALF_HOUR = 1_800_000


def refusal(guard: Guard, given_facts: Facts, by: Actor = REVIEWER) -> tuple[str, str | None] | None:
    """Run a guard; return code and rule id of its refusal, or None."""
    try:
        guard(given_facts, by)
    except RuleBroken as broken:
        return broken.code, broken.rule_id
    return None


def with_rows(edition: Edition, **values: Any) -> Edition:
    """An edition in which some values are others; keys by enum name."""
    rows = dict(edition.parameters)
    for name, value in values.items():
        row = rows[Key[name]]
        fields = {field: getattr(row, field) for field in Parameter.__slots__}
        rows[Key[name]] = Parameter(**(fields | {"value": value}))
    return Edition(id="test.1", jurisdiction="test", title_zh="试", title_en="test", parameters=rows)


@pytest.mark.parametrize(
    ("close_at", "expected"),
    [
        (EARLIEST - SECOND, ("deadline.too_early", "DOC-04")),
        (EARLIEST, None),
        (EARLIEST + SECOND, None),
    ],
)
def test_deadline(close_at: int, expected: tuple[str, str] | None) -> None:  # DOC-04, TIM-06
    assert refusal(guards.require_lawful_deadline, facts(close_at=close_at)) == expected


def test_a_refused_deadline_names_the_earliest_lawful_one() -> None:
    with pytest.raises(RuleBroken) as broken:
        guards.require_lawful_deadline(facts(close_at=EARLIEST - SECOND), REVIEWER)
    assert broken.value.facts == {"close": EARLIEST - SECOND, "earliest": EARLIEST, "minimum_days": 20}
    assert refusal(guards.require_lawful_deadline, facts(close_at=EARLIEST)) is None


def test_a_deadline_that_reaches_an_unknown_year_is_refused() -> None:  # TIM-07
    at = ms("2026-12-14 09:00:00")
    assert refusal(guards.require_lawful_deadline, facts(at=at, close_at=ms("2027-01-29 09:00:00"))) == (
        "calendar.missing",
        "TIM-07",
    )


@pytest.mark.parametrize(
    ("close_at", "expected"),
    [
        (ms("2026-03-12 00:00:00") - SECOND, ("deadline.too_early", "DOC-22")),
        (ms("2026-03-12 00:00:00"), None),
        (ms("2026-03-12 00:00:00") + SECOND, None),
    ],
)
def test_first_responses_of_a_consultation_have_ten_days(close_at: int, expected: tuple[str, str] | None) -> None:
    given = facts(close_at=close_at, periods=CONSULTATION_PERIODS)  # DOC-22, counted from Monday 2 March
    assert refusal(guards.require_lawful_deadline, given) == expected


SUPPLY_END = ms("2026-03-10 00:00:00")  # five working days after Monday 2 March


@pytest.mark.parametrize(
    ("ends_at", "expected"),
    [
        (SUPPLY_END - 1, ("documents.supply_too_short", "DOC-02")),
        (SUPPLY_END, None),
        (SUPPLY_END + 1, None),
        (None, None),
    ],
)
def test_document_supply(ends_at: int | None, expected: tuple[str, str] | None) -> None:  # DOC-02
    assert refusal(guards.require_document_supply, facts(supply_ends_at=ends_at)) == expected


def test_documents_supplied_until_an_early_deadline_are_too_short() -> None:  # DOC-02
    found = refusal(guards.require_document_supply, facts(close_at=SUPPLY_END - SECOND))
    assert found == ("documents.supply_too_short", "DOC-02")


@pytest.mark.parametrize(
    ("edition", "ceiling", "expected"),
    [(NATIONAL, None, ("ceiling.missing", "DOC-09")), (NATIONAL, 1, None), (REPLAY, None, None)],
)
def test_ceiling(edition: Edition, ceiling: int | None, expected: tuple[str, str] | None) -> None:  # DOC-09, EVL-02
    assert refusal(guards.require_ceiling, facts(edition=edition, ceiling=ceiling)) == expected


@pytest.mark.parametrize(("fixed", "expected"), [(False, ("policy.missing", "SUB-07")), (True, None)])
def test_opening_policy(fixed: bool, expected: tuple[str, str] | None) -> None:  # noqa: FBT001 - SUB-07
    assert refusal(guards.require_opening_policy, facts(policy_fixed=fixed)) == expected


def test_second_person() -> None:  # MB-01
    same = actor(Role.REVIEWER, account="a-1")
    assert refusal(guards.require_second_person, facts(), same) == ("review.same_person", "MB-01")
    assert refusal(guards.require_second_person, facts(), REVIEWER) is None
    assert refusal(guards.require_second_person, facts(drafted_by=PLATFORM.account), PLATFORM) is None
    off = with_rows(NATIONAL, SECOND_PERSON=False)
    assert refusal(guards.require_second_person, facts(edition=off), same) is None


def test_two_roles_of_one_account_do_not_make_two_people() -> None:  # MB-01
    both = actor(Role.AGENCY, Role.REVIEWER, account="a-1")
    with pytest.raises(RuleBroken, match="MB-01"):
        advance(OPEN_TENDER_GP, ProcedurePhase.REVIEW, Act.PUBLISH, both, facts(drafted_by="a-1"))


@pytest.mark.parametrize("reason", [None, "", "  \n"])
def test_reasons_are_words(reason: str | None) -> None:  # B4.11, EVL-08
    assert refusal(guards.require_return_reason, facts(reason=reason)) == ("review.reason_missing", "B4.11")
    assert refusal(guards.require_cancellation_ground, facts(reason=reason)) == ("cancel.reason_missing", "EVL-08")
    assert refusal(guards.require_return_reason, facts(reason="x")) is None
    assert refusal(guards.require_cancellation_ground, facts(reason="x")) is None


@pytest.mark.parametrize(
    ("new_close_at", "later", "kept"),
    [
        (CLOSE_AT - SECOND, ("extension.not_later", "MB-02"), ("amendment.earlier", "MB-02")),
        (CLOSE_AT, ("extension.not_later", "MB-02"), None),
        (CLOSE_AT + SECOND, None, None),
    ],
)
def test_later_only(new_close_at: int, later: tuple[str, str] | None, kept: tuple[str, str] | None) -> None:  # MB-02
    given_facts = facts(new_close_at=new_close_at)
    assert refusal(guards.require_extension_later, given_facts) == later
    assert refusal(guards.require_deadline_kept, given_facts) == kept


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (CLOSE_AT - HALF_HOUR - 1, None),
        (CLOSE_AT - HALF_HOUR, None),
        (CLOSE_AT - HALF_HOUR + 1, ("extension.too_soon", "MB-02")),
    ],
)
def test_half_an_hour_at_least(at: int, expected: tuple[str, str] | None) -> None:  # MB-02, TE1 T2
    assert refusal(guards.require_extension_margin, facts(at=at, new_close_at=CLOSE_AT)) == expected


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-03-15 23:59:59", None),
        ("2026-03-16 00:00:00", None),
        ("2026-03-16 23:59:59", None),
        ("2026-03-17 00:00:00", ("clarification.too_late", "NOT-05")),
    ],
)
def test_fifteen_days_after_a_change_that_affects_bids(at: str, expected: tuple[str, str] | None) -> None:
    # NOT-05 counted by TIM-05: 16 March is the fifteenth day before 31 March, whatever the hour.
    late = facts(at=ms(at), new_close_at=CLOSE_AT, affects_bids=True)
    assert refusal(guards.require_clarification_lead, late) == expected
    harmless = facts(at=ms(at), new_close_at=CLOSE_AT, affects_bids=False)
    assert refusal(guards.require_clarification_lead, harmless) is None
    assert refusal(guards.require_clarification_lead, late, PLATFORM) is None


def test_a_late_change_names_the_lawful_deadline() -> None:  # NOT-05
    at = ms("2026-03-20 09:00:00")
    with pytest.raises(RuleBroken) as broken:
        guards.require_clarification_lead(facts(at=at, new_close_at=CLOSE_AT, affects_bids=True), REVIEWER)
    earliest = broken.value.facts["earliest"]
    assert earliest == ms("2026-04-07 10:00:00")
    assert refusal(guards.require_clarification_lead, facts(at=at, new_close_at=earliest, affects_bids=True)) is None


@pytest.mark.parametrize(
    ("at", "expected"),
    [(CLOSE_AT - 1, ("close.too_early", "OPN-01")), (CLOSE_AT, None), (CLOSE_AT + 1, None)],
)
def test_close(at: int, expected: tuple[str, str] | None) -> None:  # OPN-01, TIM-09: at the very instant it is over
    assert refusal(guards.require_deadline_passed, facts(at=at)) == expected


@pytest.mark.parametrize(
    ("bids", "opening", "failing"),
    [
        (0, ("opening.too_few_bids", "OPN-02"), None),
        (2, ("opening.too_few_bids", "OPN-02"), None),
        (3, None, ("lot.enough_bids", "OPN-02")),
        (4, None, ("lot.enough_bids", "OPN-02")),
    ],
)
def test_bids_at_the_close(bids: int, opening: tuple[str, str] | None, failing: tuple[str, str] | None) -> None:
    # OPN-02: exactly one of the two ways is open.
    assert refusal(guards.require_opening_allowed, facts(bids=bids)) == opening
    assert refusal(guards.require_too_few_bids, facts(bids=bids)) == failing


def test_the_replay_opens_a_single_bid_but_not_none() -> None:  # OPN-02
    assert refusal(guards.require_opening_allowed, facts(edition=REPLAY, bids=1)) is None
    assert refusal(guards.require_opening_allowed, facts(edition=REPLAY, bids=0)) == ("opening.too_few_bids", "OPN-02")


@pytest.mark.parametrize(
    ("undecided", "expected"), [(0, None), (1, ("opening.incomplete", "OPN-04")), (2, ("opening.incomplete", "OPN-04"))]
)
def test_opening_ends_with_a_verdict_for_every_bid(undecided: int, expected: tuple[str, str] | None) -> None:  # OPN-04
    assert refusal(guards.require_all_decided, facts(undecided_bids=undecided)) == expected


@pytest.mark.parametrize(
    ("effective", "conforming", "expected"),
    [
        (2, 2, ("evaluation.too_few_bids", "OPN-15")),
        (3, 2, ("evaluation.too_few_bids", "EVL-05")),
        (3, 3, None),
        (4, 4, None),
    ],
)
def test_valid_bids(effective: int, conforming: int, expected: tuple[str, str] | None) -> None:  # OPN-15, EVL-05
    given_facts = facts(effective_bids=effective, conforming_bids=conforming)
    assert refusal(guards.require_enough_valid, given_facts) == expected
    enough = None if expected else ("lot.enough_bids", "EVL-05")
    assert refusal(guards.require_too_few_valid, given_facts) == enough


def test_the_recount_is_a_switch_and_the_law_is_not() -> None:  # OPN-15, EVL-05
    off = with_rows(NATIONAL, RECOUNT_AFTER_DECRYPT=False)
    failure = failure_after_opening(off, Regime.GP, effective=2, conforming=2)
    assert failure is not None
    assert failure.rule == "EVL-05"
    recounted = failure_after_opening(NATIONAL, Regime.GP, effective=2, conforming=2)
    assert recounted is not None
    assert (recounted.rule, recounted.reason) == ("OPN-15", "fewer_than_three_after_opening")
    at_close = failure_at_close(NATIONAL, Regime.GP, 2)
    assert at_close is not None
    assert (at_close.rule, at_close.reason) == ("OPN-02", "fewer_than_three")


def test_award_goes_to_the_first() -> None:  # AWD-09
    found = refusal(guards.require_ranking_order, facts(first_ranked="b-1", chosen="b-2"))
    assert found == ("award.not_first", "AWD-09")
    assert refusal(guards.require_ranking_order, facts(first_ranked="b-1", chosen="b-1")) is None


@pytest.mark.parametrize(
    ("guard", "missing"),
    [
        (guards.require_second_person, {"drafted_by": None}),
        (guards.require_lawful_deadline, {"close_at": None}),
        (guards.require_document_supply, {"close_at": None}),
        (guards.require_opening_policy, {"policy_fixed": None}),
        (guards.require_extension_later, {}),
        (guards.require_deadline_kept, {}),
        (guards.require_extension_margin, {}),
        (guards.require_clarification_lead, {}),
        (guards.require_deadline_passed, {"close_at": None}),
        (guards.require_opening_allowed, {}),
        (guards.require_too_few_bids, {}),
        (guards.require_all_decided, {}),
        (guards.require_enough_valid, {}),
        (guards.require_too_few_valid, {}),
        (guards.require_ranking_order, {}),
    ],
)
def test_a_missing_fact_is_a_bug_and_no_pass(guard: Guard, missing: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="needs the fact"):
        guard(facts(**missing), REVIEWER)


# Ranked on Monday 11 May 2026: two working days to send the report, five more to decide, both to their last moment.
RANKED_AT, SILENT_AT = ms("2026-05-11 10:00:00"), ms("2026-05-21 00:00:00")


@pytest.mark.parametrize(("at", "allowed"), [(RANKED_AT, False), (SILENT_AT - 1, False), (SILENT_AT, True)])
def test_the_platform_awards_when_the_buyers_time_is_over_and_no_moment_earlier(at: int, *, allowed: bool) -> None:
    refused = refusal(guards.require_silence, facts(at=at, ranked_at=RANKED_AT), PLATFORM)
    assert refused == (None if allowed else ("award.buyer_decides", "AWD-09"))
    assert refusal(guards.require_silence, facts(at=at, ranked_at=RANKED_AT), AGENCY) is None  # who decides


def test_without_a_rule_or_a_calendar_nobody_is_taken_to_be_silent() -> None:
    beyond = ms("2031-01-06 10:00:00")
    assert silence_ends(beyond, NATIONAL, Regime.GP, CALENDAR) is None
    assert refusal(guards.require_silence, facts(at=beyond, ranked_at=beyond), PLATFORM) == (
        "award.buyer_decides",
        "AWD-09",
    )


def test_a_whole_procedure() -> None:
    """From draft to result by the table alone."""
    kind, at = OPEN_TENDER_GP, CLOSE_AT + 5_000
    submitted = advance(kind, ProcedurePhase.DRAFT, Act.SUBMIT, AGENCY, facts())
    published = advance(kind, submitted.target, Act.PUBLISH, REVIEWER, facts())
    assert (published.target, published.lots) == (ProcedurePhase.PUBLISHED, Act.OPEN)
    opened = advance(kind, LotPhase.DRAFT, Act.OPEN, REVIEWER, facts())
    new_close = CLOSE_AT + 3_600_000
    extended = advance(kind, opened.target, Act.EXTEND, PLATFORM, facts(new_close_at=new_close))
    amended = advance(kind, extended.target, Act.AMEND, REVIEWER, facts(new_close_at=CLOSE_AT, affects_bids=True))
    closed = advance(kind, amended.target, Act.CLOSE, PLATFORM, facts(at=at))
    ordered = advance(kind, closed.target, Act.ORDER_OPENING, AGENCY, facts(bids=3))
    completed = advance(kind, ordered.target, Act.COMPLETE_OPENING, PLATFORM, facts(undecided_bids=0))
    ranked = advance(kind, completed.target, Act.EVALUATE, PLATFORM, facts(effective_bids=3, conforming_bids=3))
    chosen = facts(first_ranked="b-1", chosen="b-1")
    concluded = advance(
        kind, advance(kind, ranked.target, Act.DETERMINE, AGENCY, chosen).target, Act.CONCLUDE, REVIEWER, facts()
    )
    assert concluded.target is LotPhase.CONCLUDED
    assert concluded.rules == ("MB-01", "AWD-11", "NOT-09")
    failed = advance(kind, LotPhase.CLOSED, Act.FAIL, PLATFORM, facts(bids=2))
    assert (failed.source, failed.target) == (LotPhase.CLOSED, LotPhase.FAILED)


def test_catalogue() -> None:  # MTD-01
    assert kind_of("open_tender_gp", NATIONAL) is OPEN_TENDER_GP
    assert {kind.code for kind in KINDS} == {"open_tender_gp", "works_tender_tl", "request_for_quotation"}
    with pytest.raises(NotFound):
        kind_of("beauty_contest", NATIONAL)
    empty = Edition(id="x.1", jurisdiction="x", title_zh="x", title_en="x", parameters={})
    with pytest.raises(NotFound):
        kind_of("open_tender_gp", empty)


MINUTE_OF_2026 = st.integers(
    min_value=ms("2026-01-01 00:00:00") // 60_000, max_value=ms("2026-11-01 00:00:00") // 60_000
)


@given(MINUTE_OF_2026, st.integers(min_value=0, max_value=45 * 1440))
@settings(max_examples=500)
def test_drafts_pass_exactly_if_a_slow_count_of_days_says_so(at_minute: int, minutes: int) -> None:
    """Random drafts against an oracle that walks the calendar day by day (DOC-04, TIM-01, TIM-06)."""
    at, close_at = at_minute * 60_000, (at_minute + minutes) * 60_000
    issued, day = CALENDAR.date_of(at), CALENDAR.date_of(close_at)
    passed = (day - issued).days
    # Lawful from day 20 on, unless every day from day 20 up to the deadline's day is a rest day.
    work = any(CALENDAR.workdays[type(day).fromordinal(issued.toordinal() + n)] for n in range(20, passed + 1))
    expected = None if passed >= 20 and work else ("deadline.too_early", "DOC-04")
    assert refusal(guards.require_lawful_deadline, facts(at=at, close_at=close_at)) == expected


def test_a_guard_that_counts_hours_would_be_noticed() -> None:
    """Negative control: twenty times 24 hours is not twenty days counted by TIM-01 and TIM-06."""
    naive = PUBLISHED_AT + 20 * 86_400_000
    assert refusal(guards.require_lawful_deadline, facts(close_at=naive)) == ("deadline.too_early", "DOC-04")
