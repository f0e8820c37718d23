"""The deadline that moves by rule: found by the closer, derived from records, logged before any close (TE1 T5, T6).

Everything is one unit of work: the derived schedule, its ``tender.changed``, the lot's new deadline and the errand of
its closer. Nobody signs; the agency's consent stands in the schedule before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection

from trading.audit.ledger import Ledger, UnitOfWork
from trading.audit.queries import clock_holds
from trading.bids import queries
from trading.bids.rules.derivation import Decision, Trigger, Verdict, by_clock, by_refusal, decide, successor
from trading.bids.rules.refusals import caused_by_platform, settled_until
from trading.bids.rules.schedule import DRAIN_MS
from trading.documents import store as documents
from trading.kernel.events import Event
from trading.kernel.roles import Actor
from trading.kernel.signed import SignedDocument
from trading.procedures import queries as procedure_queries
from trading.procedures import service as procedures
from trading.procedures import store as rows
from trading.procedures.queries import LotRow, ProcedureRow
from trading.procedures.rules.extension import MEASURED, usual_rule
from trading.procedures.rules.lifecycle import Act, LotPhase
from trading.rulebook.keys import Regime

_CLOSER: Final = Actor.system("worker")
_WAITING: Final = Decision(verdict=Verdict.WAIT)


def settle(ledger: Ledger, reference: str, number: str, stage: str) -> Verdict:
    """Do what the evidence demands for a deadline whose drain is over: move it, or record that its close is blocked.

    Safe to run twice: under the lock everything is looked at anew.

    Returns:
        ``CLOSE`` if nothing stands against the close; ``EXTEND`` once the deadline has moved.
    """
    with ledger.read() as conn:
        row = procedure_queries.find(conn, reference)
        lot = procedure_queries.find_lot(conn, row.id, number, stage)
        found = decision(conn, row, lot, ledger.platform_time(conn))
    if found.trigger is None:
        return found.verdict
    with ledger.begin(_CLOSER, patient=True) as uow:
        row = rows.lock_for_update(uow, reference)
        lot = next(lot for lot in rows.lots(uow, row.id) if (lot.number, lot.stage) == (number, stage))
        if lot.phase != LotPhase.OPEN or lot.close_at is None or uow.at < lot.close_at + DRAIN_MS:
            return Verdict.WAIT
        found = decision(uow.connection, row, lot, uow.at)
        if found.trigger is not None and found.verdict is Verdict.EXTEND:
            _extend(uow, row, lot, found.trigger, found.close)
        if found.trigger is not None and found.verdict is Verdict.BLOCK:
            _block(uow, row, lot, found.trigger.cause)
    return found.verdict


def decision(conn: Connection, row: ProcedureRow, lot: LotRow, at: int) -> Decision:
    """Return what the records make of the deadline of an open lot at ``at`` (ms), which is after its drain."""
    chain = queries.schedule_chain(conn, lot)
    close = chain[0].close
    usual = usual_rule(procedures.edition_of(conn, row, at), Regime(row.regime), MEASURED)
    rule = chain[0].extension_rule or usual
    deadlines = queries.deadlines(conn, lot, chain)
    holds, refused = list(clock_holds(conn)), queries.refusals(conn, lot)
    found = (
        by_clock(holds, close),
        by_refusal(caused_by_platform(refused, deadlines), rule, close, settled_until(deadlines)),
    )
    confirmed = queries.confirmed_for(conn, row.id, lot.number, lot.stage, close)
    triggers = [each for each in found if each is not None and each.cause not in confirmed]
    unlogged = {record["h"] for record in (*holds, *refused) if record["n"] is None}
    if any(unlogged.intersection(each.evidence) for each in triggers):
        return _WAITING  # evidence is named in log order (T2)
    derived = sum(each.cause is not None for each in chain)
    return decide(chain[0], triggers, usual=usual, derived=derived, at=at)


def _extend(uow: UnitOfWork, row: ProcedureRow, lot: LotRow, trigger: Trigger, close: int) -> None:
    """Log the derived schedule (T2); the notice in force stays, because the rule says nothing new."""
    procedures.step(uow.connection, row, Act.EXTEND, _CLOSER, at=uow.at, lot=lot, new_close_at=close)
    before = queries.schedule_chain(uow.connection, lot)[0]
    document = SignedDocument(successor(before, trigger, close))
    body = {
        "cause": trigger.cause,
        "evidence": list(trigger.evidence),
        "lot": lot.number,
        "notice_sha256": queries.notice_in_force(uow.connection, row.id, lot.number, lot.stage),
        "schedule_sha256": document.sha256,
        "stage": lot.stage,
    }
    recorded = uow.record(_event("tender.changed", row, lot, body))
    documents.add(uow, recorded, row.id, document)
    rows.move_lot(uow, recorded, lot, close_at=close, schedule_sha256=bytes.fromhex(document.sha256))
    uow.wake("bids.close", {"tender": row.reference, "lot": lot.number, "stage": lot.stage}, close)


def _block(uow: UnitOfWork, row: ProcedureRow, lot: LotRow, reason: str) -> None:
    """Record once per deadline and reason that the agency has to decide (T5)."""
    if reason not in queries.blocked_for(uow.connection, row.id, lot.number, lot.stage, lot.close_at or 0):
        uow.record(_event("closing.blocked", row, lot, {"lot": lot.number, "reason": reason, "stage": lot.stage}))


def _event(kind: str, row: ProcedureRow, lot: LotRow, body: Mapping[str, object]) -> Event:
    return Event(
        kind=kind,
        subject=f"lot:{lot.number}",
        body=body,
        procedure=row.reference,
        procedure_id=row.id,
        article="招标投标法 34",
    )
