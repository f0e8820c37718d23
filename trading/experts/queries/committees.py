"""Committees, their seats and, after the result, the members' names."""

from __future__ import annotations

import json

from sqlalchemy import Connection, func, select

from trading.audit.tables import audit_entry
from trading.experts.queries.draws import signed_document
from trading.experts.queries.values import CommitteeRow, MemberRow, PanelName, committee_row_of
from trading.experts.rules.composition import Committee, Member
from trading.experts.rules.plan import Plan, parse_plan
from trading.experts.tables import committee, committee_member, panel_name, seat_holder
from trading.kernel.errors import NotFound
from trading.kernel.roles import Actor
from trading.openings.rules.orders import parse_order
from trading.procedures.tables import procedure


def committee_row(conn: Connection, procedure_id: int) -> CommitteeRow | None:
    """Return the committee's row, or None before it was planned."""
    row = conn.execute(select(committee).where(committee.c.procedure_id == procedure_id)).one_or_none()
    return None if row is None else committee_row_of(row)


def committee_of_draw(conn: Connection, name: str) -> CommitteeRow:
    """Return the committee that a draw serves.

    Raises:
        NotFound: None.
    """
    row = conn.execute(select(committee).where(committee.c.draw == name)).one_or_none()
    if row is None:
        raise NotFound(name)
    return committee_row_of(row)


def plan_of(conn: Connection, row: CommitteeRow) -> Plan:
    """Return the plan of a committee."""
    return parse_plan(signed_document(conn, row.plan_sha256).doc)


def members(conn: Connection, procedure_id: int) -> list[MemberRow]:
    """Return the seats of a procedure's committee, by name of the seat."""
    query = select(committee_member).where(committee_member.c.procedure_id == procedure_id)
    return [
        MemberRow(
            id=row.id,
            seat=row.seat,
            kind=row.kind,
            stratum=row.stratum,
            state=row.state,
            attempt=row.attempt,
            index=row.index_no,
        )
        for row in conn.execute(query.order_by(committee_member.c.seat))
    ]


def member_by_seat(conn: Connection, seat: str) -> tuple[int, MemberRow] | None:
    """Return (procedure row id, member) of a seat."""
    query = select(committee_member.c.procedure_id).where(committee_member.c.seat == seat)
    procedure_id = conn.execute(query).scalar_one_or_none()
    if procedure_id is None:
        return None
    return procedure_id, next(row for row in members(conn, procedure_id) if row.seat == seat)


def committee_of(conn: Connection, procedure_id: int) -> Committee | None:
    """Return the committee of a procedure; None before it was planned."""
    row = committee_row(conn, procedure_id)
    if row is None:
        return None
    declared, plan = _declared(conn, procedure_id), plan_of(conn, row)
    return Committee(
        draw=row.draw,
        members=tuple(_member(each, declared) for each in members(conn, procedure_id)),
        state=row.state,  # type: ignore[arg-type]  # the column holds only these
        large=plan.large,
        traits=plan.traits,
        remote=bool(plan.sites),
    )


def bidders_told(conn: Connection, procedure_id: int) -> int | None:
    """Return the row id of the record that last told who the bidders are; None before any opening was ordered."""
    query = select(func.max(audit_entry.c.id)).where(
        audit_entry.c.procedure_id == procedure_id, audit_entry.c.kind == "open.ordered"
    )
    found: int | None = conn.execute(query).scalar_one()
    return found


def known_bidders(conn: Connection, procedure_id: int) -> frozenset[str]:
    """Return the bidders' organisation codes as the open orders name them; before those even a count would hint."""
    query = select(audit_entry.c.record).where(
        audit_entry.c.procedure_id == procedure_id, audit_entry.c.kind == "open.ordered"
    )
    digests = [json.loads(record)["body"]["order_sha256"] for record in conn.execute(query).scalars()]
    orders = [parse_order(signed_document(conn, digest).doc) for digest in digests]
    return frozenset(bid.bidder for order in orders for bid in order.bids)


def _declared(conn: Connection, procedure_id: int) -> frozenset[str]:
    """Return the seats that have declared to have no interest, knowing the bidders; only the records keep it.

    What was said before an opening of the procedure was about bidders nobody knew: it is said again (EXP-15).
    """
    query = select(audit_entry.c.record).where(
        audit_entry.c.procedure_id == procedure_id,
        audit_entry.c.kind == "seat.declared",
        audit_entry.c.id > (bidders_told(conn, procedure_id) or 0),
    )
    return frozenset(json.loads(record)["body"]["seat"] for record in conn.execute(query).scalars())


def _member(row: MemberRow, declared: frozenset[str]) -> Member:
    return Member(
        seat=row.seat,
        kind=row.kind,  # type: ignore[arg-type]  # the column holds only these
        stratum=row.stratum,
        state=row.state,  # type: ignore[arg-type]
        declared=row.seat in declared,
    )


def as_person(conn: Connection, account: str) -> None:
    """Tell row-level security whose own seats this transaction may see."""
    conn.execute(select(func.set_config("mingbiao.person", account, True)))  # noqa: FBT003 - for this transaction alone


def seat_of(conn: Connection, procedure_id: int, actor: Actor) -> Member | None:
    """Return the own seat of a signed-in person; nobody else's can be asked for."""
    as_person(conn, actor.account)
    query = select(seat_holder.c.seat).where(
        seat_holder.c.procedure_id == procedure_id, seat_holder.c.account == actor.account
    )
    seat = conn.execute(query).scalar_one_or_none()
    if seat is None:
        return None
    declared = _declared(conn, procedure_id)
    return next((_member(row, declared) for row in members(conn, procedure_id) if row.seat == seat), None)


def own_seats(conn: Connection, actor: Actor) -> list[tuple[int, str]]:
    """Return (procedure row id, seat) of every seat of a signed-in person."""
    as_person(conn, actor.account)
    query = select(seat_holder.c.procedure_id, seat_holder.c.seat).where(seat_holder.c.account == actor.account)
    return [(row.procedure_id, row.seat) for row in conn.execute(query.order_by(seat_holder.c.entry_id))]


def evaluation_ended(conn: Connection, procedure_id: int) -> bool:
    """Whether the report of the evaluation is signed by all; the records tell, its rows stand above this package."""
    query = select(audit_entry.c.id).where(
        audit_entry.c.procedure_id == procedure_id, audit_entry.c.kind == "evaluation.reported"
    )
    return conn.execute(query.limit(1)).first() is not None


def published_leaves(conn: Connection, agency_code: str, since: int) -> list[bytes]:
    """Return the opened leaves of experts whose panels of an agency's procedures were published, from an instant on."""
    query = (
        select(panel_name.c.leaf)
        .join(procedure, procedure.c.id == panel_name.c.procedure_id)
        .where(
            procedure.c.agency_code == agency_code, procedure.c.published_at >= since, panel_name.c.leaf.is_not(None)
        )
    )
    return [bytes(leaf) for leaf in conn.execute(query).scalars()]


def panel_of(conn: Connection, procedure_id: int) -> list[PanelName]:
    """Return the members' names after their disclosure, by stratum and seat; empty before it."""
    query = (
        select(panel_name, committee_member.c.kind, committee_member.c.stratum, committee_member.c.index_no)
        .join(committee_member, committee_member.c.seat == panel_name.c.seat)
        .where(panel_name.c.procedure_id == procedure_id)
        .order_by(committee_member.c.kind, committee_member.c.stratum, panel_name.c.seat)
    )
    return [
        PanelName(
            seat=row.seat,
            name=row.name,
            employer=row.employer,
            kind=row.kind,
            stratum=row.stratum,
            index=row.index_no,
            leaf=None if row.leaf is None else bytes(row.leaf),
        )
        for row in conn.execute(query)
    ]


def committees(conn: Connection) -> list[CommitteeRow]:
    """Return every committee."""
    return [committee_row_of(row) for row in conn.execute(select(committee).order_by(committee.c.entry_id))]
