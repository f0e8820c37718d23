"""Who acts in an evaluation: a member under the name of the seat, or agency and buyer of the procedure."""

from __future__ import annotations

from sqlalchemy import Connection

from trading.evaluation.queries import SittingRow, member_account, sitting_of
from trading.kernel.errors import NotFound, NotPermitted, RuleBroken
from trading.kernel.roles import Actor, Role
from trading.procedures.queries import ProcedureRow


def member_actor(seat: str) -> Actor:
    """Return the actor of a member's acts; the caller has asked ``experts.queries.seat_of`` whose seat it is."""
    return Actor(account=member_account(seat), roles=frozenset({Role.EXPERT}))


def require_sitting(conn: Connection, procedure_id: int, *, sealed: bool = False) -> SittingRow:
    """Return the sitting of a procedure; ``sealed`` for the one act that ends a stop.

    Raises:
        RuleBroken: ``evaluation.not_started`` (EXP-03); ``evaluation.sealed`` (EXP-18): it stands still.
    """
    found = sitting_of(conn, procedure_id)
    if found is None:
        raise RuleBroken("evaluation.not_started", "EXP-03")
    if found.sealed_at is not None and not sealed:
        raise RuleBroken("evaluation.sealed", "EXP-18")
    return found


def require_seat(conn: Connection, procedure_id: int, actor: Actor) -> tuple[SittingRow, str]:
    """Return the sitting and the seat of the member who acts.

    Raises:
        NotFound: The actor is no member who sits here: nobody learns more than that.
        RuleBroken: ``evaluation.not_started`` (EXP-03), ``evaluation.sealed`` (EXP-18).
    """
    sitting = require_sitting(conn, procedure_id)
    seat = actor.account.removeprefix("expert:")
    if Role.EXPERT not in actor.roles or actor.account != member_account(seat) or seat not in sitting.seats:
        raise NotFound("seat")
    return sitting, seat


def require_agency(row: ProcedureRow, actor: Actor) -> None:
    """Let agency and buyer of the procedure act, and nobody else (87-44, 45).

    Raises:
        NotFound: The procedure is somebody else's.
        NotPermitted: The actor does not draft for the agency.
    """
    if actor.organisation not in {row.agency_code, row.buyer_code}:
        raise NotFound(row.reference)
    if Role.AGENCY not in actor.roles:
        raise NotPermitted("the examination is for the agency")


def require_unreported(sitting: SittingRow) -> None:
    """Refuse whatever would change a report that all have signed.

    Raises:
        RuleBroken: ``evaluation.reported`` (EVL-11).
    """
    if sitting.reported_at is not None:
        raise RuleBroken("evaluation.reported", "EVL-11")
