"""What ``bids.ranked`` says of the ranking's row (AL1 L11.3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from sqlalchemy import Connection, select

from trading.audit.replay import Compare, Fold, Mismatch, Replayed, State
from trading.audit.tables import audit_entry
from trading.evaluation.tables import ranking
from trading.kernel.canonical import dumps

REPLAYED: Final = (Replayed(table=ranking.name, key=("lot", "stage")),)


def _ranked(state: State, record: Mapping[str, Any]) -> None:
    body = record["body"]
    state.row("ranking", body["lot"], body["stage"]).update(
        method=body["method"], items=dumps(body["items"]), tie=dumps(body["tie"])
    )


FOLDS: Final[Mapping[str, Fold]] = {"bids.ranked": _ranked}


def compare_commitments(conn: Connection, state: State) -> Iterator[Mismatch]:
    """Yield every ranking whose commitment is not that of its record."""
    query = select(ranking.c.id, ranking.c.h, audit_entry.c.h.label("entry_h")).join(
        audit_entry, audit_entry.c.id == ranking.c.entry_id
    )
    for row in conn.execute(query.where(ranking.c.procedure_id == state.procedure_id)):
        if bytes(row.h) != bytes(row.entry_h):
            yield Mismatch(table="ranking", id=row.id, column="h", stored=row.h, expected=row.entry_h)


COMPARE: Final[tuple[Compare, ...]] = (compare_commitments,)
