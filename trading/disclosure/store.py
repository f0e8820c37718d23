"""Rows of requests for disclosure, of who asks, and of what else the annual table counts."""

from __future__ import annotations

from datetime import date

from sqlalchemy import Insert
from sqlalchemy.exc import IntegrityError

from trading.audit.ledger import UnitOfWork
from trading.audit.model import Recorded
from trading.disclosure.queries.requests import RequestRow, request_row
from trading.disclosure.rules.annual import Declared
from trading.disclosure.rules.requests import Application
from trading.disclosure.tables import (
    annual_declared,
    disclosure_applicant,
    disclosure_contest,
    disclosure_request,
    gazette_print,
)
from trading.kernel.canonical import dumps
from trading.kernel.errors import NotFound, RuleBroken
from trading.kernel.ids import new_row_id


def add_request(
    uow: UnitOfWork,
    recorded: Recorded,
    number: str,
    channel: str,
    application: Application,
    *,
    received_on: date | None,
    handler: str | None,
) -> None:
    """Insert a request, and apart from it who asks."""
    uow.connection.execute(
        disclosure_request.insert().values(
            id=new_row_id(),
            entry_id=recorded.entry_id,
            number=number,
            channel=channel,
            commit=application.commit,
            asked_at=recorded.at,
            received_on=None if received_on is None else received_on.isoformat(),
            handler=handler,
        )
    )
    uow.connection.execute(
        disclosure_applicant.insert().values(
            number=number,
            name=application.name,
            contact=application.contact,
            text=application.text,
            salt=application.salt,
        )
    )


def lock_request(uow: UnitOfWork, number: str) -> RequestRow:
    """Return a request for this act alone.

    Raises:
        NotFound: There is none.
    """
    query = disclosure_request.select().where(disclosure_request.c.number == number).with_for_update()
    row = uow.connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(number)
    return request_row(row)


def change_request(uow: UnitOfWork, recorded: Recorded, number: str, **values: object) -> None:
    """Change a locked request."""
    uow.connection.execute(
        disclosure_request.update()
        .where(disclosure_request.c.number == number)
        .values(entry_id=recorded.entry_id, **values)
    )


def add_contest(uow: UnitOfWork, recorded: Recorded, route: str, number: str | None, noted_on: date) -> None:
    """Insert a review, a lawsuit or an appeal."""
    row = {"route": route, "number": number, "noted_on": noted_on.isoformat()}
    uow.connection.execute(disclosure_contest.insert().values(id=new_row_id(), entry_id=recorded.entry_id, **row))


def add_print(uow: UnitOfWork, recorded: Recorded, document: bytes, issue: str, printed_on: date) -> None:
    """Insert that the gazette printed a document."""
    row = {"document": document, "issue": issue, "printed_on": printed_on.isoformat()}
    statement = gazette_print.insert().values(id=new_row_id(), entry_id=recorded.entry_id, **row)
    _once(uow, statement, RuleBroken("gazette.printed", "DIS-09"))


def add_declared(uow: UnitOfWork, recorded: Recorded, declared: Declared, source: str, reason: str) -> None:
    """Insert the table of a year before the record."""
    statement = annual_declared.insert().values(
        id=new_row_id(),
        entry_id=recorded.entry_id,
        year=declared.year,
        of_year=dumps(dict(declared.of_year)).decode(),
        cumulative=dumps(dict(declared.cumulative)).decode(),
        source=source,
        reason=reason,
    )
    _once(uow, statement, RuleBroken("annual.declared", "DIS-09", year=declared.year))


def _once(uow: UnitOfWork, statement: Insert, refusal: RuleBroken) -> None:
    """Insert what can stand once; who comes second at the same moment is refused like whoever comes later."""
    try:
        uow.connection.execute(statement)
    except IntegrityError as error:
        raise refusal from error
