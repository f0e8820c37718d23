"""Read side of awards."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, select

from trading.audit.tables import audit_entry
from trading.awards.tables import award


@dataclass(frozen=True, slots=True, kw_only=True)
class AwardRow:
    """The award of a lot; ``price`` in minor units, ``h`` the commitment of its record in hex."""

    bid: str
    bidder: str
    price: int
    ranked_h: str
    h: str


def award_of(conn: Connection, procedure_id: int, lot: str, stage: str) -> AwardRow | None:
    """Return the award of a lot and stage, or None."""
    query = (
        select(award.c.bid_reference, award.c.bidder_code, award.c.price, award.c.ranked_h, audit_entry.c.h)
        .join(audit_entry, audit_entry.c.id == award.c.entry_id)
        .where(award.c.procedure_id == procedure_id, award.c.lot == lot, award.c.stage == stage)
    )
    row = conn.execute(query).one_or_none()
    if row is None:
        return None
    return AwardRow(
        bid=row.bid_reference,
        bidder=row.bidder_code,
        price=row.price,
        ranked_h=bytes(row.ranked_h).hex(),
        h=bytes(row.h).hex(),
    )
