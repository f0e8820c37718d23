"""Use cases that publish: tender, correction with extension, cancellation, result (NOT-04, NOT-05, NOT-09, NOT-10).

The agency has signed every document before it arrives here; the second person publishes. One transaction moves the
procedure and its lots, stores the notice and writes the entries.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from trading.audit.ledger import Ledger, UnitOfWork
from trading.audit.model import Recorded
from trading.bids.rules.schedule import Schedule, parse_schedule, require_successor
from trading.crypto.signatures import verify_es256
from trading.custody import service as custody
from trading.documents import queries as stored
from trading.documents import store as documents
from trading.kernel.canonical import loads_object
from trading.kernel.errors import InvalidInput, RuleBroken
from trading.kernel.events import Event
from trading.kernel.roles import Actor
from trading.kernel.signed import SignedDocument
from trading.notices import store
from trading.notices.queries.chain import newest_notice
from trading.notices.rules.documents import Notice, parse_notice
from trading.parties import store as keys
from trading.procedures import service as procedures
from trading.procedures import store as rows
from trading.procedures.queries import LotRow, ProcedureRow
from trading.procedures.rules.lifecycle import Act, LotPhase
from trading.procedures.rules.spec import parse_spec

# A notice is signed shortly before it is published; the entry's instant is the legal one (NOT-32).
PUBLICATION_TOLERANCE_MS: Final = 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LotDocuments:
    """The signed policy and schedule of one lot and stage."""

    policy: SignedDocument
    schedule: SignedDocument


def publish_tender(
    ledger: Ledger,
    actor: Actor,
    reference: str,
    signed: SignedDocument,
    lots: Mapping[tuple[str, str], LotDocuments],
    *,
    demo: bool,
) -> Recorded:
    """Publish the tender notice: every lot opens for bids under its policy and schedule.

    Raises:
        RuleBroken: A guard of the kind refuses, with its rule; a policy is not ready; a signature is missing.
        InvalidInput: A document is malformed or does not fit the procedure.
    """
    notice = parse_notice(signed.doc)
    with ledger.begin(actor) as uow:
        row = rows.lock_for_update(uow, reference)
        all_lots = rows.lots(uow, row.id)
        _require_notice(uow, row, notice, signed, kind="tender")
        edition = procedures.edition_of(uow.connection, row, uow.at)
        if notice.edition_sha256 != edition.digest.hex():
            raise InvalidInput("doc.bad_field", "edition_sha256 is not that of the edition in force")
        move = procedures.step(uow.connection, row, Act.PUBLISH, actor, at=uow.at)
        prepared = [_prepare(uow, row, lot, notice, lots, demo=demo) for lot in all_lots]
        first: Recorded | None = None
        for lot, policy, schedule, target in prepared:
            place = (lot.number, lot.stage)
            custody.fix_policy(uow, row.id, policy, lots[place].policy, lots[place].schedule.sha256)
            recorded = uow.record(_tender_event("tender.published", row, lot, signed, lots[place].schedule))
            documents.add(uow, recorded, row.id, lots[place].schedule)
            rows.move_lot(
                uow,
                recorded,
                lot,
                phase=target,
                close_at=schedule.close,
                policy_sha256=bytes.fromhex(lots[place].policy.sha256),
                schedule_sha256=bytes.fromhex(lots[place].schedule.sha256),
            )
            uow.wake("bids.close", _arg(row, lot), schedule.close)
            first = first or recorded
        if first is None:
            raise InvalidInput("doc.bad_field", "the procedure has no lot")
        store.add(uow, first, row.id, notice, signed)
        procedures.store_edition(uow, first, row, edition)
        rows.move_procedure(
            uow,
            first,
            row,
            phase=move.target.value,
            published_at=uow.at,
            edition_id=edition.id,
            edition_sha256=edition.digest,
        )
    return first


def _prepare(
    uow: UnitOfWork,
    row: ProcedureRow,
    lot: LotRow,
    notice: Notice,
    lots: Mapping[tuple[str, str], LotDocuments],
    *,
    demo: bool,
) -> tuple[LotRow, Any, Schedule, str]:
    """Check one lot's documents against the notice and the law; locks are taken here, entries come later (rule L)."""
    place = (lot.number, lot.stage)
    if place not in lots:
        raise InvalidInput("doc.bad_field", f"no policy and schedule for lot {lot.number}")
    _require_agency(uow, row, lots[place].policy)
    _require_agency(uow, row, lots[place].schedule)
    policy = custody.require_policy_ready(uow, row.id, lots[place].policy, demo=demo)
    schedule = parse_schedule(lots[place].schedule.doc)
    offered = notice.lot(*place)
    told = (offered["policy_sha256"], offered["schedule_sha256"], offered["ceiling"], offered["currency"])
    if told != (lots[place].policy.sha256, lots[place].schedule.sha256, lot.ceiling, lot.currency):
        raise InvalidInput("doc.bad_field", f"notice and documents of lot {lot.number} differ")
    if schedule.place != (row.reference, *place) or policy.place != (row.reference, *place) or schedule.seq != 1:
        raise InvalidInput("doc.bad_field", f"policy or schedule name another lot than {lot.number}")
    move = procedures.step(
        uow.connection,
        row,
        Act.OPEN,
        uow.actor,
        at=uow.at,
        lot=lot,
        close_at=schedule.close,
        supply_ends_at=parse_spec(loads_object(row.spec)).supply_ends_at,
        policy_fixed=True,
    )
    return lot, policy, schedule, move.target.value


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
        _require_notice(uow, row, notice, signed, kind="correction")
        changed = []
        for place, document in sorted(schedules.items()):
            if place not in by_place:
                raise InvalidInput("doc.bad_field", f"no lot {place[0]}")
            lot = by_place[place]
            _require_agency(uow, row, document)
            after = parse_schedule(document.doc)
            move = procedures.step(
                uow.connection,
                row,
                Act.EXTEND,
                actor,
                at=uow.at,
                lot=lot,
                new_close_at=after.close,
                affects_bids=affects_bids,
            )
            require_successor(_schedule(uow, lot), after, uow.at)
            if notice.lot(*place)["schedule_sha256"] != document.sha256:
                raise InvalidInput("doc.bad_field", f"notice and schedule of lot {lot.number} differ")
            changed.append((lot, document, after, move.target.value))
        first: Recorded | None = None
        for lot, document, after, target in changed:
            event = _tender_event("tender.changed", row, lot, signed, document, cause=cause, evidence=[])
            recorded = uow.record(event)
            documents.add(uow, recorded, row.id, document)
            digest = bytes.fromhex(document.sha256)
            rows.move_lot(uow, recorded, lot, phase=target, close_at=after.close, schedule_sha256=digest)
            uow.wake("bids.close", _arg(row, lot), after.close)
            first = first or recorded
        if first is None:
            raise InvalidInput("doc.bad_field", "a correction that moves no deadline")
        store.add(uow, first, row.id, notice, signed)
        rows.move_procedure(uow, first, row)
    return first


def _schedule(uow: UnitOfWork, lot: LotRow) -> Schedule:
    found = None if lot.schedule_sha256 is None else stored.get(uow.connection, bytes.fromhex(lot.schedule_sha256))
    if found is None:
        raise RuleBroken("act.wrong_phase", "B4.1", act="extend", phase=lot.phase)
    return parse_schedule(found.doc)


def cancel(ledger: Ledger, actor: Actor, reference: str, signed: SignedDocument, reason: str) -> Recorded:
    """Cancel a published procedure on record (EVL-08, NOT-10): sealed bids stay sealed."""
    notice = parse_notice(signed.doc)
    with ledger.begin(actor) as uow:
        row = rows.lock_for_update(uow, reference)
        _require_notice(uow, row, notice, signed, kind="cancellation")
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
        store.add(uow, recorded, row.id, notice, signed)
        rows.move_procedure(uow, recorded, row, phase=move.target.value)
    return recorded


def publish_result(ledger: Ledger, actor: Actor, reference: str, signed: SignedDocument) -> Recorded:
    """Publish the result notice of every determined lot that it names (AWD-11, NOT-09)."""
    notice = parse_notice(signed.doc)
    with ledger.begin(actor) as uow:
        row = rows.lock_for_update(uow, reference)
        _require_notice(uow, row, notice, signed, kind="result")
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


def _require_notice(uow: UnitOfWork, row: ProcedureRow, notice: Notice, signed: SignedDocument, *, kind: str) -> None:
    """A notice of this kind and procedure, the next of its chain, signed by the agency, made just now."""
    _require_agency(uow, row, signed)
    before = newest_notice(uow.connection, row.id)
    number, supersedes = (1, None) if before is None else (before[0] + 1, before[1])
    if (notice.kind, notice.tender, notice.number, notice.supersedes) != (kind, row.reference, number, supersedes):
        raise InvalidInput("doc.bad_field", "kind, tender, number or supersedes of the notice")
    if abs(notice.published_at - uow.at) > PUBLICATION_TOLERANCE_MS:
        raise InvalidInput("doc.bad_field", "published_at is more than an hour away")


def _require_agency(uow: UnitOfWork, row: ProcedureRow, signed: SignedDocument) -> None:
    """Exactly one signature, by an active key of the procedure's agency."""
    if len(signed.sigs) != 1:
        raise RuleBroken("sig.missing", "P7")
    key = keys.lock_key(uow, signed.sigs[0]["kid"])
    if key is None or (key.role, key.org_code) != ("agency", row.agency_code):
        raise RuleBroken("sig.key_unknown", "P7", kid=signed.sigs[0]["kid"])
    if not key.active:
        raise RuleBroken("sig.key_revoked", "P6.2", kid=key.kid)
    verify_es256(key.spki, signed.doc, signed.sigs[0])


def _tender_event(
    kind: str,
    row: ProcedureRow,
    lot: LotRow,
    notice: SignedDocument,
    schedule: SignedDocument,
    **more: Any,  # noqa: ANN401 - JSON values
) -> Event:
    body = {
        "lot": lot.number,
        "notice_sha256": notice.sha256,
        "schedule_sha256": schedule.sha256,
        "stage": lot.stage,
        **more,
    }
    return Event(
        kind=kind,
        subject=f"lot:{lot.number}",
        body=body,
        procedure=row.reference,
        procedure_id=row.id,
        article="政府采购法 35" if kind == "tender.published" else "政府采购法实施条例 31",
    )


def _arg(row: ProcedureRow, lot: LotRow) -> dict[str, str]:
    return {"tender": row.reference, "lot": lot.number, "stage": lot.stage}
