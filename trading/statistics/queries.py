"""Bulletins that there are, and the published releases that statistics read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, func, select

from trading.audit.tables import audit_entry, log_position
from trading.notices.rules.channels import Channel
from trading.notices.tables import publication
from trading.opendata.queries import releases_of
from trading.opendata.rules.periods import Period
from trading.statistics.rules.months import Month
from trading.statistics.tables import bulletin

_PAGE: Final = 200
_OCDS: Final = publication.c.channel == Channel.OCDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Bulletin:
    """A bulletin as it was made; ``position`` is where the log names it, None before that."""

    month: str
    raw: bytes
    sha256: str
    made_at: int
    h: str
    position: int | None


_SELECT: Final[Select[Any]] = select(bulletin, log_position.c.n).select_from(
    bulletin.outerjoin(audit_entry, audit_entry.c.h == bulletin.c.h).outerjoin(
        log_position, log_position.c.entry_id == audit_entry.c.id
    )
)


def bulletins(conn: Connection, *, before: str | None = None, limit: int) -> list[Bulletin]:
    """Return the newest bulletins, the newest first; ``before`` is the month at which a page begins, exclusive."""
    query = _SELECT if before is None else _SELECT.where(bulletin.c.month < before)
    return [_bulletin(row) for row in conn.execute(query.order_by(bulletin.c.month.desc()).limit(limit))]


def one(conn: Connection, month: str) -> Bulletin | None:
    """Return the bulletin of a month, or None."""
    row = conn.execute(_SELECT.where(bulletin.c.month == month)).one_or_none()
    return None if row is None else _bulletin(row)


def first_publication(conn: Connection) -> int | None:
    """Return the instant (ms) of the first release of all."""
    found: int | None = conn.execute(select(func.min(publication.c.published_at)).where(_OCDS)).scalar_one()
    return found


def head(conn: Connection) -> int:
    """Return the number of the newest release; 0 before the first."""
    found: int | None = conn.execute(select(func.max(publication.c.number)).where(_OCDS)).scalar_one()
    return found or 0


def releases_after(conn: Connection, number: int) -> Iterator[tuple[int, bytes]]:
    """Yield number and bytes of each release after ``number``, in the order of publication."""
    query = select(publication.c.number, publication.c.content).where(_OCDS)
    while True:
        wanted = query.where(publication.c.number > number).order_by(publication.c.number).limit(_PAGE)
        found = conn.execute(wanted).all()
        if not found:
            return
        for row in found:
            yield row.number, bytes(row.content)
        number = found[-1].number


def releases_in(conn: Connection, month: Month) -> Iterator[bytes]:
    """Yield the releases that the bulletin of a month reads, in the order of publication."""
    read = Period(name=month.name, start=month.start, end=month.read_until)
    yield from releases_of(conn, read, head(conn))


def _bulletin(row: Row[Any]) -> Bulletin:
    told = row._mapping
    return Bulletin(
        month=told["month"],
        raw=bytes(told["bytes"]),
        sha256=bytes(told["sha256"]).hex(),
        made_at=told["made_at"],
        h=bytes(told["h"]).hex(),
        position=told["n"],
    )
