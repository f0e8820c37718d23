"""Published working days: complete years only, made from the notice and compared with an independent source."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from trading.rulebook.calendar_days import assumed_days, days_of, published_calendar, published_years


def test_a_published_year_has_a_row_for_every_day() -> None:
    for year in published_years():
        days = [row.day for row in days_of(year)]
        assert days == [date(year, 1, 1) + timedelta(days=n) for n in range(len(days))]
        assert days[-1] == date(year, 12, 31)


def test_2026_has_the_days_of_the_notice() -> None:
    rows = days_of(2026)
    work = {row.day for row in rows if row.is_workday and row.day.weekday() > 4}
    assert work == {date(2026, *day) for day in [(1, 4), (2, 14), (2, 28), (5, 9), (9, 20), (10, 10)]}
    rest = [row.day for row in rows if not row.is_workday and row.day.weekday() <= 4]
    assert len(rest) == 2 + 6 + 1 + 3 + 1 + 1 + 5
    assert sum(row.is_workday for row in rows) == 248
    assert all(row.source.startswith("国务院办公厅") for row in rows)


def test_a_year_that_is_not_published_is_refused() -> None:
    assert 2027 not in published_years()
    with pytest.raises(ValueError, match="2027 are not published"):
        days_of(2027)
    assert date(2027, 1, 4) not in published_calendar().workdays


def test_assumed_days_are_marked_and_only_for_unpublished_years() -> None:
    rows = assumed_days(2027)
    assert len(rows) == 365
    assert all("推定" in row.source and row.is_workday == (row.day.weekday() < 5) for row in rows)
    with pytest.raises(ValueError, match="published"):
        assumed_days(2026)


def test_the_checked_in_file_is_what_the_tool_makes() -> None:
    pytest.importorskip("holidays", reason="the calendar tool needs the holidays package (development only)")
    from trading.rulebook.calendar_seed import changed_days  # noqa: PLC0415 - only with the package

    source = days_of(2026)[0].source
    made = {row.day: row for row in changed_days(2026, source)}
    changed = {row.day: row for row in days_of(2026) if row.name not in {"", "周末"}}
    assert made == changed


def test_the_tool_refuses_a_year_without_adjusted_weekends() -> None:
    holidays = pytest.importorskip("holidays", reason="the calendar tool needs the holidays package (development only)")
    from trading.rulebook.calendar_seed import changed_days  # noqa: PLC0415 - only with the package

    last = max(day.year for day in holidays.country_holidays("CN", years=range(2020, 2040)).weekend_workdays)
    with pytest.raises(ValueError, match="adjusted weekends"):
        changed_days(last + 1, "x")
