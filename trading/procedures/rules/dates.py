"""Which days a drafter may choose, and why another day is refused: the guards of publication asked beforehand.

The law is not repeated here: a date is lawful if the very guards that decide at publication let it pass. Only two
things are added, which the law leaves to the drafter and the form decides: a deadline falls on a working day, because
the opening is held then (OPN-01, TIM-06), and nothing is offered beyond the last published calendar (TIM-07).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from trading.kernel.calendar import Days, WorkCalendar, earliest_deadline, latest_start
from trading.kernel.errors import RuleBroken
from trading.kernel.roles import Actor
from trading.procedures.rules import guards
from trading.procedures.rules.lifecycle import Facts, Guard
from trading.procedures.rules.policies import Periods
from trading.rulebook.keys import Regime
from trading.rulebook.model import Edition

_ONE_DAY: Final = timedelta(days=1)
_END_OF_BUSINESS_MS: Final = 17 * 3_600_000
OFFERED_DAYS: Final = 60  # length of a list of days to choose from; a later day is reached by a later publication
NOBODY: Final = Actor(account="")

# The guards that look at dates, in the order in which a form tells them, with the field that each is about.
_GUARDS: Final[tuple[tuple[str, Guard], ...]] = (
    ("close", guards.require_lawful_deadline),
    ("close", guards.require_known_calendar),
    ("supply_ends_at", guards.require_document_supply),
    ("questions_until", guards.require_questions_cutoff),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dates:
    """The instants of a draft (ms): the planned issue of the documents, and what is to be published."""

    issued_at: int
    close_at: int
    supply_ends_at: int | None
    questions_until: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """One field that the law refuses, with the refusal as the guard raised it."""

    field: str
    refusal: RuleBroken


@dataclass(frozen=True, slots=True, kw_only=True)
class Law:
    """What dates are held against."""

    edition: Edition
    regime: Regime
    calendar: WorkCalendar
    periods: Periods

    def refusals(self, dates: Dates) -> list[Refused]:
        """Return everything that is wrong with the dates of a draft, one refusal a field."""
        facts = Facts(
            at=dates.issued_at,
            edition=self.edition,
            regime=self.regime,
            calendar=self.calendar,
            periods=self.periods,
            close_at=dates.close_at,
            supply_ends_at=dates.supply_ends_at,
            questions_until=dates.questions_until,
        )
        found: dict[str, RuleBroken] = {}
        for name, guard in _GUARDS:
            try:
                guard(facts, NOBODY)
            except RuleBroken as refusal:
                found.setdefault(name, refusal)
        if "close" not in found and not self.calendar.is_workday(self.calendar.date_of(dates.close_at)):
            found["close"] = self._rest_day(dates.close_at)
        return [Refused(field=name, refusal=refusal) for name, refusal in found.items()]

    def _rest_day(self, close_at: int) -> RuleBroken:
        """Refuse a deadline on a rest day with the next working day at the same hour (TIM-06)."""
        day = self.calendar.date_of(close_at)
        try:
            later = self.calendar.workday_from(day)
        except RuleBroken as unknown:
            return unknown
        earliest = close_at + (later - day) // timedelta(milliseconds=1)
        return RuleBroken("deadline.rest_day", "TIM-06", close=close_at, earliest=earliest)

    def earliest_close(self, issued_at: int) -> int:
        """Return the first instant (ms) at which the deadline may fall (DOC-04, DOC-22, TIM-06).

        Raises:
            RuleBroken: ``calendar.missing`` (TIM-07).
        """
        return earliest_deadline(issued_at, self.edition.days(self.periods.preparation, self.regime), self.calendar)

    def earliest_supply_end(self, issued_at: int) -> int:
        """Return the first lawful end (ms) of the supply (DOC-01, DOC-02); raises as ``earliest_close``."""
        return self.calendar.end_of_period(issued_at, self.edition.days(self.periods.supply, self.regime))

    def questions_cutoff(self, close_at: int, day: date | None) -> int | None:
        """Return until when questions are taken (ms): the end of business of ``day``, or of the last lawful day.

        None if the calendar does not reach so far; questions are then taken until the deadline, if that is lawful.
        """
        if day is None:
            try:
                day = self.calendar.date_of(latest_start(close_at, self._answer_time, self.calendar))
            except RuleBroken:
                return None
        return self.calendar.start_of(day) + _END_OF_BUSINESS_MS

    @property
    def _answer_time(self) -> Days:
        return self.edition.days(self.periods.answer, self.regime)

    def question_days(self, issued_at: int, close_at: int) -> list[date]:
        """Return the working days at whose end questions may stop, so that answers still arrive in time (OBJ-09)."""
        try:
            last = self.calendar.date_of(latest_start(close_at, self._answer_time, self.calendar))
        except RuleBroken:
            return []
        first = self.calendar.date_of(issued_at) + _ONE_DAY
        return list(self._working_days(first, last + _ONE_DAY))

    def deadline_days(self, issued_at: int) -> list[date]:
        """Return the working days on which the deadline may fall; empty if the calendar does not reach so far."""
        try:
            first = self.calendar.date_of(self.earliest_close(issued_at))
        except RuleBroken:
            return []
        return list(self._working_days(first, None))

    def supply_days(self, issued_at: int, close_at: int | None) -> list[date]:
        """Return the working days at whose end the supply of documents may stop, all before the deadline's day."""
        try:
            first = self.calendar.date_of(self.earliest_supply_end(issued_at) - 1)
        except RuleBroken:
            return []
        return list(self._working_days(first, None if close_at is None else self.calendar.date_of(close_at)))

    def issue_days(self, today: date) -> list[date]:
        """Return the working days on which the notice may be published, today first if it is one."""
        return list(self._working_days(today, None))

    def _working_days(self, first: date, end: date | None) -> Iterator[date]:
        """Yield working days from ``first``, before ``end``, until the list is long enough or the calendar ends."""
        day, count = first, 0
        while count < OFFERED_DAYS and (end is None or day < end):
            if day not in self.calendar.workdays:
                return  # a year whose calendar is not published offers nothing (TIM-07)
            if self.calendar.workdays[day]:
                count += 1
                yield day
            day += _ONE_DAY
