"""The chain of a procedure's notices, for the next one."""

from __future__ import annotations

from sqlalchemy import Connection, select

from trading.notices.tables import notice


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
