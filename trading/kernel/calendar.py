"""Working days, rest days and legal periods, counted in whole days of one zone (TIM-01 to TIM-07).

* The day of the starting event is day 0; counting begins on the next day (TIM-01, TIM-04).
* A period in calendar days whose last day is a rest day ends on the next working day (TIM-01, TIM-04, TIM-06).
* A period lasts until the end of its last day, 24:00 (TIM-04): its ``end`` is the first instant after it.
* "At least" and "within" include the number (TIM-02).
* A day that no published row describes is refused, never guessed (TIM-07: fail closed).

Instants are integer milliseconds UTC; days are ``datetime.date`` in ``WorkCalendar.zone``. Adjusted weekends and
holidays come from the yearly notice of the State Council as rows, one per day.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from typing import Final, TypeAlias, assert_never

from trading.kernel.errors import RuleBroken

# A fixed offset: China has kept one time without daylight saving since 1992, and a bare host has no zone database.
CHINA: Final = timezone(timedelta(hours=8), "Asia/Shanghai")
_ONE_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarDays:
    """A legal period in calendar days (unit ``d``)."""

    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkingDays:
    """A legal period in working days (unit ``wd``)."""

    count: int


Days: TypeAlias = CalendarDays | WorkingDays


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarDay:
    """One published day: whether work is done, its name ("" for an ordinary day) and where that was published."""

    day: date
    is_workday: bool
    name: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkCalendar:
    """The working days of one zone. Make it with ``from_rows``."""

    zone: tzinfo
    workdays: Mapping[date, bool]

    @classmethod
    def from_rows(cls, rows: Iterable[CalendarDay], zone: tzinfo = CHINA) -> WorkCalendar:
        """Return the calendar of published ``rows``; two rows for one day are a bug (``ValueError``)."""
        workdays: dict[date, bool] = {}
        for row in rows:
            if row.day in workdays:
                raise ValueError(f"two calendar rows for {row.day}")
            workdays[row.day] = row.is_workday
        return cls(zone=zone, workdays=workdays)

    def date_of(self, instant_ms: int) -> date:
        """Return the day on which an instant falls in this zone."""
        return datetime.fromtimestamp(instant_ms // 1000, UTC).astimezone(self.zone).date()

    def start_of(self, day: date) -> int:
        """Return the first instant (ms) of a day."""
        return int(datetime.combine(day, time.min, self.zone).timestamp()) * 1000

    def is_workday(self, day: date) -> bool:
        """Say whether work is done on ``day``.

        Raises:
            RuleBroken: ``calendar.missing`` (TIM-07) when no published row describes the day.
        """
        if day not in self.workdays:
            raise RuleBroken("calendar.missing", "TIM-07", day=day.isoformat(), year=day.year)
        return self.workdays[day]

    def workday_from(self, day: date) -> date:
        """Return ``day`` if it is a working day, else the next one (TIM-01)."""
        while not self.is_workday(day):
            day += _ONE_DAY
        return day

    def add_calendar_days(self, start: date, count: int) -> date:
        """Return the last day of ``count`` calendar days after ``start``, moved on from a rest day (TIM-01)."""
        return self.workday_from(start + timedelta(days=count))

    def add_working_days(self, start: date, count: int) -> date:
        """Return the ``count``-th working day after ``start``; ``start`` itself never counts (TIM-01)."""
        day = start
        while count > 0:
            day += _ONE_DAY
            count -= self.is_workday(day)
        return day

    def last_day(self, start: date, period: Days) -> date:
        """Return the last day of a period that an event on ``start`` sets going."""
        match period:
            case CalendarDays():
                return self.add_calendar_days(start, period.count)
            case WorkingDays():
                return self.add_working_days(start, period.count)
            case _:
                assert_never(period)

    def end_of_period(self, started_at: int, period: Days) -> int:
        """Return the first instant (ms) after a period: an act is within it iff ``at < end`` (TIM-04, 24:00)."""
        return self.start_of(self.last_day(self.date_of(started_at), period) + _ONE_DAY)


def earliest_deadline(issued_at: int, minimum: Days, calendar: WorkCalendar) -> int:
    """Return the first instant at which a deadline may lawfully fall.

    The day the documents are first issued is day 0; the deadline may fall on day ``minimum`` or later, and moves to
    the next working day if that is a rest day (the stricter reading, CTS-EBS01 B-004). The rule is about the
    documents, not the notice: re-issuing them restarts the count.

    Args:
        issued_at: Instant (ms) of first availability, never of the draft.
        minimum: The edition's ``tender.bid_preparation_min``.
        calendar: Zone and working days of the procedure's jurisdiction.

    Returns:
        The start of that day in ms. Compare with ``<``: a deadline equal to it is lawful.

    Raises:
        RuleBroken: ``calendar.missing`` (TIM-07).

    Rules: DOC-04, counted by TIM-06.
    """
    return calendar.start_of(calendar.last_day(calendar.date_of(issued_at), minimum))


def is_days_before(event_at: int, deadline_at: int, lead: Days, calendar: WorkCalendar) -> bool:
    """Say whether an event happens at least ``lead`` days before a deadline: ``deadline.date − event.date ≥ lead``.

    Whole days by date, whatever the hour (TIM-05); of working days only those count (74-45).

    Raises:
        RuleBroken: ``calendar.missing`` (TIM-07), of working days.
    """
    if isinstance(lead, WorkingDays):
        return calendar.last_day(calendar.date_of(event_at), lead) <= calendar.date_of(deadline_at)
    return calendar.date_of(deadline_at) - calendar.date_of(event_at) >= timedelta(days=lead.count)


def shifted_deadline(event_at: int, deadline_at: int, lead: Days, calendar: WorkCalendar) -> int:
    """Return the deadline (ms) that leaves ``lead`` days after an event: the old one, or a later day at the same hour.

    A day that has to be moved to lands on a working day, as any deadline does (TIM-05, TIM-06).
    """
    if is_days_before(event_at, deadline_at, lead, calendar):
        return deadline_at
    day = calendar.last_day(calendar.date_of(event_at), lead)
    return calendar.start_of(day) + deadline_at - calendar.start_of(calendar.date_of(deadline_at))


def latest_start(ends_by: int, period: Days, calendar: WorkCalendar) -> int:
    """Return the last instant (ms) at which a period may begin so that its last day is not after that of ``ends_by``.

    The last second of that day, as nothing counts within the day an event falls on (TIM-01).

    Raises:
        RuleBroken: ``calendar.missing`` (TIM-07).
    """
    target = calendar.date_of(ends_by)
    day = target - timedelta(days=period.count)
    while calendar.last_day(day, period) > target:
        day -= _ONE_DAY
    return calendar.start_of(day + _ONE_DAY) - 1000
