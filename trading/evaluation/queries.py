"""Read side of rankings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from trading.evaluation.tables import ranking
from trading.kernel.canonical import loads


@dataclass(frozen=True, slots=True, kw_only=True)
class RankingRow:
    """A stored ranking; ``items`` and ``tie`` as in the record, ``h`` its commitment in hex."""

    method: str
    items: list[dict[str, Any]]
    tie: dict[str, Any] | None
    h: str

    @property
    def first(self) -> dict[str, Any]:
        """Return the item of rank 1."""
        return next(item for item in self.items if item["rank"] == 1)


def ranking_of(conn: Connection, procedure_id: int, lot: str, stage: str) -> RankingRow | None:
    """Return the ranking of a lot and stage, or None."""
    query = select(ranking.c.method, ranking.c["items"], ranking.c.tie, ranking.c.h).where(
        ranking.c.procedure_id == procedure_id, ranking.c.lot == lot, ranking.c.stage == stage
    )
    row = conn.execute(query).one_or_none()
    if row is None:
        return None
    items: Any = loads(bytes(row._mapping["items"]))
    tie: Any = loads(bytes(row.tie))
    return RankingRow(method=row.method, items=items, tie=tie, h=bytes(row.h).hex())
