"""Use cases: ask, draft an answer, publish it to everybody (DOC-17, DOC-18).

The act of asking is done under a name of its own (``model.Asker``), so that the record, its row and the answer can be
read by anybody without telling who asked (NOT-36).
"""

from __future__ import annotations

import secrets
from typing import Final

from sqlalchemy import Connection

from trading.accounts.queries import same_person
from trading.audit.ledger import Ledger, UnitOfWork
from trading.audit.model import Recorded
from trading.clarifications import model, queries, store
from trading.clarifications.model import Asker, Place
from trading.clarifications.queries import Question
from trading.clarifications.rules import answering, asking
from trading.clarifications.rules.answering import Content
from trading.kernel.canonical import loads_object
from trading.kernel.errors import Conflict, NotFound, NotPermitted, RuleBroken
from trading.kernel.ids import random_name
from trading.kernel.roles import Actor, Role
from trading.parties import queries as parties
from trading.procedures import queries as procedures
from trading.procedures import service as procedure_service
from trading.procedures import store as rows
from trading.procedures.queries import LotRow, ProcedureRow
from trading.procedures.rules.catalogue import kind_of
from trading.procedures.rules.lifecycle import LotPhase, ProcedurePhase
from trading.rulebook.keys import Key, Regime

MOST_QUESTIONS: Final = 100  # of one organisation in one procedure: a technical bound, not a rule of law
_SALT_BYTES: Final = 32


def questions_end_at(conn: Connection, row: ProcedureRow) -> int | None:
    """Return the instant (ms) from which no question about a published procedure is taken; None without a deadline."""
    said: int | None = loads_object(row.spec).get("questions_until")
    return asking.cutoff(said, [lot.close_at for lot in _open_lots(conn, row)])


def _open_lots(conn: Connection, row: ProcedureRow) -> list[LotRow]:
    return [lot for lot in procedures.lots_of(conn, row.id) if lot.phase == LotPhase.OPEN]


def ask(ledger: Ledger, actor: Actor, reference: str, *, lot: str | None, text: str) -> tuple[str, Recorded]:
    """Take a question of a bidder; return its random reference and its record.

    Args:
        ledger: The write path.
        actor: A bidder of an organisation; the record does not name it.
        reference: Of the procedure.
        lot: Number of the lot that the question is about, or None for all of them.
        text: The question; it must not name who asks.

    Raises:
        NotFound: No such procedure or lot, or it is not published.
        NotPermitted: Not a bidder.
        RuleBroken: ``question.late``, ``question.length``, ``question.names_asker``, ``question.too_many``.
    """
    if Role.BIDDER not in actor.roles or actor.organisation is None:
        raise NotPermitted("questions are asked by bidders")
    kept = asking.require_question(text)
    asker = Asker(
        question=f"q-{random_name(16)}",
        account=actor.account,
        organisation=actor.organisation,
        salt=secrets.token_bytes(_SALT_BYTES),
    )
    row = _checked(ledger, actor, reference, lot, kept)
    place = Place(procedure=reference, procedure_id=row.id)
    with ledger.begin(asker.actor) as uow:
        row = rows.lock_for_share(uow, reference)
        asking.require_open(uow.at, questions_end_at(uow.connection, row))
        recorded = uow.record(model.ask(place, asker, lot=lot, text=kept))
        store.add_question(uow, recorded, row.id, asker, lot=lot, text=kept)
    return asker.question, recorded


def _checked(ledger: Ledger, actor: Actor, reference: str, lot: str | None, text: str) -> ProcedureRow:
    """Check what needs the asker's name in a transaction of its own: the act itself must not know it."""
    with ledger.begin(actor) as uow:
        row = procedures.find(uow.connection, reference)
        if row.phase != ProcedurePhase.PUBLISHED:
            raise NotFound(reference)
        if lot is not None and lot not in {each.number for each in procedures.lots_of(uow.connection, row.id)}:
            raise NotFound(f"lot {lot}")
        code = str(actor.organisation)
        found = parties.organisation_by_code(uow.connection, code)
        names = (code,) if found is None else (code, found.name_zh, found.name_en)
        asking.require_nameless(text, names)
        if len(queries.own(uow.connection, row.id, code)) >= MOST_QUESTIONS:
            raise RuleBroken("question.too_many", "DOC-17", limit=MOST_QUESTIONS)
    return row


def own_questions(ledger: Ledger, actor: Actor, procedure_id: int) -> list[Question]:
    """Return the questions that the actor's organisation has asked, oldest first."""
    if actor.organisation is None:
        return []
    with ledger.begin(actor) as uow:
        return queries.own(uow.connection, procedure_id, actor.organisation)


def draft_answer(ledger: Ledger, actor: Actor, question: str, content: Content, *, version: int) -> Recorded:
    """Store the next version of an answer; nobody but the agency sees it.

    Args:
        ledger: The write path.
        actor: Somebody of the procedure's agency or buyer who drafts.
        question: Reference of the question.
        content: The texts as everybody will read them; the question in words that do not tell who asked.
        version: The version that the drafter had before him, 0 for none.

    Raises:
        Conflict: Another version or the publication came first.
        NotFound: No such question, or of another agency.
        RuleBroken: ``answer.incomplete``, ``answer.needs_amendment``.
    """
    answering.require_content(content)
    with ledger.begin(actor) as uow:
        found, row = _locked(uow, question, Role.AGENCY)
        standing = 0 if found.answer is None else found.answer.version
        if standing != version or found.state == "published":
            raise Conflict(f"answer to {question} was moved by another act")
        place = Place(procedure=row.reference, procedure_id=row.id)
        recorded = uow.record(model.draft(place, question, version=version + 1, content=content))
        if version == 0:
            store.add_draft(uow, recorded, row.id, question, content)
        else:
            store.change_draft(uow, recorded, question, content, version=version + 1)
    return recorded


def publish_answer(
    ledger: Ledger, actor: Actor, question: str, *, version: int, corrections: dict[int, int]
) -> Recorded:
    """Give an answer to everybody: a public record with the texts, part of the documents from now on (DOC-18).

    Args:
        ledger: The write path.
        actor: The second person of the agency.
        question: Reference of the question.
        version: The version that this person has read.
        corrections: Published correction notices of the procedure, number to instant (ms).

    Raises:
        Conflict: There is a newer version, or it is published already.
        NotFound: No such question, or of another agency.
        RuleBroken: ``review.same_person``, ``answer.late``, ``answer.too_late``, ``answer.needs_amendment``.
    """
    with ledger.begin(actor) as uow:
        found, row = _locked(uow, question, Role.REVIEWER)
        answer = found.answer
        if answer is None or answer.version != version or answer.number is not None:
            raise Conflict(f"answer to {question} was moved by another act")
        _require_lawful(uow, row, found, answer.content, drafted_by=answer.drafted_by, corrections=corrections)
        number = queries.newest_number(uow.connection, row.id) + 1
        place = Place(procedure=row.reference, procedure_id=row.id)
        recorded = uow.record(
            model.publish(place, question, lot=found.lot, number=number, version=version, content=answer.content)
        )
        store.publish(uow, recorded, question, number=number)
    return recorded


def _locked(uow: UnitOfWork, question: str, role: Role) -> tuple[Question, ProcedureRow]:
    """Return a question of the actor's own agency, with the procedure row held ``FOR UPDATE``."""
    found = queries.find(uow.connection, question)
    if found is None:
        raise NotFound(question)
    row = rows.lock_for_update(uow, found.procedure)
    if uow.actor.organisation not in {row.agency_code, row.buyer_code}:
        raise NotFound(question)
    if role not in uow.actor.roles:
        raise NotPermitted(f"this step is for the role {role}")
    again = queries.find(uow.connection, question)  # once more, now that nobody else can move it
    return (found if again is None else again), row


def _require_lawful(
    uow: UnitOfWork,
    row: ProcedureRow,
    found: Question,
    content: Content,
    *,
    drafted_by: str,
    corrections: dict[int, int],
) -> None:
    edition, regime = procedure_service.edition_of(uow.connection, row, uow.at), Regime(row.regime)
    if edition.flag(Key.SECOND_PERSON, regime) and same_person(uow.connection, uow.actor.account, (drafted_by,)):
        raise RuleBroken("review.same_person", "MB-01", account=drafted_by)
    lots = [lot for lot in procedures.lots_of(uow.connection, row.id) if found.lot in {None, lot.number}]
    closes_at = min((lot.close_at for lot in lots if lot.close_at is not None), default=0)
    answering.require_open(uow.at, closes_at)
    answering.require_amendment(content, asked_at=found.asked_at, corrections=corrections)
    answering.require_lead(
        content,
        at=uow.at,
        closes_at=closes_at,
        edition=edition,
        regime=regime,
        calendar=procedure_service.work_calendar(uow.connection),
        lead=kind_of(row.kind, edition).periods.lead,
    )
