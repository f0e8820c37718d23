"""Corrections that move deadlines: later only, by published notice only (TE1 T2, NOT-05)."""

from __future__ import annotations

from collections.abc import Mapping

from trading.audit.ledger import Ledger, UnitOfWork
from trading.audit.model import Recorded
from trading.bids.rules.schedule import Schedule, parse_schedule, require_successor
from trading.documents import queries as stored
from trading.documents import store as documents
from trading.kernel.errors import InvalidInput, RuleBroken
from trading.kernel.roles import Actor
from trading.kernel.signed import SignedDocument
from trading.notices import store
from trading.notices.rules.documents import Notice, parse_notice
from trading.notices.service.checks import errand_arg, require_agency, require_notice, tender_event
from trading.procedures import service as procedures
from trading.procedures import store as rows
from trading.procedures.queries import LotRow, ProcedureRow
from trading.procedures.rules.lifecycle import Act


def extend(
    ledger: Ledger,
    actor: Actor,
    reference: str,
    signed: SignedDocument,
    schedules: Mapping[tuple[str, str], SignedDocument],
    *,
    cause: str | None,
    affects_bids: bool,
) -> Recorded:
    """Publish a correction that moves deadlines; ``close`` never moves earlier (TE1 T2, NOT-05).

    Raises:
        RuleBroken: Not later, too soon, too close to the deadline, or the lot is no longer open (``act.wrong_phase``).
    """
    notice = parse_notice(signed.doc)
    with ledger.begin(actor) as uow:
        row = rows.lock_for_update(uow, reference)
        by_place = {(lot.number, lot.stage): lot for lot in rows.lots(uow, row.id)}
        require_notice(uow, row, notice, signed, kind="correction")
        if not schedules or not set(schedules) <= set(by_place):
            raise InvalidInput("doc.bad_field", "a correction that moves no deadline, or of a lot that does not exist")
        for place, document in sorted(schedules.items()):
            _require_lawful(uow, row, by_place[place], notice, document, affects_bids=affects_bids)
        moved = [
            _move(uow, row, by_place[place], signed, document, cause) for place, document in sorted(schedules.items())
        ]
        first = moved[0]
        store.add(uow, first, row.id, notice, signed)
        rows.move_procedure(uow, first, row)
    return first


def _require_lawful(
    uow: UnitOfWork,
    row: ProcedureRow,
    lot: LotRow,
    notice: Notice,
    document: SignedDocument,
    *,
    affects_bids: bool,
) -> None:
    """Check one new schedule against the law, the schedule before it and the notice; locks are taken here (rule L)."""
    require_agency(uow, row, document)
    after = parse_schedule(document.doc)
    procedures.step(
        uow.connection,
        row,
        Act.EXTEND,
        uow.actor,
        at=uow.at,
        lot=lot,
        new_close_at=after.close,
        affects_bids=affects_bids,
    )
    require_successor(_schedule(uow, lot), after, uow.at)
    if notice.lot(lot.number, lot.stage)["schedule_sha256"] != document.sha256:
        raise InvalidInput("doc.bad_field", f"notice and schedule of lot {lot.number} differ")


def _move(
    uow: UnitOfWork, row: ProcedureRow, lot: LotRow, notice: SignedDocument, document: SignedDocument, cause: str | None
) -> Recorded:
    """Record the later deadline of one lot, and wake its closer anew."""
    close = parse_schedule(document.doc).close
    event = tender_event("tender.changed", row, lot, notice, document, cause=cause, evidence=[])
    recorded = uow.record(event)
    documents.add(uow, recorded, row.id, document)
    rows.move_lot(uow, recorded, lot, close_at=close, schedule_sha256=bytes.fromhex(document.sha256))
    uow.wake("bids.close", errand_arg(row, lot), close)
    return recorded


def _schedule(uow: UnitOfWork, lot: LotRow) -> Schedule:
    found = None if lot.schedule_sha256 is None else stored.get(uow.connection, bytes.fromhex(lot.schedule_sha256))
    if found is None:
        raise RuleBroken("act.wrong_phase", "B4.1", act="extend", phase=lot.phase)
    return parse_schedule(found.doc)
