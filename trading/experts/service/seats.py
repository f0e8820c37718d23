"""Seats: signing in with the seat code, declaring interests, leaving (EXP-15 to EXP-18, security 12).

Which account sits on which seat is a row that only this account and the contact service may see. Records name the seat
alone, by the actor ``expert:<seat>``.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from typing import Final

from trading.audit.ledger import Ledger, UnitOfWork
from trading.audit.model import Recorded
from trading.crypto.contact import binding, code_sha256
from trading.experts import queries, store
from trading.experts.model import Holder, committee_event
from trading.experts.queries import CallRow, DrawRow, MemberRow
from trading.experts.rules.discipline import PROMISE_SHA256
from trading.experts.rules.walk import REPLACEMENT_REASONS, State
from trading.experts.service.calls import dispose
from trading.kernel.errors import Conflict, InvalidInput, NotFound, NotPermitted, RuleBroken
from trading.kernel.roles import Actor, Role
from trading.procedures import queries as procedures
from trading.procedures.queries import ProcedureRow

NONE, CONFLICT = "none", "conflict"
SITTING: Final = frozenset({"expected", "present"})
_LONGEST_CODE: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """Where somebody has signed in: the procedure, which he learns only now, and the name of his seat."""

    reference: str
    seat: str


def _as_seat(seat: str) -> Actor:
    return Actor(account=f"expert:{seat}", roles=frozenset({Role.EXPERT}))


def sign_in(ledger: Ledger, actor: Actor, code: str, *, promised: bool, second_factor: bool = True) -> SignedIn:
    """Bind the seat behind a code to the signed-in account; the code is used up.

    Args:
        ledger: Where to record.
        actor: The expert's account.
        code: From his mail.
        promised: Whether he has given the promise of ``rules.discipline``.
        second_factor: Whether the session was opened with one; it stands in the record, because experts sign by it.

    Raises:
        RuleBroken: ``seat.not_promised`` (EXP-31); ``seat.code_unknown``: unknown, used, or another person's;
            ``seat.left``.
    """
    _require_promise(promised=promised)
    with ledger.upkeep() as conn:
        held = store.seat_code_of(conn, code_sha256(code)) if 0 < len(code) <= _LONGEST_CODE else None
        link = store.link_of(conn, actor.account)
        member = None if held is None else queries.member_by_seat(conn, held[0])
    # One answer for a wrong code, a used one and somebody else's: it tells nothing about any seat.
    if held is None or member is None or (held[1] is not None and not _fits(code, link, held[1])):
        raise RuleBroken("seat.code_unknown", "ED1 D10")
    procedure_id, row = member
    if row.state != "expected":
        raise RuleBroken("seat.left", "EXP-17", state=row.state)
    with ledger.begin(_as_seat(row.seat)) as uow:
        procedure = procedures.by_id(uow.connection, procedure_id)
        if store.take_seat_code(uow.connection, code_sha256(code)) is None:
            raise RuleBroken("seat.code_unknown", "ED1 D10")
        queries.as_person(uow.connection, actor.account)
        holder = Holder(seat=row.seat, account=actor.account, salt=secrets.token_bytes(32))
        recorded = _present(uow, procedure, row.seat, holder.commit, second_factor=second_factor)
        store.add_holder(uow, recorded, procedure_id, holder)
    return SignedIn(reference=procedure.reference, seat=row.seat)


def _require_promise(*, promised: bool) -> None:
    if not promised:
        raise RuleBroken("seat.not_promised", "EXP-31")


def _fits(code: str, link: bytes | None, bound: bytes) -> bool:
    return link is not None and hmac.compare_digest(binding(code, link), bound)


def sign_in_representative(
    ledger: Ledger, actor: Actor, reference: str, *, promised: bool, second_factor: bool = True
) -> SignedIn:
    """Mark the buyer's representative present; his seat was given to his account, so he needs no code.

    Raises:
        NotFound: He has no seat there.
        RuleBroken: ``seat.not_promised`` (EXP-31).
    """
    _require_promise(promised=promised)
    procedure, seat = _own(ledger, actor, reference)
    if seat.state == "expected":
        with ledger.begin(_as_seat(seat.seat)) as uow:
            _present(uow, procedure, seat.seat, None, second_factor=second_factor)
    return SignedIn(reference=reference, seat=seat.seat)


def _own(ledger: Ledger, actor: Actor, reference: str) -> tuple[ProcedureRow, MemberRow]:
    with ledger.read() as conn:
        procedure = procedures.find(conn, reference)
        seat = queries.seat_of(conn, procedure.id, actor)
        found = [row for row in queries.members(conn, procedure.id) if seat is not None and row.seat == seat.seat]
    if not found:
        raise NotFound(reference)
    return procedure, found[0]


def _present(
    uow: UnitOfWork, procedure: ProcedureRow, seat: str, holder_commit: str | None, *, second_factor: bool
) -> Recorded:
    """Record a sign-in; when the last seat of a drawn committee is taken, the committee is seated.

    ``holder_commit`` is that of whoever takes the seat with it; None for a representative, who has had it before.
    """
    committee = store.lock_committee(uow, procedure.id)
    if committee is None:
        raise NotFound("committee")
    _require_state(uow, procedure, seat, "expected")
    body = {
        "holder_commit": holder_commit,
        "promise_sha256": PROMISE_SHA256,
        "seat": seat,
        "second_factor": second_factor,
    }
    recorded = uow.record(committee_event("seat.signed_in", procedure.reference, procedure.id, **body))
    store.move_member(uow, recorded, seat, "present")
    states = {row.state for row in queries.members(uow.connection, procedure.id) if row.seat != seat}
    if committee.state == "drawn" and "expected" not in states:
        store.move_committee(uow, recorded, committee, state="seated")
    return recorded


def _require_state(uow: UnitOfWork, procedure: ProcedureRow, seat: str, *states: str) -> None:
    """Look once more, now that the committee's row is held: a seat that was left is never taken again."""
    (found,) = (row.state for row in queries.members(uow.connection, procedure.id) if row.seat == seat)
    if found not in states:
        raise RuleBroken("seat.left", "EXP-17", state=found)


def declare(ledger: Ledger, actor: Actor, reference: str, declaration: str) -> Recorded:
    """Record the declaration of interests of a member who has seen who the bidders are (EXP-15, EXP-16).

    Args:
        ledger: Where to record.
        actor: The member's account.
        reference: The procedure.
        declaration: ``none`` or ``conflict``; a conflict takes him off the committee, and the walk goes on.

    Raises:
        NotFound: He has no seat there.
        InvalidInput: ``seat.bad_declaration``.
        RuleBroken: ``seat.left``: he is not present; ``seat.bidders_unknown``: nobody can deny an interest in bidders
            whom nobody knows.
    """
    if declaration not in {NONE, CONFLICT}:
        raise InvalidInput("seat.bad_declaration", declaration)
    procedure, seat = _own(ledger, actor, reference)
    if seat.state != "present":
        raise RuleBroken("seat.left", "EXP-15", state=seat.state)
    with ledger.begin(_as_seat(seat.seat)) as uow:
        if declaration == CONFLICT:
            return leave(uow, procedure, seat, "conflict", "recused")
        if queries.bidders_told(uow.connection, procedure.id) is None:
            raise RuleBroken("seat.bidders_unknown", "EXP-15")
        event = committee_event(
            "seat.declared", procedure.reference, procedure.id, declaration=declaration, seat=seat.seat
        )
        return uow.record(event)


def replace(ledger: Ledger, actor: Actor, reference: str, seat: str, reason: str) -> Recorded:
    """Replace a member who is absent, ill or unable; the same walk calls the next one (ED1 D10 step 5).

    Args:
        ledger: Where to record.
        actor: Staff of the trading centre, who see seats and never names.
        reference: The procedure.
        seat: Whose.
        reason: One of ``conflict``, ``absent``, ``ill``, ``unable``; no other is lawful.

    Raises:
        NotPermitted: Not of the centre.
        InvalidInput: ``draw.reason``.
        RuleBroken: ``seat.left``; ``draw.not_pending``; ``seat.not_absent``: he has signed in, or the evaluation is
            yet to begin; ``seat.evaluated``: the committee has finished.
    """
    if Role.CENTRE not in actor.roles:
        raise NotPermitted("members are replaced by the trading centre")
    if reason not in REPLACEMENT_REASONS:
        raise InvalidInput("draw.reason", reason)
    with ledger.begin(actor) as uow:
        procedure = procedures.find(uow.connection, reference)
        found = [row for row in queries.members(uow.connection, procedure.id) if row.seat == seat]
        if not found:
            raise NotFound(seat)
        if found[0].state not in SITTING:
            raise RuleBroken("seat.left", "EXP-17", state=found[0].state)
        if reason == "absent":
            _require_absent(uow, procedure, found[0])
        return leave(uow, procedure, found[0], reason, "replaced")


def _require_absent(uow: UnitOfWork, procedure: ProcedureRow, member: MemberRow) -> None:
    """Refuse what the record itself contradicts: nobody is absent who has signed in, or before it begins (D10)."""
    committee = queries.committee_row(uow.connection, procedure.id)
    begins_at = 0 if committee is None else queries.plan_of(uow.connection, committee).evaluation_at
    if member.state == "present" or uow.at < begins_at:
        raise RuleBroken("seat.not_absent", "ED1 D10", begins_at=begins_at)


def leave(uow: UnitOfWork, procedure: ProcedureRow, member: MemberRow, reason: str, state: str) -> Recorded:
    """Take a member off: his index is REPLACED in the draw, which opens its stratum again.

    Raises:
        RuleBroken: ``seat.evaluated``: the committee has finished; ``seat.left``; ``draw.not_pending``.
    """
    row = _lock_attempt(uow, procedure, member)
    committee = store.lock_committee(uow, procedure.id)
    if queries.evaluation_ended(uow.connection, procedure.id):  # whoever evaluated is named with the result (EXP-14)
        raise RuleBroken("seat.evaluated", "EXP-17")
    _require_state(uow, procedure, member.seat, *SITTING)
    commit = None
    if row is not None and member.index is not None:
        call = _call_of(queries.calls(uow.connection, row.draw, row.attempt), member.index)
        commit = dispose(uow, row, call, State.REPLACED, reason).body["reason_commit"]
    body = {"reason_commit": commit, "seat": member.seat, "state": state}
    recorded = uow.record(committee_event("seat.left", procedure.reference, procedure.id, **body))
    store.move_member(uow, recorded, member.seat, state)
    if committee is not None and row is not None:
        store.move_committee(uow, recorded, committee, state="drawing")
    elif committee is not None and committee.state == "seated":  # a draw under way stays under way
        store.move_committee(uow, recorded, committee, state="drawn")
    return recorded


def _lock_attempt(uow: UnitOfWork, procedure: ProcedureRow, member: MemberRow) -> DrawRow | None:
    """Take the attempt in which a member was drawn; None for one who was appointed."""
    known = queries.committee_row(uow.connection, procedure.id)
    if member.attempt is None or known is None or known.draw is None:
        return None
    return store.lock_draw(uow, known.draw, member.attempt)


def _call_of(calls: list[CallRow], index: int) -> CallRow:
    for call in calls:
        if call.index == index:
            return call
    raise Conflict(f"index {index} was never called")
