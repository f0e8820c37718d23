"""Days and years of bulk files, in the time of China: half-open, so that every release is in one day and one year."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from trading.kernel.calendar import CHINA

#: How long after its end a day or year is taken as complete, ms: no act that began in it can still be uncommitted.
GRACE_MS: Final = 10 * 60_000
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
_YEAR: Final = re.compile(r"[0-9]{4}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """A day (``2026-11-26``) or a year (``2026``); ``start`` belongs to it, ``end`` does not (ms)."""

    name: str
    start: int
    end: int

    @property
    def is_year(self) -> bool:
        """Whether it is a year."""
        return _YEAR.match(self.name) is not None

    def is_over(self, now: int) -> bool:
        """Whether nothing more can be released in it at ``now`` (ms)."""
        return now >= self.end + GRACE_MS


def day_of(at: int) -> Period:
    """Return the day of an instant (ms)."""
    return _day(_date(at))


def year_of(at: int) -> Period:
    """Return the year of an instant (ms)."""
    return _year(_date(at).year)


def period_named(name: str) -> Period | None:
    """Return the period of a name; None if it is none."""
    try:
        if _DAY.match(name):
            return _day(date.fromisoformat(name))
        return _year(int(name)) if _YEAR.match(name) else None
    except (ValueError, OverflowError):
        return None


def _date(at: int) -> date:
    return datetime.fromtimestamp(at // 1000, CHINA).date()


def _day(day: date) -> Period:
    return Period(name=day.isoformat(), start=_midnight(day), end=_midnight(day + timedelta(days=1)))


def _year(year: int) -> Period:
    return Period(name=f"{year:04}", start=_midnight(date(year, 1, 1)), end=_midnight(date(year + 1, 1, 1)))


def _midnight(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=CHINA).timestamp()) * 1000
