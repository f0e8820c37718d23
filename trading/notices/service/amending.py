"""Corrections: what changes is told field by field, deadlines move later only, by notice only (TE1 T2, NOT-05)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trading.accounts.queries import same_person
from trading.audit.ledger import Ledger, UnitOfWork
from trading.audit.model import Recorded
from trading.bids.rules.schedule import Schedule, parse_schedule, require_successor
from trading.documents import queries as stored
from trading.documents import store as documents
from trading.kernel.calendar import CHINA
from trading.kernel.canonical import loads_object
from trading.kernel.errors import InvalidInput, RuleBroken
from trading.kernel.roles import Actor
from trading.kernel.signed import SignedDocument
from trading.notices import store
from trading.notices.rules.documents import Notice, parse_notice
from trading.notices.service.checks import errand_arg, require_agency, require_files, require_notice, tender_event
from trading.procedures import service as procedures
from trading.procedures import store as rows
from trading.procedures.queries import LotRow, ProcedureRow
from trading.procedures.rules.amendment import amend as compare
from trading.procedures.rules.lifecycle import Act, LotPhase
from trading.procedures.rules.spec import LotSpec, ProcedureSpec, parse_spec


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What the second person publishes: the specification that shall be in force, signed notice and schedules.

    Attributes:
        specification: All of it, as amended.
        author: Account that prepared it; somebody else publishes it (MB-01).
        declared: Whether its author says that the change of texts may affect bids (NOT-05).
        notice: The signed correction.
        schedules: The signed schedule of each lot and stage whose deadline or windows move.
        cause: Why the deadline moves, for the record.
    """

    specification: ProcedureSpec
    author: str
    declared: bool
    notice: SignedDocument
    schedules: Mapping[tuple[str, str], SignedDocument]
    cause: str | None = None


def amend(ledger: Ledger, actor: Actor, reference: str, correction: Correction) -> Recorded:
    """Publish a correction that changes a published tender (NOT-05, DOC-18); deadlines only ever move later.

    Raises:
        RuleBroken: ``amendment.…``, a guard of the kind, or ``act.wrong_phase``: no lot is open any more.
        InvalidInput: The notice or a schedule does not say what the specification says.
    """
    notice = parse_notice(correction.notice.doc)
    with ledger.begin(actor) as uow:
        row = rows.lock_for_update(uow, reference)
        require_notice(uow, row, notice, correction.notice, kind="correction")
        require_files(notice, correction.specification)
        before = parse_spec(loads_object(row.spec))
        found = compare(before, correction.specification, declared=correction.declared, zone=CHINA)
        if notice.changes != found.to_json():
            raise InvalidInput("doc.bad_field", "the notice tells other changes than the specification")
        lots = [lot for lot in rows.lots(uow, row.id) if lot.phase == LotPhase.OPEN.value]
        if not lots:
            raise RuleBroken("act.wrong_phase", "B4.1", act=Act.AMEND.value, phase=row.phase)
        moves = correction.specification.close != before.close
        for lot in lots:
            # A deadline that has moved by rule is later than the specification says, and stays (TE1 T6).
            close = correction.specification.close if moves else lot.close_at
            _require_amendable(uow, row, lot, notice, correction, close=close, affects_bids=found.affects_bids)
        procedures.amend(uow, row, correction.specification, correction.notice.sha256)
        changed = [_amend_lot(uow, row, lot, correction) for lot in lots]
        store.add(uow, changed[0], row.id, notice, correction.notice)
    return changed[0]


def _require_amendable(
    uow: UnitOfWork,
    row: ProcedureRow,
    lot: LotRow,
    notice: Notice,
    correction: Correction,
    *,
    close: int | None,
    affects_bids: bool,
) -> None:
    """Check what a correction makes of one open lot with its deadline ``close``; locks are taken here (rule L)."""
    place = (lot.number, lot.stage)
    document = correction.schedules.get(place)
    offered = notice.lot(*place)
    terms = _terms(correction.specification, lot)
    wanted = lot.schedule_sha256 if document is None else document.sha256
    if (offered["schedule_sha256"], offered["policy_sha256"]) != (wanted, lot.policy_sha256):
        raise InvalidInput("doc.bad_field", f"notice and schedule of lot {lot.number} differ")
    if (offered["ceiling"], offered["currency"]) != (terms.ceiling, terms.currency):
        raise InvalidInput("doc.bad_field", f"notice and specification of lot {lot.number} differ")
    if document is not None:
        require_agency(uow, row, document)
        require_successor(_schedule(uow, lot), parse_schedule(document.doc), uow.at)
    new_close = lot.close_at if document is None else parse_schedule(document.doc).close
    if new_close != close:
        raise InvalidInput("doc.bad_field", f"the schedule of lot {lot.number} has another deadline")
    facts: dict[str, Any] = {"new_close_at": new_close, "affects_bids": affects_bids}
    if same_person(uow.connection, uow.actor.account, (correction.author,)):
        facts["drafted_by"] = uow.actor.account
    procedures.step(uow.connection, row, Act.AMEND, uow.actor, at=uow.at, lot=lot, **facts)


def _amend_lot(uow: UnitOfWork, row: ProcedureRow, lot: LotRow, correction: Correction) -> Recorded:
    """Record what changed for one lot; if its deadline moved, wake its closer anew."""
    document = correction.schedules.get((lot.number, lot.stage))
    schedule = document or SignedDocument(_schedule(uow, lot).raw)
    event = tender_event("tender.changed", row, lot, correction.notice, schedule, cause=correction.cause, evidence=[])
    recorded = uow.record(event)
    moves: dict[str, Any] = {}
    if document is not None:
        documents.add(uow, recorded, row.id, document)
        close = parse_schedule(document.doc).close
        moves = {"close_at": close, "schedule_sha256": bytes.fromhex(document.sha256)}
        uow.wake("bids.close", errand_arg(row, lot), close)
    procedures.amend_lot(uow, recorded, lot, _terms(correction.specification, lot), **moves)
    return recorded


def _terms(spec: ProcedureSpec, lot: LotRow) -> LotSpec:
    return next(item for item in spec.lots if item.lot == lot.number)


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
