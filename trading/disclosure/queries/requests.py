"""Read side of requests for disclosure: what everybody may know, with how far each is from its last day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from sqlalchemy import Connection, Row, func, select

from trading.disclosure.rules.requests import due_on
from trading.disclosure.tables import disclosure_applicant, disclosure_request
from trading.kernel.calendar import WorkCalendar
from trading.rulebook.loader import NATIONAL, edition_at

PAGE_SIZE: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRow:
    """A request as the record has it: no name, no content. Instants in ms, ``fee_waived`` in fen."""

    number: str
    channel: str
    asked_at: int
    received_on: date | None
    handler: str | None
    extended_by: str | None
    extension_reason: str | None
    outcome: str | None
    ground: str | None
    reason: str | None
    fee_waived: int | None
    replied_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedRequest:
    """A request with its last day; ``due`` is None before receipt and while working days are not published."""

    row: RequestRow
    due: date | None
    replied_on: date | None
    state: str  # asked, running, overdue, replied, replied_late

    @property
    def late(self) -> bool:
        """Whether the reply is or was late."""
        return self.state in {"overdue", "replied_late"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Applicant:
    """Who asks for what: for the office alone."""

    name: str
    contact: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeliness:
    """How the office keeps the time: counts of received requests."""

    received: int
    replied_in_time: int
    replied_late: int
    running: int
    overdue: int


def request_row(row: Row[*tuple[Any, ...]]) -> RequestRow:
    """Return a stored row as a value."""
    return RequestRow(
        number=row.number,
        channel=row.channel,
        asked_at=row.asked_at,
        received_on=None if row.received_on is None else date.fromisoformat(row.received_on),
        handler=row.handler,
        extended_by=row.extended_by,
        extension_reason=row.extension_reason,
        outcome=row.outcome,
        ground=row.ground,
        reason=row.reason,
        fee_waived=row.fee_waived,
        replied_at=row.replied_at,
    )


def timed(row: RequestRow, calendar: WorkCalendar, now: int) -> TimedRequest:
    """Return a request with its last day and what that means at ``now`` (ms) (DIS-06)."""
    replied_on = None if row.replied_at is None else calendar.date_of(row.replied_at)
    if row.received_on is None:
        return TimedRequest(row=row, due=None, replied_on=None, state="asked")
    edition = edition_at(NATIONAL, calendar.start_of(row.received_on))
    due = due_on(row.received_on, edition, calendar, extended=row.extended_by is not None)
    late = due is not None and (replied_on or calendar.date_of(now)) > due
    states = ("overdue", "running") if replied_on is None else ("replied_late", "replied")
    return TimedRequest(row=row, due=due, replied_on=replied_on, state=states[0] if late else states[1])


def find(conn: Connection, number: str) -> RequestRow | None:
    """Return one request."""
    row = conn.execute(disclosure_request.select().where(disclosure_request.c.number == number)).one_or_none()
    return None if row is None else request_row(row)


def page(conn: Connection, number: int = 1) -> tuple[list[RequestRow], bool]:
    """Return a page of requests, newest first, and whether there are more."""
    query = disclosure_request.select().order_by(disclosure_request.c.asked_at.desc(), disclosure_request.c.number)
    rows = [request_row(row) for row in conn.execute(query.limit(PAGE_SIZE + 1).offset((number - 1) * PAGE_SIZE))]
    return rows[:PAGE_SIZE], len(rows) > PAGE_SIZE


def unanswered(conn: Connection) -> list[RequestRow]:
    """Return what waits for the office, oldest first."""
    query = disclosure_request.select().where(disclosure_request.c.replied_at.is_(None))
    return [request_row(row) for row in conn.execute(query.order_by(disclosure_request.c.asked_at))]


def timeliness(conn: Connection, calendar: WorkCalendar, now: int) -> Timeliness:
    """Count received requests by how their time was kept."""
    query = disclosure_request.select().where(disclosure_request.c.received_on.is_not(None))
    states = [timed(request_row(row), calendar, now).state for row in conn.execute(query)]
    return Timeliness(
        received=len(states),
        replied_in_time=states.count("replied"),
        replied_late=states.count("replied_late"),
        running=states.count("running"),
        overdue=states.count("overdue"),
    )


def count_waiting(conn: Connection) -> int:
    """Return how many online requests the office has not confirmed yet."""
    query = select(func.count()).where(disclosure_request.c.received_on.is_(None))
    return conn.execute(query).scalar_one()


def applicant_of(conn: Connection, number: str) -> Applicant | None:
    """Return who asks; the database answers the office alone."""
    row = conn.execute(disclosure_applicant.select().where(disclosure_applicant.c.number == number)).one_or_none()
    return None if row is None else Applicant(name=row.name, contact=row.contact, text=row.text)
