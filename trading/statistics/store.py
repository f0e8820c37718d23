"""Rows of bulletins."""

from __future__ import annotations

from sqlalchemy import Connection, insert

from trading.kernel.digests import sha256
from trading.statistics.rules.months import Month
from trading.statistics.tables import bulletin


def add(conn: Connection, month: Month, raw: bytes, *, at: int, h: bytes) -> None:
    """Insert the bulletin of a month; ``h`` is the commitment of the record that names it."""
    conn.execute(insert(bulletin).values(month=month.name, bytes=raw, sha256=sha256(raw), made_at=at, h=h))
