"""Stored documents are their hashes (AL1 L11.3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sqlalchemy import Connection, select

from trading.audit.replay import Compare, Mismatch, State
from trading.documents.tables import document
from trading.kernel.digests import sha256


def compare_documents(conn: Connection, state: State) -> Iterator[Mismatch]:
    """Yield every document whose bytes no longer have the hash they are stored under."""
    query = select(document.c.id, document.c.sha256, document.c.bytes)
    for row in conn.execute(query.where(document.c.procedure_id.is_not_distinct_from(state.procedure_id))):
        if sha256(bytes(row.bytes)) != bytes(row.sha256):
            expected = bytes(row.sha256).hex()
            yield Mismatch(table="document", id=row.id, column="bytes", stored="other bytes", expected=expected)


COMPARE: Final[tuple[Compare, ...]] = (compare_documents,)
