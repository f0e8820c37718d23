"""The last notices: cancellation on record, and the result of every determined lot (EVL-08, NOT-10, AWD-11, NOT-09)."""

from __future__ import annotations

from trading.audit.ledger import Ledger
from trading.audit.model import Recorded
from trading.kernel.errors import InvalidInput
from trading.kernel.events import Event
from trading.kernel.roles import Actor
from trading.kernel.signed import SignedDocument
from trading.notices import store
from trading.notices.rules.documents import parse_notice
from trading.notices.service.checks import errand_arg, require_notice
from trading.procedures import service as procedures
from trading.procedures import store as rows
from trading.procedures.rules.lifecycle import Act, LotPhase


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
        event = Event(
            kind="procedure.cancelled",
            subject=f"procedure:{reference}",
            body={"notice_sha256": signed.sha256, "reason": reason},
            procedure=reference,
            procedure_id=row.id,
            article="政府采购法 36",
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
    notice = parse_notice(signed.doc)
    with ledger.begin(actor) as uow:
        row = rows.lock_for_update(uow, reference)
        require_notice(uow, row, notice, signed, kind="result")
        named = {(lot["lot"], lot["stage"]) for lot in notice.lots}
        moves = [
            (lot, procedures.step(uow.connection, row, Act.CONCLUDE, actor, at=uow.at, lot=lot))
            for lot in rows.lots(uow, row.id)
            if (lot.number, lot.stage) in named
        ]
        if len(moves) != len(named) or not moves:
            raise InvalidInput("doc.bad_field", "the notice names a lot that the procedure does not have")
        first: Recorded | None = None
        for lot, move in moves:
            body = {"lot": lot.number, "notice_sha256": signed.sha256, "stage": lot.stage}
            event = Event(
                kind="result.published",
                subject=f"lot:{lot.number}",
                body=body,
                procedure=reference,
                procedure_id=row.id,
                article="政府采购法实施条例 43",
            )
            recorded = uow.record(event)
            rows.move_lot(uow, recorded, lot, phase=move.target.value)
            first = first or recorded
        assert first is not None  # noqa: S101 - moves is not empty
        store.add(uow, first, row.id, notice, signed)
        rows.move_procedure(uow, first, row)
    return first
