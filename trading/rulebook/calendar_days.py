"""The published working days that ship with the product: ``data/calendar/<year>.toml``, one file per yearly notice.

A file lists the days that differ from the ordinary week (Monday to Friday work). A year without a file is unknown, and
every count that reaches into it is refused (TIM-07) until the notice of the State Council has been entered.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from functools import cache
from importlib import resources
from typing import Any, Final

from trading.kernel.calendar import CalendarDay, WorkCalendar

_FRIDAY: Final = 4
_WEEKEND: Final = "周末"


def published_years() -> tuple[int, ...]:
    """Return the years that have a file, in order."""
    folder = resources.files("trading.rulebook") / "data" / "calendar"
    return tuple(sorted(int(path.name.removesuffix(".toml")) for path in folder.iterdir()))


def days_of(year: int) -> tuple[CalendarDay, ...]:
    """Return one row for each day of a published year, e.g. to enter them into the record.

    Raises:
        ValueError: The year is not published, or its file does not fit (a day outside the year, twice, or no change).
    """
    if year not in published_years():
        raise ValueError(f"the working days of {year} are not published here")
    path = resources.files("trading.rulebook") / "data" / "calendar" / f"{year}.toml"
    body = tomllib.loads(path.read_text(encoding="utf-8"))
    if body["year"] != year:
        raise ValueError(f"{path.name} describes {body['year']}")
    return tuple(_fill(year, body["source"], _changed(body["day"], year)))


def assumed_days(year: int) -> tuple[CalendarDay, ...]:
    """Return ordinary weeks for a year whose notice is not published: for demonstrations only, and marked in each row.

    A real procedure is refused instead (TIM-07). A published year is a ``ValueError``: nothing need be assumed there.
    """
    if year in published_years():
        raise ValueError(f"the working days of {year} are published")
    return tuple(_fill(year, "演示推定，未经公布 (assumed for a demonstration, not published)", {}))


@cache
def published_calendar() -> WorkCalendar:
    """Return the calendar of all published years in China's zone."""
    return WorkCalendar.from_rows(row for year in published_years() for row in days_of(year))


def ordinary_workday(day: date) -> bool:
    """Say whether ``day`` would be a working day if no notice said otherwise."""
    return day.weekday() <= _FRIDAY


def _changed(rows: Iterable[Mapping[str, Any]], year: int) -> dict[date, Mapping[str, Any]]:
    changed: dict[date, Mapping[str, Any]] = {}
    for row in rows:
        day = row["day"]
        if day.year != year or day in changed or not row["name"] or (row["is_workday"] and ordinary_workday(day)):
            raise ValueError(f"{day}: outside the year, twice, nameless, or an ordinary working day")
        changed[day] = row
    return changed


def _fill(year: int, source: str, changed: Mapping[date, Mapping[str, Any]]) -> Iterator[CalendarDay]:
    day = date(year, 1, 1)
    while day.year == year:
        work = ordinary_workday(day)
        name = "" if work else _WEEKEND
        if day in changed:
            work, name = changed[day]["is_workday"], changed[day]["name"]
        yield CalendarDay(day=day, is_workday=work, name=name, source=source)
        day += timedelta(days=1)
