"""The expert's own pages: answering a call by the code of the mail, the seat, the declaration of interests."""

from __future__ import annotations

from http import HTTPStatus
from typing import TypeAlias

from flask import Blueprint, make_response, redirect, render_template, url_for
from werkzeug.wrappers import Response as AnyResponse

from trading.audit.service import platform_ms
from trading.experts import queries
from trading.experts.forms import CallForm, ContestForm, DeclareForm, SeatForm, TakeForm
from trading.experts.rules.discipline import PROMISE_EN, PROMISE_ZH
from trading.experts.rules.strata import stratum_title
from trading.experts.service import calls, contests, seats
from trading.experts.views.desk import runtime
from trading.kernel.canonical import loads_object
from trading.kernel.errors import InvalidInput, NotFound, RuleBroken
from trading.kernel.roles import Role
from trading.parties.queries import organisations
from trading.procedures import queries as procedures
from trading.web.permissions import allow, current_actor, public

blueprint = Blueprint("calls", __name__)

Answer: TypeAlias = str | AnyResponse | tuple[str, int]
_WRONG = HTTPStatus.UNPROCESSABLE_ENTITY
_PROMISE = (PROMISE_ZH, PROMISE_EN)


@blueprint.route("/draws/call/<code>", methods=["GET", "POST"])
@public
def call(code: str) -> AnyResponse:
    """Answer a call. A code that is unknown gets the same page as one whose time is over: it tells nothing."""
    form, status = CallForm(), HTTPStatus.OK
    if form.is_submitted():
        status = _WRONG
        if form.validate():
            try:
                calls.answer(runtime().ledger, code, form.choice.data, form.reason.data)
            except (RuleBroken, InvalidInput):
                # What the page shows next says it all: open, answered, or over.
                status = HTTPStatus.OK
            else:
                return redirect(url_for("calls.call", code=code), HTTPStatus.SEE_OTHER)
    with runtime().ledger.read() as conn:
        found = calls.find(conn, code, platform_ms(conn))
    shown = None if found is None or (found.over and found.answered is None) else found
    meeting = {} if shown is None else loads_object(shown.call.meeting)
    specialty = ("", "") if shown is None else stratum_title(shown.call.stratum)
    page = render_template("experts/call.html", found=shown, meeting=meeting, specialty=specialty, form=form)
    response = make_response(page, status)
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.route("/draws/contest/<code>", methods=["GET", "POST"])
@public
def contest(code: str) -> AnyResponse:
    """Contest what was recorded, by the code of the supervisor's notice. An unknown code tells nothing."""
    form, status = ContestForm(), HTTPStatus.OK
    if form.is_submitted():
        status = _WRONG
        if form.validate():
            try:
                contests.contest(runtime().ledger, code, form.statement.data or "")
            except (RuleBroken, InvalidInput) as error:
                form.refuse(error, "statement")
            else:
                return redirect(url_for("calls.contest", code=code), HTTPStatus.SEE_OTHER)
    with runtime().ledger.read() as conn:
        found = contests.find(conn, code, platform_ms(conn))
    response = make_response(render_template("experts/contest.html", found=found, form=form), status)
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.route("/draws/mine", methods=["GET", "POST"])
@allow(Role.EXPERT, step_up=True)
def mine() -> Answer:
    """The expert's seats, and signing in with a seat code."""
    form, status = SeatForm(), HTTPStatus.OK
    if form.is_submitted():
        status = _WRONG
        if form.validate():
            try:
                taken = seats.sign_in(
                    runtime().ledger,
                    current_actor(),
                    (form.seat_code.data or "").strip(),
                    promised=bool(form.promise.data),
                )
            except (RuleBroken, InvalidInput) as error:
                form.refuse(error, "promise" if error.code == "seat.not_promised" else "seat_code")
            else:
                return redirect(url_for("calls.declare", reference=taken.reference), HTTPStatus.SEE_OTHER)
    with runtime().ledger.read() as conn:
        found = [
            (procedures.by_id(conn, procedure_id), queries.member_by_seat(conn, seat))
            for procedure_id, seat in queries.own_seats(conn, current_actor())
        ]
    return render_template("experts/mine.html", form=form, seats=found, promise=_PROMISE), status


@blueprint.route("/draws/mine/<reference>", methods=["GET", "POST"])
@allow(Role.EXPERT, Role.AGENCY, Role.REVIEWER, relation="assigned_panel", step_up=True)
def declare(reference: str) -> Answer:
    """The declaration of interests of a member (EXP-15, EXP-16); a conflict takes him off at once."""
    form, status = DeclareForm(), HTTPStatus.OK
    with runtime().ledger.read() as conn:
        procedure = procedures.find(conn, reference)
        seat = queries.seat_of(conn, procedure.id, current_actor())
        bidders = None
        if queries.bidders_told(conn, procedure.id) is not None:
            known = organisations(conn, tuple(queries.known_bidders(conn, procedure.id)))
            bidders = sorted((each.name_zh, each.name_en) for each in known.values())
    if seat is None:
        return redirect(url_for("calls.mine"), HTTPStatus.SEE_OTHER)
    if form.is_submitted():
        status = _WRONG
        if form.validate():
            try:
                seats.declare(runtime().ledger, current_actor(), reference, form.declaration.data)
            except (RuleBroken, InvalidInput) as error:
                form.refuse(error)
            else:
                return redirect(url_for("calls.declare", reference=reference), HTTPStatus.SEE_OTHER)
    values = {"procedure": procedure, "seat": seat, "bidders": bidders, "promise": _PROMISE}
    return render_template("experts/declare.html", form=form, take=TakeForm(formdata=None), **values), status


@blueprint.post("/draws/mine/<reference>/seat")
@allow(Role.AGENCY, Role.REVIEWER, relation="assigned_panel", step_up=True)
def take(reference: str) -> Answer:
    """Let the buyer's representative take the seat that his account was given, with the promise of all members."""
    form = TakeForm()
    if form.validate():
        try:
            promised = bool(form.promise.data)
            seats.sign_in_representative(runtime().ledger, current_actor(), reference, promised=promised)
        except RuleBroken as error:
            form.refuse(error, "promise")
        else:
            return redirect(url_for("calls.declare", reference=reference), HTTPStatus.SEE_OTHER)
    with runtime().ledger.read() as conn:
        procedure = procedures.find(conn, reference)
        seat = queries.seat_of(conn, procedure.id, current_actor())
    if seat is None:
        raise NotFound(reference)
    values = {"procedure": procedure, "seat": seat, "bidders": None, "promise": _PROMISE}
    return render_template("experts/declare.html", form=form, take=form, **values), _WRONG
