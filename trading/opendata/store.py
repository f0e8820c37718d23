"""Rows of bulk periods."""

from __future__ import annotations

from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import insert

from trading.kernel.digests import sha256
from trading.opendata.rules.manifest import Extent
from trading.opendata.rules.periods import Period
from trading.opendata.tables import bulk_period


def put(conn: Connection, period: Period, extent: Extent, manifest: bytes, *, at: int, final: bool) -> None:
    """Insert the files of a period or replace those of before; final ones are never replaced."""
    values = {
        "final": final,
        "releases": extent.releases,
        "last": extent.last,
        "manifest": manifest,
        "manifest_sha256": sha256(manifest),
        "made_at": at,
    }
    added = insert(bulk_period).values(name=period.name, **values)
    conn.execute(added.on_conflict_do_update(constraint="pk_bulk_period", set_=values, where=~bulk_period.c.final))


def proved(conn: Connection, period: Period, h: bytes) -> None:
    """Note the commitment of the record that names the manifest of a final period."""
    conn.execute(bulk_period.update().where(bulk_period.c.name == period.name).values(h=h))
