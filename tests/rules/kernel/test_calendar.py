"""Counting of legal days: TIM-01, TIM-02, TIM-04, TIM-05, TIM-06, TIM-07, with DOC-04 as the main customer."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.build.tenders import CALENDAR, ms
from trading.kernel.calendar import (
    CalendarDay,
    CalendarDays,
    WorkCalendar,
    WorkingDays,
    earliest_deadline,
    is_days_before,
    shifted_deadline,
)
from trading.kernel.errors import RuleBroken

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[2] / "vectors" / "deadlines.json").read_text())
DAY = st.dates(min_value=date(2026, 1, 1), max_value=date(2026, 10, 31))


@pytest.mark.parametrize("case", VECTORS["earliest_deadline"], ids=lambda case: case["why"])
def test_earliest_deadline_golden(case: dict[str, Any]) -> None:
    found = earliest_deadline(ms(case["issued"]), CalendarDays(count=case["days"]), CALENDAR)
    assert found == ms(case["earliest"])


@pytest.mark.parametrize("case", VECTORS["end_of_period"], ids=lambda case: case["why"])
def test_end_of_period_golden(case: dict[str, Any]) -> None:
    period = CalendarDays(count=case["count"]) if case["unit"] == "d" else WorkingDays(count=case["count"])
    assert CALENDAR.end_of_period(ms(case["start"]), period) == ms(case["end"])


def test_the_hour_of_the_start_does_not_matter() -> None:  # TIM-01: the start day does not count
    minimum = CalendarDays(count=20)
    first, last = ms("2026-03-02 00:00:00"), ms("2026-03-02 23:59:59") + 999
    assert earliest_deadline(first, minimum, CALENDAR) == earliest_deadline(last, minimum, CALENDAR)
    assert CALENDAR.date_of(first - 1) == date(2026, 3, 1)
    assert CALENDAR.date_of(last + 1) == date(2026, 3, 3)


@pytest.mark.parametrize(
    ("day", "work"),
    [
        ("2026-01-01", False),
        ("2026-01-04", True),  # a Sunday on which work is done
        ("2026-02-13", True),
        ("2026-02-14", True),  # a Saturday on which work is done
        ("2026-02-23", False),
        ("2026-02-24", True),
        ("2026-10-07", False),
        ("2026-10-08", True),
        ("2026-10-10", True),
        ("2026-10-11", False),
        ("2026-12-31", True),
    ],
)
def test_working_days_of_2026(day: str, work: bool) -> None:  # noqa: FBT001 - a case
    assert CALENDAR.is_workday(date.fromisoformat(day)) is work


def test_a_day_without_a_row_is_refused() -> None:  # TIM-07
    assert CALENDAR.is_workday(date(2026, 12, 31))
    for day in (date(2027, 1, 1), date(2025, 12, 31)):
        with pytest.raises(RuleBroken) as refusal:
            CALENDAR.is_workday(day)
        assert (refusal.value.code, refusal.value.rule_id) == ("calendar.missing", "TIM-07")
        assert refusal.value.facts == {"day": day.isoformat(), "year": day.year}


def test_counting_into_an_unknown_year_is_refused() -> None:  # TIM-07
    assert CALENDAR.add_working_days(date(2026, 12, 30), 1) == date(2026, 12, 31)
    with pytest.raises(RuleBroken, match="TIM-07"):
        CALENDAR.add_working_days(date(2026, 12, 30), 2)
    assert CALENDAR.add_calendar_days(date(2026, 12, 11), 20) == date(2026, 12, 31)
    with pytest.raises(RuleBroken, match="TIM-07"):
        CALENDAR.add_calendar_days(date(2026, 12, 12), 20)


def test_a_calendar_that_guesses_would_be_noticed() -> None:
    """Negative control: the weekday rule alone counts differently where the notice moved days."""

    def guessed(start: date, count: int) -> date:
        day = start
        while count:
            day += timedelta(days=1)
            count -= day.weekday() < 5
        return day

    assert guessed(date(2026, 9, 30), 5) != CALENDAR.add_working_days(date(2026, 9, 30), 5)


def test_two_rows_for_a_day_are_a_bug() -> None:
    row = CalendarDay(day=date(2026, 1, 1), is_workday=False, name="元旦", source="x")
    with pytest.raises(ValueError, match="two calendar rows"):
        WorkCalendar.from_rows([row, row])


@pytest.mark.parametrize(
    ("event", "before"),
    [("2026-03-15 23:59:59", True), ("2026-03-16 00:00:00", True), ("2026-03-17 00:00:00", False)],
)
def test_days_before_a_deadline(event: str, before: bool) -> None:  # noqa: FBT001 - TIM-05 by date, TIM-02 inclusive
    deadline = ms("2026-03-31 00:00:00")
    assert is_days_before(ms(event), deadline, CalendarDays(count=15), CALENDAR) is before


def test_shifted_deadline_keeps_its_hour_and_lands_on_a_working_day() -> None:  # TIM-05, TIM-06
    deadline = ms("2026-04-01 10:00:00")
    lead = CalendarDays(count=15)
    assert shifted_deadline(ms("2026-03-17 09:00:00"), deadline, lead, CALENDAR) == deadline
    assert shifted_deadline(ms("2026-03-18 09:00:00"), deadline, lead, CALENDAR) == ms("2026-04-02 10:00:00")
    # Fifteen days after 20 March is Saturday 4 April; 6 April is a holiday.
    assert shifted_deadline(ms("2026-03-20 09:00:00"), deadline, lead, CALENDAR) == ms("2026-04-07 10:00:00")


@given(DAY, st.integers(min_value=0, max_value=40))
@settings(max_examples=200)
def test_calendar_days_agree_with_plain_counting(start: date, count: int) -> None:
    found = CALENDAR.add_calendar_days(start, count)
    assert CALENDAR.is_workday(found)
    assert found >= start + timedelta(days=count)
    gap = (start + timedelta(days=count + n) for n in range((found - start).days - count))
    assert not any(CALENDAR.is_workday(day) for day in gap)


@given(DAY, st.integers(min_value=1, max_value=30))
@settings(max_examples=200)
def test_working_days_agree_with_plain_counting(start: date, count: int) -> None:
    found = CALENDAR.add_working_days(start, count)
    between = [start + timedelta(days=n) for n in range(1, (found - start).days + 1)]
    assert sum(CALENDAR.is_workday(day) for day in between) == count
    assert CALENDAR.is_workday(found)


@given(DAY, DAY, st.integers(min_value=0, max_value=30))
@settings(max_examples=200)
def test_counting_is_monotone(one: date, other: date, count: int) -> None:
    earlier, later = sorted((one, other))
    assert CALENDAR.add_calendar_days(earlier, count) <= CALENDAR.add_calendar_days(later, count)
    assert CALENDAR.add_working_days(earlier, count) <= CALENDAR.add_working_days(later, count)
    assert CALENDAR.add_calendar_days(earlier, count) <= CALENDAR.add_calendar_days(earlier, count + 1)
    assert CALENDAR.add_working_days(earlier, count) < CALENDAR.add_working_days(earlier, count + 1)


@given(DAY)
def test_a_day_begins_at_midnight_of_its_zone(day: date) -> None:
    start = CALENDAR.start_of(day)
    assert CALENDAR.date_of(start) == day
    assert CALENDAR.date_of(start - 1) == day - timedelta(days=1)
    assert (start + 8 * 3_600_000) % 86_400_000 == 0
