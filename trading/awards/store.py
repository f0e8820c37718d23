"""Rows of awards."""

from __future__ import annotations

from typing import Any

from trading.audit.ledger import UnitOfWork
from trading.audit.model import Recorded
from trading.awards.tables import award
from trading.kernel.ids import new_row_id


def add(uow: UnitOfWork, recorded: Recorded, procedure_id: int, body: dict[str, Any]) -> None:
    """Insert the award that ``recorded`` determines."""
    uow.connection.execute(
        award.insert().values(
            id=new_row_id(),
            entry_id=recorded.entry_id,
            procedure_id=procedure_id,
            lot=body["lot"],
            stage=body["stage"],
            bid_reference=body["bid"],
            bidder_code=body["bidder"],
            price=body["price"],
            ranked_h=bytes.fromhex(body["ranked_h"]),
        )
    )
