"""Use cases of the desk: working drafts, handing them to the second person, returning them, asking custodians.

What is typed is saved as it is, in tables of the desk and without a record; the record begins when a draft is handed
to the second person (MB-01). Publishing, correcting and ending are acts of the notices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from sqlalchemy import Connection

from trading.agency import queries, store
from trading.agency.queries import AMENDMENT, TENDER, WorkingDraft
from trading.agency.rules import amending
from trading.agency.rules.content import Content, Step, new_content
from trading.agency.rules.specification import (
    JURISDICTION,
    Outcome,
    Problem,
    close_of,
    issue_of,
    kind_typed,
    questions_of,
    specification,
)
from trading.agency.rules.specification import supply_end_of as supply_end
from trading.audit.ledger import Ledger
from trading.audit.model import Recorded
from trading.custody import service as custody
from trading.documents import files
from trading.documents.files import StoredFile
from trading.experts import queries as experts
from trading.experts.service import disclosure
from trading.kernel.canonical import loads_object
from trading.kernel.errors import Conflict, NotFound, RuleBroken
from trading.kernel.ids import random_name
from trading.kernel.roles import Actor
from trading.procedures import service as procedures
from trading.procedures import store as rows
from trading.procedures.queries import ProcedureRow
from trading.procedures.rules.catalogue import kind_of
from trading.procedures.rules.dates import Dates, Law, Refused
from trading.procedures.rules.extension import MEASURED, usual_rule
from trading.procedures.rules.spec import DocumentSpec, ProcedureSpec, parse_spec
from trading.rulebook.loader import edition_at
from trading.rulebook.model import Edition
from trading.storage.objects import ObjectStore

MOST_DOCUMENTS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A draft held against form and law: its specification, or what is amiss."""

    spec: ProcedureSpec | None
    problems: tuple[Problem, ...]
    refused: tuple[Refused, ...]

    @property
    def complete(self) -> bool:
        """Whether it may be handed on."""
        return self.spec is not None and not self.refused

    def of_step(self, step: Step, lot: int | None = None) -> list[Problem]:
        """Return the problems of one step, of one lot if the step is about lots."""
        return [each for each in self.problems if each.step is step and (lot is None or each.lot in {lot, None})]


def law_at(conn: Connection, code: str, at: int) -> Law:
    """Return what dates of a new tender of a kind are held against at ``at`` (ms)."""
    return _law(edition_at(JURISDICTION, at), code, conn)


def law_of(conn: Connection, row: ProcedureRow, at: int) -> Law:
    """Return what dates of a procedure are held against."""
    return _law(procedures.edition_of(conn, row, at), row.kind, conn)


def _law(edition: Edition, code: str, conn: Connection) -> Law:
    kind = kind_of(code, edition)
    calendar = procedures.work_calendar(conn)
    return Law(edition=edition, regime=kind.regime, calendar=calendar, periods=kind.periods)


def dates_of(spec: ProcedureSpec, at: int) -> Dates:
    """Return the dates of a specification as if it were published at ``at`` (ms)."""
    return Dates(
        issued_at=at,
        close_at=spec.close,
        supply_ends_at=spec.supply_ends_at,
        questions_until=spec.questions_until,
    )


def disclosed_experts(ledger: Ledger, actor: Actor, row: ProcedureRow) -> list[str] | None:
    """Return the names of the committee for the result notice (NOT-09); none if there was no committee.

    None while they are on their way: this asks for their disclosure, and the contact service publishes them.

    Raises:
        RuleBroken: ``panel.secret`` (EXP-14): another lot of the procedure is still being evaluated.
    """
    with ledger.read() as conn:
        committee, names = experts.committee_of(conn, row.id), experts.panel_of(conn, row.id)
    if committee is None or names:
        return [each.name for each in names]
    disclosure.disclose_names(ledger, actor, row.reference)
    return None


def start(ledger: Ledger, actor: Actor) -> str:
    """Begin a draft of a tender and return its id."""
    draft_id = f"w-{random_name()}"
    with ledger.upkeep() as conn:
        at = ledger.platform_time(conn)
        store.add_draft(conn, draft_id, actor, new_content(), at=at, purpose=TENDER)
    return draft_id


def save(ledger: Ledger, actor: Actor, draft: WorkingDraft, version: int, content: Content) -> int:
    """Keep what was typed, complete or not; return the new version.

    Raises:
        Conflict: Another person saved meanwhile, or the draft is with the second person.
    """
    if not draft.editable:
        raise Conflict(f"draft {draft.id} is {draft.state}")
    with ledger.upkeep() as conn:
        at = ledger.platform_time(conn)
        return store.save_draft(conn, draft.id, version, by=actor.account, at=at, content=content)


def discard(ledger: Ledger, draft: WorkingDraft) -> None:
    """Delete a draft that is no record yet; a correction that was not published is given up the same way.

    Raises:
        Conflict: The record names it already.
    """
    if draft.purpose == TENDER and draft.reference is not None:
        raise Conflict(f"draft {draft.id} is of {draft.reference}")
    with ledger.upkeep() as conn:
        store.drop_draft(conn, draft.id)


def add_document(
    ledger: Ledger, objects: ObjectStore, actor: Actor, draft: WorkingDraft, name: str, source: BinaryIO
) -> StoredFile:
    """Take a file into the object store and attach it to a draft; one of the same name is replaced.

    Raises:
        InvalidInput: ``document.…``.
        Conflict: The draft is with the second person.
    """
    if not draft.editable:
        raise Conflict(f"draft {draft.id} is {draft.state}")
    with ledger.read() as conn:
        known = {each.name for each in queries.documents_of(conn, draft.id)}
    if len(known) >= MOST_DOCUMENTS:
        raise RuleBroken("document.too_many", "DOC-10", most=MOST_DOCUMENTS)
    taken = files.take(objects, name, source)
    document = DocumentSpec(name=taken.name, sha256=taken.sha256, size=taken.size, media=taken.media)
    with ledger.upkeep() as conn:
        store.put_document(conn, draft.id, document, by=actor.account, at=ledger.platform_time(conn))
    return taken


def drop_document(ledger: Ledger, draft: WorkingDraft, name: str) -> None:
    """Detach a file from a draft."""
    if not draft.editable:
        raise Conflict(f"draft {draft.id} is {draft.state}")
    with ledger.upkeep() as conn:
        store.drop_document(conn, draft.id, name)


def check(conn: Connection, draft: WorkingDraft, at: int) -> Checked:
    """Hold a draft of a tender against form and law as of ``at`` (ms)."""
    law = law_at(conn, kind_typed(draft.content), at)
    outcome = specification(
        draft.content,
        agency=draft.org_code,
        documents=queries.documents_of(conn, draft.id),
        calendar=law.calendar,
        cutoff=law.questions_cutoff,
        usual=usual_rule(law.edition, law.regime, MEASURED),
    )
    return _checked(outcome, law, draft.content, at)


def _checked(outcome: Outcome, law: Law, content: Content, at: int) -> Checked:
    close = close_of(content, law.calendar)
    if close is None:
        return Checked(spec=outcome.spec, problems=outcome.problems, refused=())
    dates = Dates(
        issued_at=issue_of(content, law.calendar, at),
        close_at=close,
        supply_ends_at=supply_end(content, law.calendar),
        questions_until=law.questions_cutoff(close, questions_of(content)),
    )
    return Checked(spec=outcome.spec, problems=outcome.problems, refused=tuple(law.refusals(dates)))


def submit(ledger: Ledger, actor: Actor, draft: WorkingDraft) -> str:
    """Hand a draft to the second person; the record of the procedure begins, or goes on after a return.

    Raises:
        RuleBroken: ``draft.incomplete`` with the first step that is amiss; a date that the law refuses, with its
            article; ``draft.lot_removed``.
        Conflict: It is with the second person already, or another person changed it.
    """
    if not draft.editable or draft.purpose != TENDER:
        raise Conflict(f"draft {draft.id} is {draft.state}")
    with ledger.begin(actor) as uow:
        checked = check(uow.connection, draft, uow.at)
        if checked.spec is None:
            raise RuleBroken("draft.incomplete", "DOC-10", problems=len(checked.problems))
        for refused in checked.refused:
            raise refused.refusal
        if draft.reference is None:
            reference = procedures.enter(uow, checked.spec)
        else:
            reference = draft.reference
            procedures.revise(uow, rows.lock_for_update(uow, reference), checked.spec)
        procedures.submit(uow, reference)
        store.save_draft(
            uow.connection,
            draft.id,
            draft.version,
            by=actor.account,
            at=uow.at,
            reference=reference,
            state="submitted",
        )
    return reference


def give_back(ledger: Ledger, actor: Actor, reference: str, reason: str) -> Recorded:
    """Give a submitted draft back with the reason; its working draft opens again beside what was read (B4.11)."""
    with ledger.read() as conn:
        row = queries.own_procedure(conn, reference, actor.organisation)
        draft = queries.draft_of(conn, reference, TENDER)
    recorded = procedures.return_to_drafter(ledger, actor, reference, reason)
    if draft is not None:
        with ledger.upkeep() as conn:
            at = ledger.platform_time(conn)
            values: dict[str, Any] = {"returned_spec": row.spec, "returned_reason": reason, "state": "editing"}
            store.save_draft(conn, draft.id, draft.version, by=actor.account, at=at, **values)
    return recorded


def close_drafts(ledger: Ledger, actor: Actor, reference: str, purpose: str) -> None:
    """Close the working draft of what was published; technical, after the act."""
    with ledger.upkeep() as conn:
        draft = queries.draft_of(conn, reference, purpose)
        if draft is not None:
            at = ledger.platform_time(conn)
            store.save_draft(conn, draft.id, draft.version, by=actor.account, at=at, state="closed")


def ask_custodians(ledger: Ledger, actor: Actor, reference: str, kids: list[str]) -> int:
    """Ask institutions for a share key of every lot, each once; return how many were asked anew.

    Raises:
        NotFound: The procedure is another's, or an institution is unknown.
        RuleBroken: ``act.wrong_phase``: it is published already.
    """
    with ledger.read() as conn:
        row = queries.own_procedure(conn, reference, actor.organisation)
        if row.phase not in {"draft", "review"}:
            raise RuleBroken("act.wrong_phase", "B4.1", act="ask", phase=row.phase)
        if not set(kids) <= {each.kid for each in queries.keepers(conn, row)}:
            raise NotFound("institution")
        missing = queries.unasked(conn, row, kids)
    for kid, lot in missing:
        custody.ask_for_key(
            ledger,
            kid=kid,
            procedure_id=row.id,
            tender=reference,
            lot=lot.number,
            stage=lot.stage,
            titles=(row.title_zh, row.title_en),
        )
    return len(missing)


def start_correction(ledger: Ledger, actor: Actor, reference: str) -> str:
    """Begin a correction of a published tender, or return the one that is being prepared.

    Raises:
        NotFound: The procedure is another's.
        RuleBroken: ``act.wrong_phase``: nothing is open any more.
    """
    with ledger.upkeep() as conn:
        row = queries.own_procedure(conn, reference, actor.organisation)
        begun = queries.draft_of(conn, reference, AMENDMENT)
        if begun is not None:
            return begun.id
        if not any(lot.phase == "open" for lot in queries.own_of(conn, row).lots):
            raise RuleBroken("act.wrong_phase", "B4.1", act="amend", phase=row.phase)
        spec = parse_spec(loads_object(row.spec))
        draft_id, at = f"w-{random_name()}", ledger.platform_time(conn)
        content = amending.typed_from(spec, procedures.work_calendar(conn))
        store.add_draft(conn, draft_id, actor, content, at=at, purpose=AMENDMENT, reference=reference)
        for document in spec.documents:
            store.put_document(conn, draft_id, document, by=actor.account, at=at)
    return draft_id


def corrected(conn: Connection, draft: WorkingDraft, row: ProcedureRow, at: int) -> Outcome:
    """Return the specification that a correction leaves in force, or what is amiss."""
    law = law_of(conn, row, at)
    return amending.amended(
        draft.content,
        parse_spec(loads_object(row.spec)),
        documents=queries.documents_of(conn, draft.id),
        calendar=law.calendar,
        cutoff=law.questions_cutoff,
    )


def hand_on_correction(ledger: Ledger, actor: Actor, draft: WorkingDraft, state: str) -> None:
    """Hand a correction to the second person (``submitted``) or take it back to edit it (``editing``)."""
    with ledger.upkeep() as conn:
        at = ledger.platform_time(conn)
        # Its author is whoever hands it on: that person does not publish it (MB-01).
        author = actor.account if state == "submitted" else draft.author
        store.save_draft(conn, draft.id, draft.version, by=actor.account, at=at, state=state, author=author)


def with_section(draft: WorkingDraft, section: str, typed: Mapping[str, Any] | list[Any]) -> Content:
    """Return the content of a draft with one section as it was just typed."""
    return {**draft.content, section: typed}
