"""Read side of documents."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, select

from trading.documents.model import StoredDocument
from trading.documents.tables import document

_COLUMNS = (document.c.sha256, document.c.typ, document.c.bytes, document.c.sigs)
# Built once: every bid runs it. Copies of other procedures have the same bytes; any of them will do.
_BY_DIGEST: Final = select(*_COLUMNS).where(document.c.sha256 == bindparam("digest")).limit(1)


def get(conn: Connection, digest: bytes) -> StoredDocument | None:
    """Return the document with this SHA-256, or None."""
    row = conn.execute(_BY_DIGEST, {"digest": digest}).one_or_none()
    return None if row is None else _stored(row)


def is_kept(conn: Connection, procedure_id: int | None, digest: bytes) -> bool:
    """Say whether this very procedure (None: no procedure) keeps the document."""
    query = select(document.c.id).where(
        document.c.procedure_id.is_not_distinct_from(procedure_id), document.c.sha256 == digest
    )
    return conn.execute(query.limit(1)).scalar() is not None


def of_procedure(conn: Connection, procedure_id: int) -> list[StoredDocument]:
    """Return all documents of a procedure, by digest."""
    query = select(*_COLUMNS).where(document.c.procedure_id == procedure_id).order_by(document.c.sha256)
    return [_stored(row) for row in conn.execute(query)]


def of_entries(conn: Connection, entry_ids: list[int]) -> list[StoredDocument]:
    """Return the documents that were stored under these entries, by digest."""
    query = select(*_COLUMNS).where(document.c.entry_id.in_(entry_ids)).order_by(document.c.sha256)
    return [_stored(row) for row in conn.execute(query)]


def _stored(row: Row[*tuple[Any, ...]]) -> StoredDocument:
    return StoredDocument(sha256=bytes(row.sha256).hex(), typ=row.typ, doc=bytes(row.bytes), sigs=bytes(row.sigs))
