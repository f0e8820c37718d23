"""Seats that are open after an attempt, and how the agency may change the plan to fill them (ED1 D5, D10).

A result that falls short is never drawn again: what it seated stays, and a further attempt draws for the open seats
alone. Until an attempt is specified the agency may widen region or specialty; how many are drawn stays as planned.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

from trading.audit.ledger import UnitOfWork
from trading.experts import queries, store
from trading.experts.queries import CommitteeRow, DrawRow, MemberRow
from trading.experts.rules.plan import Plan
from trading.experts.rules.results import is_incomplete, parse_result
from trading.experts.rules.spec import parse_spec
from trading.experts.rules.walk import trail_root
from trading.kernel.errors import NotFound, RuleBroken

SPEC: Final = "ed1.spec"
ESCROW: Final = "ed1.escrow"
#: Sealed to the contact service: what a further attempt is prepared from. Never signed, never recorded.
HANDOVER: Final = "mb.draw-handover"
#: Strata that are too small once exclusions are known. Never signed, never recorded.
SHORTFALL: Final = "mb.draw-shortfall"
#: Everything that is made anew when an attempt is prepared again.
PREPARED: Final = (SPEC, ESCROW, HANDOVER, SHORTFALL)
_SEATED: Final = frozenset({"expected", "present"})


def seated_experts(conn: Connection, procedure_id: int) -> tuple[MemberRow, ...]:
    """Return the seats that draws have filled and nobody has left."""
    return tuple(
        each for each in queries.members(conn, procedure_id) if each.kind == "expert" and each.state in _SEATED
    )


def open_needs(plan: Plan, seated: tuple[MemberRow, ...]) -> dict[str, int]:
    """Return how many experts each stratum of the plan still lacks; a stratum that lacks none is left out."""
    filled = [each.stratum for each in seated]
    wanted = {item.id: item.need - filled.count(item.id) for item in plan.strata}
    return {stratum: need for stratum, need in wanted.items() if need > 0}


def previous_of(conn: Connection, row: DrawRow) -> str | None:
    """Return the document that an attempt follows: the cancellation or the last result of the one before it (D5).

    Raises:
        RuleBroken: ``draw.attempt_hidden``: the attempt before has not ended.
    """
    if row.attempt == 1:
        return None
    found = queries.answers(conn, row.draw, row.attempt - 1, "cancel", "result")
    if not found:
        raise RuleBroken("draw.attempt_hidden", "ED1 D13")
    return found[-1].sha256


def falls_short(conn: Connection, row: DrawRow) -> bool:
    """Return whether the last result of an attempt is incomplete; False while there is none."""
    if row.state != "resulted" or row.result_sha256 is None or row.spec_sha256 is None:
        return False
    return is_incomplete(parse_result(_doc(conn, row.result_sha256)), parse_spec(_doc(conn, row.spec_sha256)))


def require_walks_ended(conn: Connection, procedure_id: int) -> None:
    """Refuse while any walk of the procedure goes on: its next call may fill the seat.

    Raises:
        RuleBroken: ``draw.unfinished``.
    """
    for row in queries.draws_of(conn, procedure_id):
        if row.seed is None or row.state not in {"seeded", "resulted"}:
            continue
        hashes = [step.h for step in queries.steps(conn, row.draw, row.attempt)]
        ended = None if row.result_sha256 is None else parse_result(_doc(conn, row.result_sha256))
        if ended is None or ended.trail_root != trail_root(hashes):
            raise RuleBroken("draw.unfinished", "ED1 D10", attempt=row.attempt)


def _doc(conn: Connection, sha256: str) -> bytes:
    return queries.signed_document(conn, sha256).doc


def may_widen(conn: Connection, committee: CommitteeRow) -> bool:
    """Return whether the agency may change the plan of a draw that has begun: no spec of it can be signed any more.

    That is so while an attempt has no signature under its spec, after a cancellation, and after an incomplete result.
    """
    if committee.state != "drawing" or committee.draw is None:
        return False
    try:
        row = queries.find_draw(conn, committee.draw)
    except NotFound:
        return True  # the custodians are still proving their keys
    if row.state == "policy_fixed":
        drafts = [each for each in queries.papers(conn, row.draw) if each.typ == SPEC and each.attempt == row.attempt]
        return not any(each.signed.sigs for each in drafts)
    return row.state == "cancelled" or falls_short(conn, row)


def require_widened(conn: Connection, committee: CommitteeRow, plan: Plan) -> None:
    """Refuse a change that does more than widen the strata of the open seats.

    Raises:
        RuleBroken: ``committee.drawing``: a spec is signed, or nothing is open; ``committee.only_widened``: numbers
            change, a seat that is filled falls out, or those who are seated were told another time or place.
    """
    if not may_widen(conn, committee):
        raise RuleBroken("committee.drawing", "EXP-10")
    before, seated = queries.plan_of(conn, committee), seated_experts(conn, committee.procedure_id)
    same = _numbers(plan) == _numbers(before)
    filled = [each.stratum for each in seated]
    need = {item.id: item.need for item in plan.strata}
    kept = all(need.get(stratum or "", 0) >= filled.count(stratum) for stratum in set(filled))
    met = not seated or plan.meeting == before.meeting
    if not (same and kept and met):
        raise RuleBroken("committee.only_widened", "ED1 D5", experts=before.experts)


def _numbers(plan: Plan) -> tuple[object, ...]:
    return plan.experts, plan.representatives, plan.large, plan.traits


def lock_newest(uow: UnitOfWork, committee: CommitteeRow | None) -> DrawRow | None:
    """Take the row of the newest attempt of a committee's draw before anything else of it; None if none has begun."""
    if committee is None or committee.draw is None:
        return None
    try:
        return store.lock_draw(uow, committee.draw)
    except NotFound:
        return None


def prepare_anew(uow: UnitOfWork, row: DrawRow) -> None:
    """Withdraw what was prepared for an attempt and have it prepared again; nothing of it is signed."""
    store.drop_papers(uow.connection, row.draw, row.attempt, PREPARED)
    uow.wake("experts.advance", {"draw": row.draw}, uow.at)
