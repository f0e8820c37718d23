"""Read side of contracts: signed ones, waiting offers, and what the award fixed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select

from trading.contracts.tables import contract, contract_offer
from trading.kernel.signed import SignedDocument
from trading.procedures.tables import procedure


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractRow:
    """A signed contract; instants in ms, ``price`` in minor units."""

    id: int
    procedure_id: int
    lot: str
    stage: str
    bidder_code: str
    price: int
    sha256: str
    signed_at: int
    filed_at: int | None
    filing: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A contract that the agency signed and the supplier has not signed yet."""

    procedure_id: int
    lot: str
    stage: str
    bidder_code: str
    document: SignedDocument
    offered_by: str
    offered_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mine:
    """One line of a supplier's list: a contract to sign or already signed."""

    reference: str
    title_zh: str
    title_en: str
    lot: str
    stage: str
    at: int
    signed: bool


def contract_of(conn: Connection, procedure_id: int, lot: str, stage: str) -> ContractRow | None:
    """Return the signed contract of a lot, or None."""
    query = select(contract).where(
        contract.c.procedure_id == procedure_id, contract.c.lot == lot, contract.c.stage == stage
    )
    row = conn.execute(query).one_or_none()
    return None if row is None else _contract(row)


def _contract(row: Row[*tuple[Any, ...]]) -> ContractRow:
    values = dict(row._mapping)
    del values["entry_id"]
    return ContractRow(**{**values, "sha256": bytes(row.sha256).hex()})


def offer_of(conn: Connection, procedure_id: int, lot: str, stage: str) -> Offer | None:
    """Return the offer that waits for the supplier, or None."""
    query = select(contract_offer).where(
        contract_offer.c.procedure_id == procedure_id, contract_offer.c.lot == lot, contract_offer.c.stage == stage
    )
    row = conn.execute(query).one_or_none()
    if row is None:
        return None
    return Offer(
        procedure_id=row.procedure_id,
        lot=row.lot,
        stage=row.stage,
        bidder_code=row.bidder_code,
        document=SignedDocument.from_parts(bytes(row.bytes), bytes(row.sigs)),
        offered_by=row.offered_by,
        offered_at=row.offered_at,
    )


def of_supplier(conn: Connection, code: str) -> list[Mine]:
    """Return the contracts of a supplier: those that wait for its signature first, then the newest."""
    waiting = (
        select(procedure.c.reference, procedure.c.title_zh, procedure.c.title_en, contract_offer)
        .join(procedure, procedure.c.id == contract_offer.c.procedure_id)
        .where(contract_offer.c.bidder_code == code)
        .order_by(contract_offer.c.offered_at.desc())
    )
    done = (
        select(procedure.c.reference, procedure.c.title_zh, procedure.c.title_en, contract)
        .join(procedure, procedure.c.id == contract.c.procedure_id)
        .where(contract.c.bidder_code == code)
        .order_by(contract.c.signed_at.desc())
    )
    return [
        *(_mine(row, row.offered_at, signed=False) for row in conn.execute(waiting)),
        *(_mine(row, row.signed_at, signed=True) for row in conn.execute(done)),
    ]


def _mine(row: Row[*tuple[Any, ...]], at: int, *, signed: bool) -> Mine:
    return Mine(
        reference=row.reference,
        title_zh=row.title_zh,
        title_en=row.title_en,
        lot=row.lot,
        stage=row.stage,
        at=at,
        signed=signed,
    )
