"""The chain of a procedure's notices, for the next one and for programs."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, select

from trading.kernel.signed import SignedDocument
from trading.notices.tables import notice


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedNotice:
    """One published notice with its signatures; ``published_at`` in ms."""

    number: int
    kind: str
    published_at: int
    signed: SignedDocument


def notices_of(conn: Connection, procedure_id: int) -> list[PublishedNotice]:
    """Return the notices of a procedure, oldest first."""
    columns = (notice.c.number, notice.c.kind, notice.c.published_at, notice.c.bytes, notice.c.sigs)
    query = select(*columns).where(notice.c.procedure_id == procedure_id).order_by(notice.c.number)
    return [
        PublishedNotice(
            number=number,
            kind=kind,
            published_at=published_at,
            signed=SignedDocument.from_parts(bytes(doc), bytes(sigs)),
        )
        for number, kind, published_at, doc, sigs in conn.execute(query)
    ]


def newest_notice(conn: Connection, procedure_id: int) -> tuple[int, str] | None:
    """Return (number, SHA-256) of the newest notice of a procedure, or None before the first."""
    query = (
        select(notice.c.number, notice.c.sha256)
        .where(notice.c.procedure_id == procedure_id)
        .order_by(notice.c.number.desc())
        .limit(1)
    )
    row = conn.execute(query).one_or_none()
    return None if row is None else (row.number, bytes(row.sha256).hex())


def corrections_of(conn: Connection, procedure_id: int) -> dict[int, int]:
    """Return the published corrections of a procedure: number to instant of publication (ms)."""
    query = select(notice.c.number, notice.c.published_at).where(
        notice.c.procedure_id == procedure_id, notice.c.kind == "correction"
    )
    return {row.number: row.published_at for row in conn.execute(query)}
