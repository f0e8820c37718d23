"""Rows of contracts and of offers."""

from __future__ import annotations

from sqlalchemy import Connection

from trading.audit.ledger import UnitOfWork
from trading.audit.model import Recorded
from trading.contracts.queries import ContractRow
from trading.contracts.rules.documents import Contract
from trading.contracts.tables import contract, contract_offer
from trading.kernel.errors import Conflict
from trading.kernel.ids import new_row_id
from trading.kernel.signed import SignedDocument


def save_offer(
    conn: Connection, procedure_id: int, document: Contract, signed: SignedDocument, *, by: str, at: int
) -> None:
    """Keep the contract that the agency signed; an offer that nobody has signed yet is replaced."""
    drop_offer(conn, procedure_id, document.lot, document.stage)
    conn.execute(
        contract_offer.insert().values(
            procedure_id=procedure_id,
            lot=document.lot,
            stage=document.stage,
            bidder_code=document.supplier["code"],
            bytes=signed.doc,
            sigs=signed.sigs_bytes,
            offered_by=by,
            offered_at=at,
        )
    )


def drop_offer(conn: Connection, procedure_id: int, lot: str, stage: str) -> None:
    """Forget the offer of a lot."""
    conn.execute(
        contract_offer.delete().where(
            contract_offer.c.procedure_id == procedure_id,
            contract_offer.c.lot == lot,
            contract_offer.c.stage == stage,
        )
    )


def add(uow: UnitOfWork, recorded: Recorded, procedure_id: int, document: Contract) -> None:
    """Insert the contract that ``recorded`` signs."""
    uow.connection.execute(
        contract.insert().values(
            id=new_row_id(),
            entry_id=recorded.entry_id,
            procedure_id=procedure_id,
            lot=document.lot,
            stage=document.stage,
            bidder_code=document.supplier["code"],
            price=document.price,
            sha256=bytes.fromhex(recorded.body["contract_sha256"]),
            signed_at=recorded.at,
        )
    )


def mark_filed(uow: UnitOfWork, recorded: Recorded, row: ContractRow) -> None:
    """Store that ``recorded`` filed the contract; it is filed once."""
    result = uow.connection.execute(
        contract.update()
        .where(contract.c.id == row.id, contract.c.filed_at.is_(None))
        .values(entry_id=recorded.entry_id, filed_at=recorded.at, filing=recorded.body["filing"])
    )
    if result.rowcount != 1:
        raise Conflict(f"the contract of lot {row.lot} is filed already")
