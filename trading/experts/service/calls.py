"""What called experts answer, by the one-time code in their mail (ED1 D10 step 4). No account, no project, no name."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from trading.audit.ledger import Ledger, UnitOfWork
from trading.audit.model import Recorded
from trading.crypto.contact import code_sha256
from trading.experts import queries, store
from trading.experts.model import draw_event
from trading.experts.queries import CallRow, DrawRow
from trading.experts.rules.walk import WITH_REASON, State, reason_commit
from trading.experts.service.custodians import attempt_of
from trading.kernel.errors import InvalidInput, RuleBroken
from trading.kernel.roles import Actor, Role

CALLED: Final = "CALLED"
#: States of an attempt in which its trail grows.
WALKING: Final = ("seeded", "resulted")
ACCEPT, DECLINE, CONFLICT = "accept", "decline", "conflict"
_STATES: Final = {ACCEPT: State.SELECTED, DECLINE: State.REFUSED, CONFLICT: State.RECUSED}
#: Registered reasons of a refusal; what an expert writes more is between him and the supervisor.
REFUSAL_REASONS: Final = ("busy", "ill", "away", "other")
_LONGEST_CODE: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCall:
    """What the page of a code shows: ``answered`` is None while the call is open, else its state."""

    call: CallRow
    answered: str | None
    over: bool


def find(conn: Connection, code: str, at: int) -> OpenCall | None:
    """Return the call behind a code, or None; whoever has no code learns nothing by asking."""
    call = queries.call_by_code(conn, code_sha256(code)) if 0 < len(code) <= _LONGEST_CODE else None
    if call is None:
        return None
    last = _last(conn, call)
    answered = None if last == CALLED else last
    return OpenCall(call=call, answered=answered, over=answered is None and at > call.ends_at)


def _last(conn: Connection, call: CallRow) -> str:
    trail = queries.steps(conn, call.draw, call.attempt)
    return [each.state for each in trail if each.index == call.index][-1]


def answer(ledger: Ledger, code: str, choice: str, reason: str = "") -> str:
    """Record what an expert answers to his call and return the state; the same answer again changes nothing.

    Args:
        ledger: Where to record.
        code: From his mail.
        choice: ``accept``, ``decline`` or ``conflict``.
        reason: Of a refusal, one of ``REFUSAL_REASONS``.

    Raises:
        RuleBroken: ``draw.code_unknown``; ``draw.not_pending``: another answer was recorded; ``draw.answer_late``.
        InvalidInput: ``draw.bad_answer``.
    """
    if choice not in _STATES or (choice == DECLINE and reason not in REFUSAL_REASONS):
        raise InvalidInput("draw.bad_answer", "no such answer or reason")
    with ledger.read() as conn:
        call = queries.call_by_code(conn, code_sha256(code)) if 0 < len(code) <= _LONGEST_CODE else None
    if call is None:
        raise RuleBroken("draw.code_unknown", "ED1 D10")
    state = _STATES[choice]
    actor = Actor(account=f"expert:{call.seat}", roles=frozenset({Role.EXPERT}))
    with ledger.begin(actor) as uow:
        row = store.lock_draw(uow, call.draw, call.attempt)
        if _last(uow.connection, call) != state.value:
            dispose(uow, row, call, state, reason if choice == DECLINE else CONFLICT)
    return state.value


def dispose(uow: UnitOfWork, row: DrawRow, call: CallRow, state: State, reason: str) -> Recorded:
    """Record a disposition that a person gave, under the lock of the draw row; the reason is committed to, not told.

    Raises:
        RuleBroken: ``draw.not_pending``: nobody waits for this answer, or the attempt was cancelled;
            ``draw.answer_late``: its time is over.
    """
    if row.state not in WALKING:
        raise RuleBroken("draw.not_pending", "ED1 D13", state=row.state)
    expected = State.SELECTED.value if state is State.REPLACED else CALLED
    if _last(uow.connection, call) != expected:
        raise RuleBroken("draw.not_pending", "ED1 D10")
    if state is not State.REPLACED and uow.at > call.ends_at:
        raise RuleBroken("draw.answer_late", "ED1 D10", ends_at=call.ends_at)
    salt = secrets.token_bytes(32)
    committed = reason_commit(salt, reason).hex() if state in WITH_REASON else None
    event = draw_event(
        "disposed",
        attempt_of(row),
        index=call.index,
        reason_commit=committed,
        state=state.value,
        stratum=call.stratum,
    )
    recorded = uow.record(event)
    store.add_step(uow, recorded, row, state.value)
    if committed is not None:
        store.add_reason(uow.connection, row, call.index, state.value, salt, reason)
    return recorded
