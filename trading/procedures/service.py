"""Use cases of procedures: draft, review, and the moves of lots that other packages cause (B4.1).

Publishing and correcting are acts of ``notices`` (they store the notice); closing is an act of ``bids``; both call the
moves here inside their own unit of work.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from itertools import product
from typing import Any, Final
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine

from trading.accounts.queries import same_person
from trading.audit.ledger import Ledger, UnitOfWork
from trading.audit.model import Recorded
from trading.documents import queries as document_queries
from trading.documents import store as documents
from trading.kernel.calendar import CHINA, CalendarDay, WorkCalendar
from trading.kernel.canonical import loads_object
from trading.kernel.digests import sha256_hex
from trading.kernel.errors import IntegrityFailure, NotFound, NotPermitted, RuleBroken
from trading.kernel.events import Event
from trading.kernel.ids import new_practice_reference, new_procedure_reference, new_row_id
from trading.kernel.roles import Actor, Role
from trading.kernel.signed import SignedDocument
from trading.procedures import queries, store
from trading.procedures.queries import LotRow, ProcedureRow
from trading.procedures.rules.catalogue import kind_of
from trading.procedures.rules.failure import Failure, failure_at_close
from trading.procedures.rules.grounds import ground
from trading.procedures.rules.lifecycle import (
    Act,
    Facts,
    LotPhase,
    ProcedureKind,
    ProcedurePhase,
    Transition,
    advance,
)
from trading.procedures.rules.spec import LotSpec, ProcedureSpec, parse_spec
from trading.rulebook.keys import Regime
from trading.rulebook.loader import builtin, edition_at
from trading.rulebook.model import Edition


def draft(ledger: Ledger, actor: Actor, specification: object) -> str:
    """Store a specification as a draft of the agency and return the new public reference.

    Raises:
        InvalidFields: The specification is malformed; every field that is wrong is named.
        NotPermitted: It names another organisation as the agency and as the buyer.
    """
    with ledger.begin(actor) as uow:
        return enter(uow, parse_spec(specification))


def enter(uow: UnitOfWork, spec: ProcedureSpec) -> str:
    """Store a specification as a draft inside an act, and return the new public reference; raises as ``draft``."""
    _require_own(uow.actor, spec)
    return _enter(uow, spec, new_procedure_reference(_year(uow.at)))


def enter_practice(uow: UnitOfWork, spec: ProcedureSpec) -> str:
    """Store the specification of a practice tender, which the platform wrote; return its reference (ADR 0061)."""
    return _enter(uow, spec, new_practice_reference(_year(uow.at)))


def _year(at: int) -> int:
    return WorkCalendar(zone=CHINA, workdays={}).date_of(at).year


def _enter(uow: UnitOfWork, spec: ProcedureSpec, reference: str) -> str:
    procedure_id = new_row_id()
    edition = edition_at(spec.jurisdiction, uow.at)
    kind = kind_of(spec.kind, edition)
    columns = _columns(spec, kind, reference, edition, uow.actor)
    recorded = uow.record(_drafted(columns, procedure_id))
    store.add_procedure(uow, recorded, procedure_id, **columns)
    for lot, stage in product(spec.lots, kind.submission.stages):
        store.add_lot(
            uow, recorded, procedure_id, number=lot.lot, stage=stage, phase=LotPhase.DRAFT.value, **_lot_columns(lot)
        )
    return reference


def revise(uow: UnitOfWork, row: ProcedureRow, spec: ProcedureSpec) -> Recorded:
    """Replace the specification of a draft that was returned; whoever revises it is its drafter (MB-01).

    Raises:
        RuleBroken: ``act.wrong_phase``; ``draft.lot_removed``: rows of the record are never deleted, so a lot that
            was submitted once stays, or the tender is drafted anew.
        NotPermitted: The actor is of another organisation.
    """
    _require_own(uow.actor, spec)
    if row.phase != ProcedurePhase.DRAFT.value:
        raise RuleBroken("act.wrong_phase", "B4.1", act=Act.SUBMIT.value, phase=row.phase)
    edition = edition_at(spec.jurisdiction, uow.at)
    kind = kind_of(spec.kind, edition)
    known = {(lot.number, lot.stage): lot for lot in store.lots(uow, row.id)}
    wanted = {(lot.lot, stage): lot for lot, stage in product(spec.lots, kind.submission.stages)}
    if removed := sorted(set(known) - set(wanted)):
        raise RuleBroken("draft.lot_removed", "B4.11", lot=removed[0][0])
    columns = _columns(spec, kind, row.reference, edition, uow.actor)
    recorded = uow.record(_drafted(columns, row.id))
    store.move_procedure(uow, recorded, row, **columns)
    for place, lot in wanted.items():
        if place in known:
            store.move_lot(uow, recorded, known[place], **_lot_columns(lot))
        else:
            number, stage = place
            store.add_lot(
                uow, recorded, row.id, number=number, stage=stage, phase=LotPhase.DRAFT.value, **_lot_columns(lot)
            )
    return recorded


def _require_own(actor: Actor, spec: ProcedureSpec) -> None:
    if actor.organisation not in {spec.agency, spec.buyer}:
        raise NotPermitted(f"{actor.organisation} drafts for {spec.agency}")


def _drafted(columns: Mapping[str, Any], procedure_id: int) -> Event:
    """Return the event of a draft: its specification, and the rules that the platform found for it."""
    body = {"edition_id": columns["edition_id"], "edition_sha256": columns["edition_sha256"].hex()}
    reference = columns["reference"]
    return Event(
        kind="procedure.drafted",
        subject=f"procedure:{reference}",
        body={**body, "regime": columns["regime"], "spec_sha256": sha256_hex(columns["spec"])},
        procedure=reference,
        procedure_id=procedure_id,
    )


def _lot_columns(lot: LotSpec) -> dict[str, Any]:
    """Return the columns of a lot that repeat its specification."""
    return {
        "ceiling": lot.ceiling,
        "currency": lot.currency,
        "title_zh": lot.title_zh,
        "title_en": lot.title_en,
    }


def amend(uow: UnitOfWork, row: ProcedureRow, spec: ProcedureSpec, notice_sha256: str) -> Recorded:
    """Record the specification that a correction notice leaves in force (NOT-05); its changes are checked before."""
    event = Event(
        kind="procedure.amended",
        subject=f"procedure:{row.reference}",
        body={"notice_sha256": notice_sha256, "spec_sha256": sha256_hex(spec.document())},
        procedure=row.reference,
        procedure_id=row.id,
        article=ground("procedure.amended", row.regime),
    )
    recorded = uow.record(event)
    titles = {"title_zh": spec.title_zh, "title_en": spec.title_en}
    store.move_procedure(uow, recorded, row, spec=spec.document(), **titles)
    return recorded


def amend_lot(uow: UnitOfWork, recorded: Recorded, lot: LotRow, terms: LotSpec, **values: Any) -> None:  # noqa: ANN401 - columns
    """Store what a correction changes in one lot, with further columns."""
    store.move_lot(uow, recorded, lot, **_lot_columns(terms), **values)


def _columns(
    spec: ProcedureSpec, kind: ProcedureKind, reference: str, edition: Edition, actor: Actor
) -> dict[str, Any]:
    return {
        "reference": reference,
        "kind": spec.kind,
        "regime": kind.regime.value,
        "jurisdiction": spec.jurisdiction,
        "edition_id": edition.id,
        "edition_sha256": edition.digest,
        "phase": ProcedurePhase.DRAFT.value,
        "title_zh": spec.title_zh,
        "title_en": spec.title_en,
        "buyer_code": spec.buyer,
        "agency_code": spec.agency,
        "supervisor_code": spec.supervisor,
        "drafted_by": actor.account,
        "spec": spec.document(),
    }


def submit_for_review(ledger: Ledger, actor: Actor, reference: str) -> Recorded:
    """Hand a draft to the second person (MB-01)."""
    return _review_act(ledger, actor, reference, Act.SUBMIT, "procedure.submitted", None)


def return_to_drafter(ledger: Ledger, actor: Actor, reference: str, reason: str) -> Recorded:
    """Give a draft back with the reason (B4.11)."""
    return _review_act(ledger, actor, reference, Act.RETURN, "procedure.returned", reason)


def _review_act(
    ledger: Ledger, actor: Actor, reference: str, act: Act, event_kind: str, reason: str | None
) -> Recorded:
    with ledger.begin(actor) as uow:
        return _review(uow, store.lock_for_update(uow, reference), act, event_kind, reason)


def submit(uow: UnitOfWork, reference: str) -> Recorded:
    """Hand a draft that this very act entered or revised to the second person; the act holds its lock."""
    row = queries.find(uow.connection, reference)
    return _review(uow, row, Act.SUBMIT, "procedure.submitted", None)


def _review(uow: UnitOfWork, row: ProcedureRow, act: Act, event_kind: str, reason: str | None) -> Recorded:
    move = step(uow.connection, row, act, uow.actor, at=uow.at, reason=reason)
    event = Event(
        kind=event_kind,
        subject=f"procedure:{row.reference}",
        body={"reason": reason, "spec_sha256": sha256_hex(row.spec)},
        procedure=row.reference,
        procedure_id=row.id,
    )
    recorded = uow.record(event)
    store.move_procedure(uow, recorded, row, phase=move.target.value)
    return recorded


def edition_of(conn: Connection, row: ProcedureRow, at: int) -> Edition:
    """Return the edition that governs a procedure: the stored one of its publication, before that the one in force.

    Raises:
        IntegrityFailure: The document of the edition that the procedure was published under is not stored.
    """
    if row.published_at is None:
        return edition_at(row.jurisdiction, at)
    stored = document_queries.get(conn, bytes.fromhex(row.edition_sha256))
    if stored is None:
        raise IntegrityFailure(f"edition {row.edition_id} of {row.reference} is not stored")
    return builtin().restore(stored.doc)


def work_calendar(conn: Connection) -> WorkCalendar:
    """Return the working-day calendar of the table; it fails closed for a year that the table does not have."""
    version = queries.calendar_version(conn)
    kept = _CALENDARS.get(conn.engine)
    if kept is None or kept[0] != version:
        rows = [
            CalendarDay(day=day, is_workday=work, name=name, source=source)
            for day, work, name, source in queries.calendar_days(conn)
        ]
        kept = (version, WorkCalendar.from_rows(rows, CHINA))
        _CALENDARS[conn.engine] = kept
    return kept[1]


# The newest calendar of each database, by the entry that last changed it; two threads may both load it, to equal ends.
_CALENDARS: Final[WeakKeyDictionary[Engine, tuple[int | None, WorkCalendar]]] = WeakKeyDictionary()


def step(
    conn: Connection,
    row: ProcedureRow,
    act: Act,
    actor: Actor,
    *,
    at: int,
    lot: LotRow | None = None,
    supplier: str | None = None,
    **facts: Any,  # noqa: ANN401 - fields of Facts
) -> Transition:
    """Ask the kind's table whether the act is lawful now; facts that only the caller knows are passed by name.

    ``supplier`` is the organisation that the lot was awarded to, for acts that it shares.

    Raises:
        NotPermitted: The act is not for the actor's roles in this procedure.
    """
    edition = edition_of(conn, row, at)
    kind = kind_of(row.kind, edition)
    known = Facts(
        at=at,
        edition=edition,
        regime=Regime(row.regime),
        calendar=work_calendar(conn),
        periods=kind.periods,
        drafted_by=actor.account if has_drafted(conn, row, actor) else row.drafted_by,
    )
    if lot is not None:
        known = replace(known, ceiling=lot.ceiling, close_at=lot.close_at, terms=declared_lot(row, lot.number))
    phase = ProcedurePhase(row.phase) if lot is None else LotPhase(lot.phase)
    return advance(kind, phase, act, _in(row, actor, supplier), replace(known, **facts))


def has_drafted(conn: Connection, row: ProcedureRow, actor: Actor) -> bool:
    """Whether the human being behind the actor drafted any version, with whichever account (MB-01)."""
    return same_person(conn, actor.account, queries.drafters(conn, row.id))


def declared_lot(row: ProcedureRow, number: str) -> LotSpec:
    """Return what the specification of a procedure says about one lot.

    Raises:
        NotFound: It has no such lot.
    """
    for declared in parse_spec(loads_object(row.spec)).lots:
        if declared.lot == number:
            return declared
    raise NotFound(f"lot {number}")


def _in(row: ProcedureRow, actor: Actor, supplier: str | None) -> Actor:
    """Return the actor with the roles that it has in this procedure: nobody acts for another organisation."""
    own = {Role.SYSTEM}
    if actor.organisation in {row.agency_code, row.buyer_code}:
        own |= {Role.AGENCY, Role.REVIEWER}
    if actor.organisation == row.supervisor_code:
        own.add(Role.SUPERVISOR)
    if supplier is not None and actor.organisation == supplier:
        own.add(Role.BIDDER)
    return replace(actor, roles=actor.roles & own)


def begin_opening(uow: UnitOfWork, row: ProcedureRow, lot: LotRow, bids: int) -> Transition:
    """Ask whether the opening may be ordered (OPN-02); the caller records and then calls ``move_lot``."""
    return step(uow.connection, row, Act.ORDER_OPENING, uow.actor, at=uow.at, lot=lot, bids=bids)


def complete_opening(uow: UnitOfWork, row: ProcedureRow, lot: LotRow, undecided: int) -> Transition:
    """Ask whether the opening may end: every bid of the order has its verdict (OPN-04)."""
    return step(uow.connection, row, Act.COMPLETE_OPENING, uow.actor, at=uow.at, lot=lot, undecided_bids=undecided)


def move_lot(uow: UnitOfWork, recorded: Recorded, lot: LotRow, target: LotPhase, **values: Any) -> None:  # noqa: ANN401 - columns
    """Store a lot's new phase under the entry that records the move."""
    store.move_lot(uow, recorded, lot, phase=target.value, **values)


def failure_of_close(conn: Connection, row: ProcedureRow, at: int, bids: int) -> Failure | None:
    """Return why a lot that closed with so many bids fails, or None."""
    return failure_at_close(edition_of(conn, row, at), Regime(row.regime), bids)


def lot_failed(row: ProcedureRow, lot: LotRow, failure: Failure) -> Event:
    """Return ``lot.failed`` with its rule."""
    body = {"lot": lot.number, "reason": failure.reason, "rule": failure.rule, "stage": lot.stage}
    return Event(
        kind="lot.failed",
        subject=f"lot:{lot.number}",
        body=body,
        procedure=row.reference,
        procedure_id=row.id,
        article=ground("lot.failed", row.regime),
    )


def set_calendar(ledger: Ledger, actor: Actor, days: list[tuple[date, bool, str]], source: str) -> Recorded:
    """Enter or change days of the working-day calendar, with the notice they come from (TIM-07).

    Raises:
        NotPermitted: The actor is not of the service desk; deadlines are counted by this calendar.
    """
    if Role.DESK not in actor.roles:
        raise NotPermitted("the calendar is kept by the service desk")
    body = {
        "days": [{"day": day.isoformat(), "is_workday": work, "name": name} for day, work, name in days],
        "source": source,
    }
    with ledger.begin(actor) as uow:
        known = {day for day, *_ in queries.calendar_days(uow.connection)}
        recorded = uow.record(Event(kind="calendar.changed", subject="calendar:cn", body=body))
        rows = [{"day": day, "is_workday": work, "name": name, "source": source} for day, work, name in days]
        fresh = [row for row in rows if row["day"] not in known]
        if fresh:
            store.add_calendar_days(uow, recorded, fresh)
        for row in rows:
            if row["day"] in known:
                store.set_calendar_day(uow, recorded, row)
    return recorded


def store_edition(uow: UnitOfWork, recorded: Recorded, row: ProcedureRow, edition: Edition) -> None:
    """Keep the edition's document beside the entry that publishes under it."""
    documents.add(uow, recorded, row.id, SignedDocument(edition.document()))
