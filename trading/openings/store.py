"""Rows of the ceremony. Every use case holds the procedure row first: ``FOR UPDATE`` to move a step (AL1 L4.6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from trading.audit.ledger import UnitOfWork
from trading.audit.model import Recorded
from trading.kernel.canonical import dumps
from trading.kernel.ids import new_row_id
from trading.kernel.signed import SignedDocument
from trading.openings.model import Place
from trading.openings.queries import OpeningRow, opening_of, opening_query
from trading.openings.tables import bid_factor, custodian_answer, draft, opened_bid, opening


def lock_opening_or_none(uow: UnitOfWork, place: Place) -> OpeningRow | None:
    """Take the row of the ceremony ``FOR UPDATE``, or return None before the first order."""
    row = uow.connection.execute(opening_query(place).with_for_update()).one_or_none()
    return None if row is None else opening_of(row)


def add_opening(
    uow: UnitOfWork, recorded: Recorded, place: Place, *, order_sha256: str, order_seq: int, at: int
) -> None:
    """Insert the ceremony at its first order."""
    uow.connection.execute(
        opening.insert().values(
            id=new_row_id(),
            entry_id=recorded.entry_id,
            procedure_id=place.procedure_id,
            lot=place.lot,
            stage=place.stage,
            step="ordered",
            order_sha256=bytes.fromhex(order_sha256),
            order_seq=order_seq,
            first_ordered_at=at,
            ordered_at=at,
        )
    )


def move(uow: UnitOfWork, recorded: Recorded, row: OpeningRow, **values: Any) -> None:  # noqa: ANN401 - column values
    """Update the ceremony's row under ``recorded``."""
    uow.connection.execute(opening.update().where(opening.c.id == row.id).values(entry_id=recorded.entry_id, **values))


def add_answer(
    uow: UnitOfWork, recorded: Recorded, place: Place, *, kind: str, custodian: int, order_sha256: str, doc_sha256: str
) -> None:
    """Insert one answer of a custodian: check, release, adjudication or disclosure."""
    uow.connection.execute(
        custodian_answer.insert().values(
            id=new_row_id(),
            entry_id=recorded.entry_id,
            procedure_id=place.procedure_id,
            lot=place.lot,
            stage=place.stage,
            kind=kind,
            custodian=custodian,
            order_sha256=bytes.fromhex(order_sha256),
            doc_sha256=bytes.fromhex(doc_sha256),
        )
    )


def add_factor(
    uow: UnitOfWork,
    recorded: Recorded,
    place: Place,
    *,
    bid_id: int,
    s_b: bytes,
    via: str,
    received_at: int,
) -> None:
    """Store a revealed factor; its value stands in no record (SB1 S9.5)."""
    uow.connection.execute(
        bid_factor.insert().values(
            id=new_row_id(),
            entry_id=recorded.entry_id,
            procedure_id=place.procedure_id,
            bid_id=bid_id,
            s_b=s_b,
            via=via,
            received_at=received_at,
        )
    )


def set_rescue(uow: UnitOfWork, recorded: Recorded, bid_id: int, s_c: bytes) -> None:
    """Store the secret of an accepted rescue beside the factor (SB1 S9.6)."""
    uow.connection.execute(
        bid_factor.update().where(bid_factor.c.bid_id == bid_id).values(entry_id=recorded.entry_id, s_c=s_c)
    )


def add_result(
    uow: UnitOfWork,
    recorded: Recorded,
    place: Place,
    *,
    bid_id: int,
    verdict: str,
    faults: list[Mapping[str, Any]],
    manifest_sha256: str | None = None,
    price: bytes | None = None,
    price_sha256: str | None = None,
) -> None:
    """Insert the result of one bid: opened, or the verdict that says why not."""
    uow.connection.execute(
        opened_bid.insert().values(
            id=new_row_id(),
            entry_id=recorded.entry_id,
            procedure_id=place.procedure_id,
            bid_id=bid_id,
            verdict=verdict,
            faults=dumps([dict(fault) for fault in faults]),
            manifest_sha256=None if manifest_sha256 is None else bytes.fromhex(manifest_sha256),
            price=price,
            price_sha256=None if price_sha256 is None else bytes.fromhex(price_sha256),
        )
    )


def settle_result(
    uow: UnitOfWork, recorded: Recorded, bid_id: int, *, verdict: str, faults: list[Mapping[str, Any]]
) -> None:
    """Replace ``PENDING`` by the final verdict of a bid (SB1 S10 row 9)."""
    values = {"verdict": verdict, "faults": dumps([dict(fault) for fault in faults])}
    uow.connection.execute(
        opened_bid.update().where(opened_bid.c.bid_id == bid_id).values(entry_id=recorded.entry_id, **values)
    )


def lock_draft(uow: UnitOfWork, sha256: str) -> tuple[bytes, bytes | None] | None:
    """Return (signatures so far, commitment once recorded) of a draft document, under ``FOR UPDATE``."""
    query = select(draft.c.sigs, draft.c.h).where(draft.c.sha256 == bytes.fromhex(sha256)).with_for_update()
    row = uow.connection.execute(query).one_or_none()
    return None if row is None else (bytes(row.sigs), None if row.h is None else bytes(row.h))


def save_draft(uow: UnitOfWork, place: Place, typ: str, signed: SignedDocument, *, known: bool) -> None:
    """Keep a draft with the signatures collected so far; technical, the record is made when none is missing."""
    digest = bytes.fromhex(signed.sha256)
    if known:
        uow.connection.execute(draft.update().where(draft.c.sha256 == digest).values(sigs=signed.sigs_bytes))
        return
    uow.connection.execute(
        draft.insert().values(
            sha256=digest,
            procedure_id=place.procedure_id,
            lot=place.lot,
            stage=place.stage,
            typ=typ,
            bytes=signed.doc,
            sigs=signed.sigs_bytes,
            created_at=uow.at,
        )
    )


def mark_draft(uow: UnitOfWork, sha256: str, h: bytes) -> None:
    """Remember that a draft has been recorded."""
    uow.connection.execute(draft.update().where(draft.c.sha256 == bytes.fromhex(sha256)).values(h=h))
