"""What the annual table counts, read from the record: publications, gazette, requests, replies, contests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final

from sqlalchemy import Connection, func, select

from trading.disclosure.rules.annual import Contested, Declared, Fact, Published, Received, Replied
from trading.disclosure.tables import annual_declared, disclosure_contest, disclosure_request, gazette_print
from trading.kernel.calendar import CHINA, WorkCalendar
from trading.kernel.canonical import loads_object
from trading.kernel.ids import PRACTICE
from trading.notices.rules.channels import Channel
from trading.notices.tables import publication
from trading.procedures.tables import procedure

_ZONE: Final = WorkCalendar(zone=CHINA, workdays={})


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredRow:
    """A declared table with what it rests on."""

    table: Declared
    source: str
    reason: str


def day_of(instant_ms: int) -> date:
    """Return the platform's civil day of an instant."""
    return _ZONE.date_of(instant_ms)


def facts(conn: Connection) -> list[Fact]:
    """Return every fact that the table counts. Documents of practice tenders are none."""
    return [*_published(conn), *_requests(conn), *_contests(conn)]


def _published(conn: Connection) -> Iterator[Published]:
    pages = (
        select(publication.c.sha256, func.min(publication.c.published_at).label("at"))
        .join(procedure, procedure.c.id == publication.c.procedure_id)
        .where(publication.c.channel == Channel.PAGE, ~procedure.c.reference.startswith(PRACTICE))
        .group_by(publication.c.sha256)
    )
    for row in conn.execute(pages):
        yield Published(document=row.sha256.hex(), day=day_of(row.at), place="web")
    for row in conn.execute(select(gazette_print.c.document, gazette_print.c.printed_on)):
        yield Published(document=row.document.hex(), day=date.fromisoformat(row.printed_on), place="gazette")


def _requests(conn: Connection) -> Iterator[Received | Replied]:
    query = disclosure_request.select().where(disclosure_request.c.received_on.is_not(None))
    for row in conn.execute(query):
        yield Received(day=date.fromisoformat(row.received_on), channel=row.channel)
        if row.replied_at is not None:
            yield Replied(day=day_of(row.replied_at), outcome=row.outcome, fee_waived=row.fee_waived)


def _contests(conn: Connection) -> Iterator[Contested]:
    for row in conn.execute(select(disclosure_contest.c.route, disclosure_contest.c.noted_on)):
        yield Contested(day=date.fromisoformat(row.noted_on), route=row.route)


def declared(conn: Connection) -> list[DeclaredRow]:
    """Return the declared tables, oldest first."""
    query = annual_declared.select().order_by(annual_declared.c.year)
    return [
        DeclaredRow(
            table=Declared(
                year=row.year,
                of_year=loads_object(row.of_year.encode()),
                cumulative=loads_object(row.cumulative.encode()),
            ),
            source=row.source,
            reason=row.reason,
        )
        for row in conn.execute(query)
    ]


def last_declared(conn: Connection) -> int | None:
    """Return the newest declared year, on and before which no fact of the record may lie."""
    newest: int | None = conn.execute(select(func.max(annual_declared.c.year))).scalar_one()
    return newest


def is_published(conn: Connection, document: bytes) -> bool:
    """Say whether a document stands on a page of the platform."""
    query = select(publication.c.id).where(publication.c.sha256 == document, publication.c.channel == Channel.PAGE)
    return conn.execute(query.limit(1)).first() is not None


def is_printed(conn: Connection, document: bytes) -> bool:
    """Say whether the gazette's print of a document is noted already."""
    return conn.execute(select(gazette_print.c.id).where(gazette_print.c.document == document)).first() is not None
