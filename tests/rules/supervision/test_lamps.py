"""When a lamp changes its colour: every boundary from the text of its rule, by the published working days of 2026."""

from __future__ import annotations

import pytest

from tests.build.tenders import ms
from trading.kernel.calendar import WorkCalendar
from trading.rulebook.calendar_days import published_calendar
from trading.rulebook.keys import Key, Regime
from trading.rulebook.loader import edition_at
from trading.rulebook.model import Edition
from trading.supervision.rules.lamps import (
    GRACE_MS,
    Act,
    Colour,
    Lamp,
    LotTimes,
    State,
    lamps,
    state_of,
    worst,
)

CALENDAR = published_calendar()
PUBLISHED = ms("2026-03-02 09:00:00")
CLOSE = ms("2026-03-31 10:00:00")
LOT = LotTimes(number="1", close_at=CLOSE, going=True)


def edition() -> Edition:
    return edition_at("cn", PUBLISHED)


def act(kind: str, at: str, lot: str | None = "1", about: str | None = None) -> Act:
    return Act(kind=kind, lot=lot, at=ms(at), h=f"{kind}@{at}", about=about)


def shown(*acts: Act, now: str, lot: LotTimes = LOT, calendar: WorkCalendar = CALENDAR) -> dict[str, Lamp]:
    """Return the lamps by track; every test has at most one of a track."""
    found = lamps(acts, [lot], edition(), Regime.GP, calendar, ms(now))
    assert len({lamp.track for lamp in found}) == len(found)
    return {lamp.track: lamp for lamp in found}


# ------------------------------------------------------------------ one limit


@pytest.mark.parametrize(
    ("now", "state"),
    [
        ("2026-04-08 09:00:00", State.RUNNING),  # Wednesday: Thursday, Friday, Monday … Wednesday are left
        ("2026-04-10 23:59:59", State.RUNNING),  # Friday: Monday, Tuesday, Wednesday are left, three
        ("2026-04-13 00:00:00", State.SOON),  # Monday: Tuesday and Wednesday are left, two
        ("2026-04-15 23:59:59", State.SOON),  # the last second of the last day (TIM-04)
        ("2026-04-16 00:00:00", State.OVERDUE),
    ],
)
def test_yellow_begins_two_working_days_before_the_end(now: str, state: State) -> None:
    started, due = ms("2026-04-06 00:00:00"), ms("2026-04-16 00:00:00")  # a fifth is left from Tuesday 14 April
    assert state_of(started, due, None, ms(now), CALENDAR) is state


def test_yellow_begins_when_a_fifth_is_left_whichever_comes_first() -> None:
    started, due = ms("2026-03-02 00:00:00"), ms("2026-06-10 00:00:00")  # a hundred days
    fifth = due - (due - started) // 5
    assert state_of(started, due, None, fifth - 1, CALENDAR) is State.RUNNING
    assert state_of(started, due, None, fifth, CALENDAR) is State.SOON, "the bound itself is yellow (TIM-02)"


def test_rest_days_are_not_left_days() -> None:
    """Before a holiday the days on the calendar are many and the working days few."""
    started, due = ms("2026-09-28 00:00:00"), ms("2026-10-10 00:00:00")  # ends on Friday 9 October
    # 1 to 7 October are rest days. On the 29th three working days are left, on the 30th Thursday and Friday are.
    assert state_of(started, due, None, ms("2026-09-29 23:59:59"), CALENDAR) is State.RUNNING
    assert state_of(started, due, None, ms("2026-09-30 00:00:00"), CALENDAR) is State.SOON


@pytest.mark.parametrize(("done", "state"), [("2026-04-15 23:59:59", State.KEPT), ("2026-04-16 00:00:00", State.LATE)])
def test_an_act_is_in_time_until_the_end_of_the_last_day(done: str, state: State) -> None:
    found = state_of(
        ms("2026-03-18 10:00:00"), ms("2026-04-16 00:00:00"), ms(done), ms("2026-05-01 00:00:00"), CALENDAR
    )
    assert found is state


# ------------------------------------------------------------------ the tracks


def test_the_preparation_time_is_held_against_the_deadline() -> None:  # DOC-04
    published = act("tender.published", "2026-03-02 09:00:00", None)
    assert shown(published, now="2026-03-03 09:00:00")["preparation"].state is State.KEPT
    shortest = LotTimes(number="1", close_at=ms("2026-03-23 00:00:00"), going=True)  # 22 March is a Sunday: moved on
    assert shown(published, now="2026-03-03 09:00:00", lot=shortest)["preparation"].state is State.KEPT
    short = LotTimes(number="1", close_at=ms("2026-03-22 23:59:59"), going=True)
    lamp = shown(published, now="2026-03-03 09:00:00", lot=short)["preparation"]
    assert (lamp.state, lamp.colour, lamp.rule_id) == (State.LATE, Colour.RED, "DOC-04")


def test_an_opening_begins_with_its_deadline() -> None:  # OPN-01
    assert "opening" not in shown(now="2026-03-31 09:59:59"), (
        "nothing is watched before, and nothing could tell of bids"
    )
    at = shown(now="2026-03-31 10:00:00")["opening"]
    assert (at.state, at.due_at) == (State.SOON, CLOSE + GRACE_MS)
    assert shown(now="2026-03-31 10:30:00")["opening"].state is State.OVERDUE
    ordered = act("open.ordered", "2026-03-31 10:12:00")
    assert shown(ordered, now="2026-04-01 10:00:00")["opening"].state is State.KEPT
    late = act("open.ordered", "2026-03-31 10:30:00")
    assert shown(late, now="2026-04-01 10:00:00")["opening"].state is State.LATE
    failed = act("lot.failed", "2026-03-31 10:00:06")
    assert shown(failed, now="2026-04-01 10:00:00")["opening"].state is State.KEPT, "fewer than three are not opened"


def test_the_buyer_decides_within_five_working_days_of_the_newest_report() -> None:  # AWD-09
    ranked, reported = act("bids.ranked", "2026-04-01 10:00:00"), act("evaluation.reported", "2026-04-02 10:00:00")
    lamp = shown(ranked, reported, now="2026-04-02 12:00:00")["award"]
    # 4 to 6 April is the Qingming holiday: 3, 7, 8, 9, 10 April are the five working days.
    assert lamp.due_at == ms("2026-04-11 00:00:00")
    assert (lamp.h, lamp.key, lamp.rule_id) == (reported.h, Key.AWARD_DECIDE_WITHIN, "AWD-09")
    determined = act("award.determined", "2026-04-10 23:59:59")
    found = shown(ranked, reported, determined, now="2026-04-11 09:00:00")
    assert found["award"].state is State.KEPT
    # The result notice: two working days from Friday 10 April end on Tuesday 14 April.
    assert (found["result"].due_at, found["result"].state) == (ms("2026-04-15 00:00:00"), State.SOON)


def test_contract_notice_and_filing_follow_the_contract() -> None:  # CON-01 to CON-03
    published = act("result.published", "2026-04-13 10:00:00")
    signing = shown(published, now="2026-04-14 10:00:00")["contract"]
    assert (signing.state, signing.due_at) == (State.RUNNING, ms("2026-05-14 00:00:00"))
    signed = act("contract.signed", "2026-05-12 15:00:00")
    found = shown(published, signed, now="2026-05-12 16:00:00")
    assert found["contract"].state is State.KEPT
    assert found["contract_notice"].due_at == ms("2026-05-15 00:00:00")
    assert found["filing"].due_at == ms("2026-05-22 00:00:00")
    notice = act("contract.published", "2026-05-15 00:00:00")
    assert shown(published, signed, notice, now="2026-05-16 16:00:00")["contract_notice"].state is State.LATE


def test_every_question_has_a_lamp_of_its_own() -> None:  # OBJ-09
    first, second = (act("question.asked", f"2026-03-0{day} 10:00:00", None, f"q-{day}") for day in (3, 4))
    answered = act("answer.published", "2026-03-05 10:00:00", None, "q-3")
    found = lamps([first, second, answered], [LOT], edition(), Regime.GP, CALENDAR, ms("2026-03-09 23:59:59"))
    assert [(lamp.h, lamp.state) for lamp in found if lamp.track == "answer"] == [
        (second.h, State.SOON),
        (first.h, State.KEPT),
    ]
    later = lamps([first, second, answered], [LOT], edition(), Regime.GP, CALENDAR, ms("2026-03-10 00:00:00"))
    assert worst(later) is State.OVERDUE


def test_a_lot_that_ended_has_no_running_lamp() -> None:
    ended = LotTimes(number="1", close_at=CLOSE, going=False)
    found = shown(
        act("bids.ranked", "2026-04-01 10:00:00"),
        act("lot.failed", "2026-04-02 10:00:00"),
        now="2026-06-01 10:00:00",
        lot=ended,
    )
    assert worst(list(found.values())) is None


def test_another_lot_ends_nothing_here() -> None:
    """Negative control: the end of lot 2 must not put out the lamp of lot 1."""
    found = shown(
        act("award.determined", "2026-04-10 10:00:00"),
        act("result.published", "2026-04-13 10:00:00", "2"),
        now="2026-04-20 10:00:00",
    )
    assert found["result"].state is State.OVERDUE


def test_a_year_without_a_calendar_makes_a_lamp_dark() -> None:  # TIM-07
    empty = WorkCalendar.from_rows([])
    found = shown(act("award.determined", "2026-04-10 10:00:00"), now="2026-04-20 10:00:00", calendar=empty)
    assert (found["result"].state, found["result"].due_at, found["result"].colour) == (State.DARK, None, Colour.GREY)


def test_a_ranking_after_a_decision_starts_another_period() -> None:
    """An award that was taken back: the new ranking has five working days of its own."""
    acts = (
        act("bids.ranked", "2026-04-01 10:00:00"),
        act("award.determined", "2026-04-02 10:00:00"),
        act("bids.ranked", "2026-04-08 10:00:00"),
    )
    found = lamps(acts, [LOT], edition(), Regime.GP, CALENDAR, ms("2026-04-08 12:00:00"))
    assert sorted(lamp.state for lamp in found if lamp.track == "award") == [State.KEPT, State.RUNNING]
