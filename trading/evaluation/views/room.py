"""The list of evaluations and the room of one: what is done, what is next, who has signed without what was signed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from flask import redirect, render_template, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response
from wtforms.fields import SelectChoice  # type: ignore[attr-defined]  # newer than its types

from trading.evaluation import queries, service
from trading.evaluation.forms import ActForm, ReplaceForm, SealForm
from trading.evaluation.queries import ReportRow
from trading.evaluation.rules.examination import Step
from trading.evaluation.service import LotState
from trading.evaluation.views.blueprint import Room, blueprint, names_of, page, reading, runtime
from trading.evaluation.views.masking import in_order
from trading.evaluation.views.signing import handing_of
from trading.experts import queries as experts
from trading.kernel.errors import RuleBroken
from trading.kernel.roles import Role
from trading.procedures import queries as procedures
from trading.procedures.queries import LotRow
from trading.web.forms import Form
from trading.web.permissions import allow, current_actor


@dataclass(frozen=True, slots=True, kw_only=True)
class LotLine:
    """One lot in the room. ``state`` is None for a lot that is not in evaluation.

    ``signed`` are the seats whose sheets are signed; ``voted`` the bids on whose conformity this member has voted.
    """

    lot: LotRow
    state: LotState | None
    signed: tuple[str, ...]
    opened: bool
    names: Mapping[str, str]
    voted: frozenset[str]
    handing: Mapping[str, Any] = field(default_factory=dict)
    renewals: Sequence[queries.RenewalRow] = ()


@blueprint.get("")
@allow(Role.EXPERT, Role.AGENCY, relation="assigned_panel")
def overview() -> str:
    """Show the evaluations of a member, or those of an agency's procedures."""
    actor = current_actor()
    with runtime().ledger.read() as conn:
        seats = dict(experts.own_seats(conn, actor))
        own = [procedures.by_id(conn, procedure_id) for procedure_id in seats]
        agency = queries.procedures_of(conn, actor.organisation) if Role.AGENCY in actor.roles else []
        rows = {row.reference: row for row in [*own, *(procedures.find(conn, each) for each in agency)]}
        lines = [(row, seats.get(row.id), queries.sitting_of(conn, row.id)) for row in rows.values()]
    return render_template("evaluation/overview.html", lines=lines, expert=Role.EXPERT in actor.roles)


@blueprint.get("/<reference>")
@allow(Role.EXPERT, Role.AGENCY, relation="assigned_panel")
def room(reference: str) -> tuple[str, HTTPStatus]:
    """Show one evaluation."""
    with reading(reference) as (conn, entered):
        return room_page(conn, entered, ActForm())


def room_page(conn: Connection, entered: Room, form: Form) -> tuple[str, HTTPStatus]:
    """Render the room as this person sees it, with what the form was refused for."""
    lines = [_line(conn, entered, lot) for lot in procedures.lots_of(conn, entered.row.id)]
    committee = experts.committee_of(conn, entered.row.id)
    report = queries.report_of(conn, entered.row.id)
    return page(
        "room.html",
        form,
        room=entered,
        lines=lines,
        committee=committee,
        replace=_replace_form(entered, committee) if entered.seat is None else None,
        report=report if _current(entered, report) else None,
        seal=_seal_form(entered, committee, form),
        asked=_asked(conn, entered),
    )


def _seal_form(entered: Room, committee: experts.Committee | None, form: Form) -> SealForm | None:
    """Return the form that stops the evaluation; None while no seat stands empty, or if it is over or stopped."""
    sitting = entered.sitting
    if entered.seat is not None or committee is None or sitting is None or sitting.reported_at or sitting.sealed_at:
        return None
    present = {member.seat for member in committee.members if member.state == "present"}
    if present.issuperset(sitting.seats):
        return None
    return form if isinstance(form, SealForm) else SealForm(formdata=None)


def _asked(conn: Connection, entered: Room) -> frozenset[str]:
    """Return the seats that find the time too short in this round of the vote."""
    if entered.sitting is None:
        return frozenset()
    return queries.time_votes(conn, entered.row.id, entered.sitting.extensions)


def _current(entered: Room, report: ReportRow | None) -> bool:
    return report is not None and entered.sitting is not None and report.number == entered.sitting.report_number


def _line(conn: Connection, entered: Room, lot: LotRow) -> LotLine:
    if lot.phase != "opened":
        return LotLine(lot=lot, state=None, signed=(), opened=False, names={}, voted=frozenset())
    state = in_order(service.load_lot(conn, entered.row, lot, entered.at))
    votes = queries.votes_of(conn, state.place, Step.CONFORMITY)
    return LotLine(
        lot=lot,
        state=state,
        signed=tuple(sorted(queries.signatures_of(conn, state.place))),
        opened=queries.scoring_of(conn, state.place) is not None,
        names=names_of(conn, state),
        voted=frozenset(bid for bid, by in votes.items() if entered.seat in by),
        handing=handing_of(conn, entered, state),
        renewals=queries.renewals_of(conn, state.place),
    )


def _replace_form(entered: Room, committee: experts.Committee | None) -> ReplaceForm | None:
    """Return the form that exchanges a member; None while nobody has left."""
    if entered.sitting is None or committee is None:
        return None
    sitting = set(entered.sitting.seats)
    left = [
        member.seat
        for member in committee.members
        if member.seat in sitting and member.state in {"recused", "replaced"}
    ]
    fresh = [member.seat for member in committee.sitting if member.seat not in sitting and member.state == "present"]
    if not left:
        return None
    form = ReplaceForm()
    form.seat.choices, form.by.choices = [SelectChoice(seat) for seat in left], [SelectChoice(seat) for seat in fresh]
    return form


@blueprint.post("/<reference>/start")
@allow(Role.AGENCY, relation="own_org")
def start(reference: str) -> Response | tuple[str, HTTPStatus]:
    """Begin the sitting."""
    form = ActForm()
    try:
        service.start(runtime().ledger, current_actor(), reference)
    except RuleBroken as refusal:
        form.form_errors = []
        form.refuse(refusal)
        with reading(reference) as (conn, entered):
            return room_page(conn, entered, form)
    return _back(reference)


@blueprint.post("/<reference>/members")
@allow(Role.AGENCY, relation="own_org")
def replace(reference: str) -> Response | tuple[str, HTTPStatus]:
    """Exchange a member who left."""
    form = ActForm()
    with reading(reference) as (conn, entered):
        chosen = _replace_form(entered, experts.committee_of(conn, entered.row.id))
        if chosen is None or not chosen.validate():
            form.form_errors = [message for _, message in chosen.problems] if chosen is not None else []
            return room_page(conn, entered, form)
    try:
        seat, by, reason = (str(field.data) for field in (chosen.seat, chosen.by, chosen.reason))
        service.replace_member(runtime().ledger, current_actor(), reference, seat, by, reason)
    except RuleBroken as refusal:
        form.refuse(refusal)
        with reading(reference) as (conn, entered):
            return room_page(conn, entered, form)
    return _back(reference)


@blueprint.post("/<reference>/lots/<lot>/rank")
@allow(Role.AGENCY, relation="own_org")
def rank(reference: str, lot: str) -> Response | tuple[str, HTTPStatus]:
    """Record the ranking that the signed report states, or the failure of a lot with too few bids."""
    form = ActForm()
    with reading(reference) as (_conn, entered):
        place = entered.place(lot)
    try:
        service.evaluate(runtime().ledger, current_actor(), reference, place.lot, place.stage)
    except RuleBroken as refusal:
        form.refuse(refusal)
        with reading(reference) as (conn, entered):
            return room_page(conn, entered, form)
    return _back(reference)


def _back(reference: str) -> Response:
    return redirect(url_for("evaluation.room", reference=reference), HTTPStatus.SEE_OTHER)
