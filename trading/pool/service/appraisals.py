"""One appraisal of each expert after each evaluation, and what the expert says to it (EXP-24, EXP-28).

Whoever appraises knows a seat and no name. After the result the opened leaf of a seat tells the pool number (EXP-14),
and the appraisal stands in the credit file of the expert.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from trading.audit.ledger import Ledger
from trading.audit.model import Recorded
from trading.experts import queries as experts
from trading.experts.model import committee_event
from trading.experts.service.committees import require_own
from trading.kernel.errors import InvalidInput, NotFound, NotPermitted, RuleBroken
from trading.kernel.roles import Actor
from trading.pool import queries, store
from trading.pool.queries import AppraisalRow
from trading.procedures import queries as procedures
from trading.procedures.queries import ProcedureRow
from trading.procedures.service import edition_of, work_calendar
from trading.rulebook.keys import Key, Regime

#: What is marked, each from 1 to 5, in this order.
ITEMS: Final = ("discipline", "criteria", "care", "independence")
MOST_WORDS: Final = 1_000
_WITHIN: Final = {
    Regime.GP: (Key.APPRAISE_WITHIN_GP, "EXP-24"),
    Regime.TL: (Key.APPRAISE_WITHIN_TL, "EXP-28"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AppraisalPage:
    """The experts of a procedure by seat, with what was said; ``until`` is the first instant that is late."""

    procedure: ProcedureRow
    seats: tuple[tuple[str, AppraisalRow | None], ...]
    until: int | None


def _require_own(actor: Actor, row: ProcedureRow) -> None:
    """Hide the page from whoever is neither of the buyer nor of its agency."""
    try:
        require_own(actor, row)
    except NotPermitted as error:
        raise NotFound(row.reference) from error


def page(conn: Connection, actor: Actor, reference: str) -> AppraisalPage:
    """Return what the agency or the buyer appraises.

    Raises:
        NotFound: No such procedure, or another agency's.
    """
    row = procedures.find(conn, reference)
    _require_own(actor, row)
    given = queries.appraisals(conn, row.id)
    return AppraisalPage(
        procedure=row,
        seats=tuple((seat, given.get(seat)) for seat in _seats(conn, row)),
        until=_until(conn, row),
    )


def _seats(conn: Connection, row: ProcedureRow) -> list[str]:
    members = experts.members(conn, row.id)
    return [each.seat for each in members if each.kind == "expert" and each.state == "present"]


def _until(conn: Connection, row: ProcedureRow) -> int | None:
    """Return the first instant that is late; None while the evaluation goes on."""
    reported_at = queries.reported_at(conn, row.id)
    if reported_at is None:
        return None
    key, _rule = _WITHIN[Regime(row.regime)]
    edition = edition_of(conn, row, reported_at)
    if not edition.has(key, Regime(row.regime)):  # an edition that was frozen before the rule was in the rule book
        return None
    return work_calendar(conn).end_of_period(reported_at, edition.days(key, Regime(row.regime)))


def appraise(ledger: Ledger, actor: Actor, reference: str, seat: str, marks: str, remark: str) -> Recorded:
    """Enter the appraisal of a seat; one that is late says so and counts all the same.

    Args:
        ledger: Where.
        actor: Of the agency or the buyer.
        reference: Of the procedure.
        seat: Of an expert who was present.
        marks: One digit from 1 to 5 for each of ``ITEMS``.
        remark: Why.

    Raises:
        NotFound: No such seat or procedure; another agency's.
        InvalidInput: ``appraisal.marks``.
        RuleBroken: ``appraisal.not_yet``, ``appraisal.given``.
    """
    if len(marks) != len(ITEMS) or set(marks) - set("12345") or not 0 < len(remark.strip()) <= MOST_WORDS:
        raise InvalidInput("appraisal.marks", seat)
    with ledger.begin(actor) as uow:
        row = procedures.find(uow.connection, reference)
        _require_own(actor, row)
        store.lock_procedure(uow, row.id)
        rule = _WITHIN[Regime(row.regime)][1]
        if queries.reported_at(uow.connection, row.id) is None:
            raise RuleBroken("appraisal.not_yet", rule)
        if seat not in _seats(uow.connection, row):
            raise NotFound(seat)
        if seat in queries.appraisals(uow.connection, row.id):
            raise RuleBroken("appraisal.given", rule)
        until = _until(uow.connection, row)
        late = until is not None and uow.at >= until
        event = committee_event(
            "appraisal.given", reference, row.id, seat=seat, marks=marks, remark=remark.strip(), late=late
        )
        recorded = uow.record(event)
        store.add_appraisal(uow, recorded, row.id, seat=seat, marks=marks, remark=remark.strip(), late=late)
    return recorded


def answer(ledger: Ledger, actor: Actor, reference: str, words: str, rating: int) -> Recorded:
    """Say what the expert says to his appraisal, and how he rates the agency; once.

    Raises:
        NotFound: The actor holds no seat there, or it is not appraised yet. Conflict: It is answered.
        InvalidInput: ``appraisal.answer``.
    """
    if not 0 < len(words.strip()) <= MOST_WORDS or rating not in range(1, 6):
        raise InvalidInput("appraisal.answer", reference)
    with ledger.begin(actor) as uow:
        row, seat = _own_seat(uow.connection, actor, reference)
        store.lock_appraisal(uow, seat)
        event = committee_event("appraisal.answered", reference, row.id, seat=seat, answer=words.strip(), rating=rating)
        recorded = uow.record(event)
        store.answer_appraisal(uow, recorded, seat, words.strip(), rating)
    return recorded


def own_appraisal(conn: Connection, actor: Actor, reference: str) -> tuple[ProcedureRow, AppraisalRow | None]:
    """Return how the person who is signed in was appraised; None before the agency has done it.

    Raises:
        NotFound: He holds no seat there.
    """
    row, seat = _own_seat(conn, actor, reference)
    return row, queries.appraisals(conn, row.id).get(seat)


def _own_seat(conn: Connection, actor: Actor, reference: str) -> tuple[ProcedureRow, str]:
    row = procedures.find(conn, reference)
    seat = next((seat for procedure_id, seat in experts.own_seats(conn, actor) if procedure_id == row.id), None)
    if seat is None:
        raise NotFound(reference)
    return row, seat
