"""The deadline of one lot: heartbeat, comparison of clocks, drain, what would move it, close (TE1 T5; AL1 L4.5).

Safe to run twice and at the same time as itself: each step looks at what is recorded and does only what is missing.
Lateness never depends on it: an act at or after the deadline is refused by its own captured instant.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, assert_never

from sqlalchemy import Connection

from trading.audit import clocks
from trading.audit import service as log
from trading.audit.ledger import UnitOfWork
from trading.audit.model import Recorded
from trading.audit.queries import on_hold
from trading.audit.runtime import Runtime
from trading.bids import extending, intake, model, queries
from trading.bids.intake import Listed
from trading.bids.rules.derivation import Verdict
from trading.bids.rules.intake import REASON as INTAKE
from trading.bids.rules.schedule import DRAIN_MS
from trading.documents import store as documents
from trading.kernel.errors import RuleBroken
from trading.kernel.events import Event
from trading.kernel.roles import Actor
from trading.procedures import queries as procedure_queries
from trading.procedures import service as procedures
from trading.procedures import store as rows
from trading.procedures.queries import LotRow, ProcedureRow
from trading.procedures.rules.lifecycle import Act, LotPhase

_WAIT_S: Final = 3.0
_AGAIN_MS: Final = 250
_UNKNOWN_MS: Final = 1_000  # what moves the deadline goes on, is not in the log yet, or nobody has told
_BLOCKED_MS: Final = 5_000  # an extension leaves an errand of its own; this one only notices that it is in force
_CLOSER: Final = Actor.system("worker")


def run(runtime: Runtime, arg: Mapping[str, Any]) -> int | None:
    """Do what is due for the deadline of ``tender``, ``lot``, ``stage``; return when to look again (ms), or None."""
    reference, number, stage = str(arg["tender"]), str(arg["lot"]), str(arg["stage"])
    with runtime.ledger.read() as conn:
        row = procedure_queries.find(conn, reference)
        lot = procedure_queries.find_lot(conn, row.id, number, stage)
        heartbeat = queries.deadline_record(conn, row.id, number, stage, lot.close_at)
        now = log.platform_ms(conn)
        hold = on_hold(conn)
    if lot.phase != LotPhase.OPEN or lot.close_at is None:
        return None
    if now < lot.close_at:
        return None  # extended: the extension has left its own errand
    if hold and not clocks.released(runtime):
        return now + _AGAIN_MS  # TE1 T3: no lot is closed while the clock is on hold
    if heartbeat is None:
        heartbeat = _reach(runtime, row, lot)
    seen = log.wait_witnessed(runtime, heartbeat.h, _WAIT_S, not_before_ms=lot.close_at)
    if seen is None:
        return now + _AGAIN_MS
    with runtime.ledger.read() as conn:
        after = log.platform_ms(conn)
    if not clocks.agree(seen.times, heartbeat.at, after):
        clocks.hold(runtime)
        return after + _AGAIN_MS
    if after < lot.close_at + DRAIN_MS:
        return lot.close_at + DRAIN_MS
    match extending.settle(runtime.ledger, reference, number, stage):
        case Verdict.WAIT:
            return after + _UNKNOWN_MS
        case Verdict.BLOCK:
            return after + _BLOCKED_MS
        case Verdict.CLOSE:
            return _close(runtime, row, lot, heartbeat_size=seen.size, at=after)
        case Verdict.EXTEND:
            pass  # the new deadline has an errand of its own
        case unknown:
            assert_never(unknown)
    return None


def _close(runtime: Runtime, row: ProcedureRow, lot: LotRow, *, heartbeat_size: int, at: int) -> int | None:
    """Obtain the intake's list if one is awaited, and close; return when to look again while it cannot be had."""
    with runtime.ledger.read() as conn:
        awaited = _awaits_intake(conn, lot)
    listed = intake.obtain(runtime, row, lot) if awaited else None
    if awaited and listed is None:
        _wait_for_intake(runtime, row, lot)
        return at + _BLOCKED_MS
    close_lot(runtime, row.reference, lot.number, lot.stage, heartbeat_size=heartbeat_size, listed=listed)
    return None


def _awaits_intake(conn: Connection, lot: LotRow) -> bool:
    """Return whether a lot may only be closed with the list of an intake (S7.6).

    Agency and supervisor may confirm that it is closed without one (T5).
    """
    if queries.schedule_chain(conn, lot)[0].intake is None:
        return False
    where = (lot.procedure_id, lot.number, lot.stage, lot.close_at or 0)
    return INTAKE not in queries.confirmed_for(conn, *where)


def _wait_for_intake(runtime: Runtime, row: ProcedureRow, lot: LotRow) -> None:
    """Record once that the close waits; agency and supervisor see it on their desks, and may decide (T5)."""
    with runtime.ledger.begin(_CLOSER, patient=True) as uow:
        row = rows.lock_for_update(uow, row.reference)
        now = next(each for each in rows.lots(uow, row.id) if (each.number, each.stage) == (lot.number, lot.stage))
        if now.phase == LotPhase.OPEN and now.close_at == lot.close_at:
            extending.block(uow, row, now, INTAKE)


def _reach(runtime: Runtime, row: ProcedureRow, lot: LotRow) -> queries.DeadlineRecord:
    """Record ``deadline.reached`` in its own transaction (T5 step 2)."""
    body = {"close": lot.close_at, "lot": lot.number, "stage": lot.stage}
    with runtime.ledger.begin(_CLOSER) as uow:
        event = Event(
            kind="deadline.reached",
            subject=f"lot:{lot.number}",
            body=body,
            procedure=row.reference,
            procedure_id=row.id,
            article="招标投标法 34",
        )
        recorded = uow.record(event)
    return queries.DeadlineRecord(h=recorded.h, at=recorded.at)


def close_lot(
    runtime: Runtime, reference: str, number: str, stage: str, *, heartbeat_size: int, listed: Listed | None = None
) -> Recorded | None:
    """Write the close entry with the manifest (AL1 L4.5); None if the lot is closed already.

    The locks come first and the manifest is read in a statement of its own: its snapshot then contains every bid whose
    share lock has just been released, and what ``listed`` of the intake has just been received.

    Raises:
        RuleBroken: ``close.too_early``; ``closing.hold``; ``closing.void``: something moves the deadline (T5), or the
            list of the intake is not there, or was asked for under another schedule (S7.6).
    """
    with runtime.ledger.begin(_CLOSER, patient=True) as uow:
        row = rows.lock_for_update(uow, reference)
        lot = next(lot for lot in rows.lots(uow, row.id) if (lot.number, lot.stage) == (number, stage))
        if lot.phase != LotPhase.OPEN or lot.close_at is None:
            return None
        now = log.platform_ms(uow.connection)
        if now < lot.close_at + DRAIN_MS:
            raise RuleBroken("close.too_early", "TE1 T5", at=now, close=lot.close_at)
        if on_hold(uow.connection):
            raise RuleBroken("closing.hold", "TE1 T3")
        if extending.decision(uow.connection, row, lot, now).verdict is not Verdict.CLOSE:
            raise RuleBroken("closing.void", "TE1 T5", close=lot.close_at)
        if listed is None and _awaits_intake(uow.connection, lot):
            raise RuleBroken("closing.void", "SB1 S7.6", close=lot.close_at)
        uow.captured(now)
        move = procedures.step(uow.connection, row, Act.CLOSE, _CLOSER, at=now, lot=lot)
        if listed is not None:
            intake.enter(uow, row, lot, listed)
        items = queries.manifest(uow.connection, row.id, number, stage)
        event = model.close(
            items=items,
            lot=number,
            stage=stage,
            closes_at=lot.close_at,
            closed_at=now,
            heartbeat_size=heartbeat_size,
            policy_sha256=lot.policy_sha256 or "",
            schedule_sha256=lot.schedule_sha256 or "",
            procedure=reference,
            procedure_id=row.id,
            intake_list_sha256=None if listed is None else listed.signed.sha256,
        )
        recorded = uow.record(event)
        if listed is not None:
            documents.add(uow, recorded, row.id, listed.signed)
        procedures.move_lot(uow, recorded, lot, LotPhase(move.target))
        _fail_if_too_few(uow, row, lot, len(items))
    return recorded


def _fail_if_too_few(uow: UnitOfWork, row: ProcedureRow, lot: LotRow, count: int) -> None:
    """Fewer bids than the minimum are not opened and the lot fails (OPN-02; SB1 S8)."""
    failure = procedures.failure_of_close(uow.connection, row, uow.at, count)
    if failure is None:
        return
    uow.record(model.refuse_opening(lot.number, lot.stage, failure.reason, row.reference, row.id))
    recorded = uow.record(procedures.lot_failed(row, lot, failure))
    procedures.move_lot(uow, recorded, lot, LotPhase.FAILED)
    place = {"tender": row.reference, "lot": lot.number, "stage": lot.stage}
    uow.wake("openings.non_release", place, uow.at)  # the custodians state that they released nothing (SB1 S12)
