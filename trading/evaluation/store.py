"""Rows of rankings."""

from __future__ import annotations

from typing import Any

from trading.audit.ledger import UnitOfWork
from trading.audit.model import Recorded
from trading.evaluation.tables import ranking
from trading.kernel.canonical import dumps
from trading.kernel.ids import new_row_id


def add(uow: UnitOfWork, recorded: Recorded, procedure_id: int, body: dict[str, Any]) -> None:
    """Insert the ranking that ``recorded`` states; items and tie exactly as in its body."""
    uow.connection.execute(
        ranking.insert().values(
            id=new_row_id(),
            entry_id=recorded.entry_id,
            procedure_id=procedure_id,
            lot=body["lot"],
            stage=body["stage"],
            method=body["method"],
            items=dumps(body["items"]),
            tie=dumps(body["tie"]),
            h=recorded.h,
        )
    )
