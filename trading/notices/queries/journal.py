"""The acts of one ceremony in the order of the log: what the hall tells as it happens.

Nothing is told before the opening order of the lot is logged. A record of a single bid is told as one more result,
never whose: which bid opened with what is shown for all of them together (OPN-04).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, bindparam, select

from trading.audit.tables import audit_entry, log_position
from trading.openings.model import Place

OF_LOT: Final = frozenset({
    "custodian.key_destroyed", "factor.closed", "factor.opened", "objection.decided", "objection.raised",
    "open.ordered", "opening.answered", "opening.combined", "opening.completed", "opening.objected", "release.closed",
    "share.adjudicated", "share.checked", "share.released",
})  # fmt: skip
OF_BID: Final = frozenset({"bid.opened", "bid.verdict"})
RESULT: Final = "bid.result"  # how both of them are told

_QUERY: Final = (
    select(audit_entry.c.kind, audit_entry.c.record, audit_entry.c.h)
    .join(log_position, log_position.c.entry_id == audit_entry.c.id)
    .where(audit_entry.c.procedure_id == bindparam("procedure"), audit_entry.c.kind.in_(sorted(OF_LOT | OF_BID)))
    .order_by(log_position.c.n)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One act: its kind, instant in ms, the commitment of its record, and the custodian that acted, by index."""

    h: str
    kind: str
    at: int
    custodian: int | None = None


def journal(conn: Connection, place: Place, bids: Collection[str]) -> tuple[Happening, ...]:
    """Return the logged acts of a lot's ceremony from its first order on, oldest first.

    Args:
        conn: Where to read.
        place: The lot and stage.
        bids: Ids of the bids of the newest order.
    """
    found: list[Happening] = []
    for kind, record, h in conn.execute(_QUERY, {"procedure": place.procedure_id}):
        content = json.loads(record)
        if _is_of(place, bids, kind, content["body"]) and (found or kind == "open.ordered"):
            found.append(
                Happening(
                    h=bytes(h).hex(),
                    kind=RESULT if kind in OF_BID else kind,
                    at=content["at"],
                    custodian=content["body"].get("custodian"),
                )
            )
    return tuple(found)


def _is_of(place: Place, bids: Collection[str], kind: str, body: Mapping[str, Any]) -> bool:
    if kind in OF_BID:
        return body["bid"] in bids
    return (body["lot"], body["stage"]) == (place.lot, place.stage)
