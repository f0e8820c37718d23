"""The last notices: cancellation, result of determined lots, failure, contract (NOT-09, NOT-10, NOT-12, EVL-08)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from trading.audit.ledger import Ledger, UnitOfWork
from trading.audit.model import Recorded
from trading.contracts.queries import contract_of
from trading.kernel.errors import InvalidInput, RuleBroken
from trading.kernel.events import Event
from trading.kernel.roles import Actor
from trading.kernel.signed import SignedDocument
from trading.notices import store
from trading.notices.queries.outcomes import outcome
from trading.notices.rules.documents import Notice, parse_notice
from trading.notices.service.checks import errand_arg, require_notice
from trading.procedures import service as procedures
from trading.procedures import store as rows
from trading.procedures.queries import LotRow, ProcedureRow, find_lot
from trading.procedures.rules.grounds import ground
from trading.procedures.rules.lifecycle import Act, LotPhase, Transition


def cancel(ledger: Ledger, actor: Actor, reference: str, signed: SignedDocument, reason: str) -> Recorded:
    """Cancel a published procedure on record (EVL-08, NOT-10): sealed bids stay sealed."""
    notice = parse_notice(signed.doc)
    with ledger.begin(actor) as uow:
        row = rows.lock_for_update(uow, reference)
        require_notice(uow, row, notice, signed, kind="cancellation")
        move = procedures.step(uow.connection, row, Act.CANCEL, actor, at=uow.at, reason=reason)
        lots = [
            (lot, procedures.step(uow.connection, row, Act.CANCEL, actor, at=uow.at, lot=lot, reason=reason))
            for lot in rows.lots(uow, row.id)
            if not LotPhase(lot.phase).finished
        ]
        _require_outcomes(uow, row, [lot for lot, _ in lots], notice)
        event = Event(
            kind="procedure.cancelled",
            subject=f"procedure:{reference}",
            body={"notice_sha256": signed.sha256, "reason": reason},
            procedure=reference,
            procedure_id=row.id,
            article=ground("procedure.cancelled", row.regime),
        )
        recorded = uow.record(event)
        for lot, lot_move in lots:
            rows.move_lot(uow, recorded, lot, phase=lot_move.target.value)
            uow.wake("openings.non_release", errand_arg(row, lot), uow.at)  # SB1 S12
        store.add(uow, recorded, row.id, notice, signed)
        rows.move_procedure(uow, recorded, row, phase=move.target.value)
    return recorded


def publish_result(ledger: Ledger, actor: Actor, reference: str, signed: SignedDocument) -> Recorded:
    """Publish the result notice of every determined lot that it names (AWD-11, NOT-09)."""
    return _announce(ledger, actor, reference, signed, _RESULT)


def publish_failure(ledger: Ledger, actor: Actor, reference: str, signed: SignedDocument) -> Recorded:
    """Publish the notice of every failed lot that it names, with the reason (NOT-10)."""
    return _announce(ledger, actor, reference, signed, _FAILURE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Last:
    """One sort of last notice: its kind, the act it is for each lot, and the record it makes."""

    notice: str
    act: Act
    record: str


_RESULT: Final = _Last(notice="result", act=Act.CONCLUDE, record="result.published")
_FAILURE: Final = _Last(notice="failed", act=Act.ANNOUNCE_FAILURE, record="failure.published")


def _announce(ledger: Ledger, actor: Actor, reference: str, signed: SignedDocument, last: _Last) -> Recorded:
    notice = parse_notice(signed.doc)
    with ledger.begin(actor) as uow:
        row = rows.lock_for_update(uow, reference)
        require_notice(uow, row, notice, signed, kind=last.notice)
        named = {(lot["lot"], lot["stage"]) for lot in notice.lots}
        moves = [
            (lot, procedures.step(uow.connection, row, last.act, actor, at=uow.at, lot=lot))
            for lot in rows.lots(uow, row.id)
            if (lot.number, lot.stage) in named
        ]
        if len(moves) != len(named) or not moves:
            raise InvalidInput("doc.bad_field", "the notice names a lot that the procedure does not have")
        _require_outcomes(uow, row, [lot for lot, _ in moves], notice)
        recorded = [_end_lot(uow, row, lot, move, signed, last) for lot, move in moves]
        store.add(uow, recorded[0], row.id, notice, signed)
        rows.move_procedure(uow, recorded[0], row)
    return recorded[0]


def _require_outcomes(uow: UnitOfWork, row: ProcedureRow, lots: list[LotRow], notice: Notice) -> None:
    """Refuse a notice that tells another award than the record has, whoever signed it.

    Raises:
        RuleBroken: ``notice.award_differs`` (NOT-09).
    """
    told = {(line["lot"], line["stage"]): (line["award"], line["ranked_h"]) for line in notice.lots}
    for lot in lots:
        line = outcome(uow.connection, row, lot)
        if told.get((lot.number, lot.stage)) != (line["award"], line["ranked_h"]):
            raise RuleBroken("notice.award_differs", "NOT-09", lot=lot.number)


def _end_lot(
    uow: UnitOfWork, row: ProcedureRow, lot: LotRow, move: Transition, signed: SignedDocument, last: _Last
) -> Recorded:
    event = Event(
        kind=last.record,
        subject=f"lot:{lot.number}",
        body={"lot": lot.number, "notice_sha256": signed.sha256, "stage": lot.stage},
        procedure=row.reference,
        procedure_id=row.id,
        article=ground(last.record, row.regime),
    )
    recorded = uow.record(event)
    if move.target.value != lot.phase:
        rows.move_lot(uow, recorded, lot, phase=move.target.value)
    return recorded


def publish_contract(ledger: Ledger, actor: Actor, reference: str, signed: SignedDocument) -> Recorded:
    """Publish the notice of a signed contract (CON-02, NOT-12); it names one lot.

    Raises:
        InvalidInput: It names another contract, price, supplier or instant than the record.
    """
    notice = parse_notice(signed.doc)
    with ledger.begin(actor) as uow:
        row = rows.lock_for_update(uow, reference)
        require_notice(uow, row, notice, signed, kind="contract")
        if len(notice.lots) != 1:
            raise InvalidInput("doc.bad_field", "a contract notice names one lot")
        told = notice.lots[0]
        lot = find_lot(uow.connection, row.id, told["lot"], told["stage"])
        agreed = contract_of(uow.connection, row.id, lot.number, lot.stage)
        move = procedures.step(uow.connection, row, Act.PUBLISH_CONTRACT, actor, at=uow.at, lot=lot)
        shown = (told["contract_sha256"], told["price"], told["supplier"]["code"], told["signed_at"])
        if agreed is None or shown != (agreed.sha256, agreed.price, agreed.bidder_code, agreed.signed_at):
            raise InvalidInput("doc.bad_field", "the notice names another contract than the record")
        event = Event(
            kind="contract.published",
            subject=f"lot:{lot.number}",
            body={
                "contract_sha256": agreed.sha256,
                "lot": lot.number,
                "notice_sha256": signed.sha256,
                "stage": lot.stage,
            },
            procedure=reference,
            procedure_id=row.id,
            article=ground("contract.published", row.regime),
        )
        recorded = uow.record(event)
        rows.move_lot(uow, recorded, lot, phase=move.target.value)
        store.add(uow, recorded, row.id, notice, signed)
        rows.move_procedure(uow, recorded, row)
    return recorded
