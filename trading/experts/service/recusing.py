"""Bidders' own people leave the committee as soon as anybody knows who the bidders are (ED1 D4, D10 step 5; EXP-15).

A draw that was held before the opening could not exclude them: even a count would have hinted at the bidders. The
contact service learns the bidders from the signed open order, employers from the pool that it recomputes, and what
experts declared in their files from a function of the database that tells pool numbers alone (EXP-16).
"""

from __future__ import annotations

from trading.audit.ledger import UnitOfWork
from trading.experts import queries, store
from trading.experts.queries import CallRow, DrawRow, MemberRow
from trading.experts.rules.walk import State
from trading.experts.service import seats
from trading.experts.service.attempts import spec_of
from trading.experts.service.calls import WALKING, dispose
from trading.experts.service.preparing import declared_by
from trading.experts.service.walking import ACTOR, Contact
from trading.procedures import queries as procedures


def recuse_bidders(contact: Contact) -> int:
    """Replace everybody selected whom employer or declaration bind to a bidder, in all draws; return how many."""
    with contact.ledger.read() as conn:
        rows = queries.draws_in(conn, *WALKING)
    return sum(_recuse(contact, row, *found) for row in rows for found in _selected_by_bidders(contact, row))


def _selected_by_bidders(contact: Contact, row: DrawRow) -> list[tuple[int, CallRow]]:
    with contact.ledger.read() as conn:
        committee = queries.committee_of_draw(conn, row.draw)
        procedure_id = committee.procedure_id
        # The pool is recomputed only where somebody may still have to leave.
        bidders = (
            frozenset() if queries.evaluation_ended(conn, procedure_id) else queries.known_bidders(conn, procedure_id)
        )
        if not bidders:
            return []
        pool, _ = contact.pool(conn, row, spec_of(conn, row))
        last = {each.index: each.state for each in queries.steps(conn, row.draw, row.attempt)}
        calls = queries.calls(conn, row.draw, row.attempt)
        bound = declared_by(conn, queries.plan_of(conn, committee), bidders).conflicts
    return [
        (procedure_id, call)
        for call in calls
        if last[call.index] == State.SELECTED
        and (pool.entrants[call.index].unit in bidders or pool.entrants[call.index].id in bound)
    ]


def _recuse(contact: Contact, row: DrawRow, procedure_id: int, call: CallRow) -> bool:
    with contact.ledger.begin(ACTOR) as uow:
        held = store.lock_draw(uow, row.draw, row.attempt)
        if queries.evaluation_ended(uow.connection, procedure_id):
            return False
        member = _member(uow, procedure_id, held, call)
        if member is None:  # the result that gives out the seats is yet to be signed
            dispose(uow, held, call, State.REPLACED, seats.CONFLICT)
        elif member.state in seats.SITTING:
            procedure = procedures.by_id(uow.connection, procedure_id)
            seats.leave(uow, procedure, member, seats.CONFLICT, "recused")
        else:
            return False
    return True


def _member(uow: UnitOfWork, procedure_id: int, row: DrawRow, call: CallRow) -> MemberRow | None:
    members = queries.members(uow.connection, procedure_id)
    return next((each for each in members if (each.attempt, each.index) == (row.attempt, call.index)), None)
