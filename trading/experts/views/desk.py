"""The centre's and the supervisor's pages of draws, and the agency's page of its committee. No names anywhere."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final, TypeAlias, cast

from flask import Blueprint, current_app, redirect, render_template, url_for
from werkzeug.wrappers import Response as AnyResponse
from wtforms.fields import SelectChoice  # type: ignore[attr-defined]  # newer than its types

from trading.accounts import service as accounts
from trading.audit.runtime import Runtime
from trading.experts import queries
from trading.experts.forms import AppointForm, BeginForm, CancelForm, DecideContestForm, PlanForm, ReplaceForm
from trading.experts.rules.identity import Identity
from trading.experts.rules.strata import counted
from trading.experts.service import advance, committees, contests, pages, papers, seats
from trading.experts.service.pages import DrawPage
from trading.kernel.errors import InvalidInput, NotFound, RuleBroken
from trading.kernel.roles import Role
from trading.procedures import queries as procedures
from trading.web.locale import gettext as _
from trading.web.permissions import allow, current_actor
from trading.web.signing import SigningForm, signed_documents, takes_documents

blueprint = Blueprint("draws", __name__)

Answer: TypeAlias = str | AnyResponse | tuple[str, int]
_HOLDERS: Final = (Role.CENTRE, Role.SUPERVISOR)
_AGENCY: Final = (Role.AGENCY, Role.REVIEWER)
_WRONG: Final = HTTPStatus.UNPROCESSABLE_ENTITY


def runtime() -> Runtime:
    """Return ledger, stores and clock of this process."""
    return cast("Runtime", current_app.extensions["runtime"])


@blueprint.get("/draws")
@allow(*_HOLDERS, relation="jurisdiction")
def index() -> str:
    """The committees that are to be drawn, and those whose draw is under way."""
    with runtime().ledger.read() as conn:
        found = pages.index(conn, current_actor())
    return render_template("experts/index.html", rows=found, centre=Role.CENTRE in current_actor().roles)


@blueprint.get("/pool")
@allow(Role.CENTRE, Role.SUPERVISOR, Role.AUDITOR)
def pool() -> str:
    """How many experts stand in each stratum; nobody sees a list."""
    with runtime().ledger.read() as conn:
        counts, snapshot = queries.counts(conn), queries.newest_snapshot(conn)
    return render_template("experts/pool.html", counts=counts, snapshot=snapshot, guessable=pages.GUESSABLE)


@blueprint.route("/draws/begin/<reference>", methods=["GET", "POST"])
@allow(Role.CENTRE, step_up=True)
def begin(reference: str) -> Answer:
    """Begin the draw of a planned committee."""
    form, status = BeginForm(), HTTPStatus.OK
    with runtime().ledger.read() as conn:
        procedure = procedures.find(conn, reference)
        committee = queries.committee_row(conn, procedure.id)
        if committee is None:
            raise NotFound(reference)
        plan, active = queries.plan_of(conn, committee), {row.stratum: row.active for row in queries.counts(conn)}
    if form.is_submitted():
        status = _WRONG
        if form.validate():
            try:
                name = committees.begin_draw(runtime().ledger, current_actor(), reference, windows=form.windows)
            except (RuleBroken, InvalidInput) as error:
                form.refuse(error)
            else:
                return redirect(url_for("draws.draw", draw=name), HTTPStatus.SEE_OTHER)
    page = render_template(
        "experts/begin.html",
        form=form,
        procedure=procedure,
        plan=plan,
        counts=counted(active, [item.id for item in plan.strata]),
        guessable=pages.GUESSABLE,
        begun=committee.draw,
    )
    return page, status


def _page(draw: str) -> DrawPage:
    with runtime().ledger.read() as conn:
        return pages.draw_page(conn, current_actor(), draw)


@blueprint.get("/draws/<draw>")
@allow(*_HOLDERS, relation="jurisdiction")
def draw(draw: str) -> str:
    """One draw: criteria, exclusions as counts, progress of every step, what waits for a signature."""
    return render_template(
        "experts/draw.html",
        page=_page(draw),
        cancel=CancelForm(),
        replace=_replace_form(_page(draw)),
        role=_role(),
    )


def _role() -> str:
    return "centre" if Role.CENTRE in current_actor().roles else "supervisor"


def _replace_form(page: DrawPage) -> ReplaceForm:
    form = ReplaceForm()
    form.seat.choices = [
        SelectChoice(each.seat, each.seat) for each in page.members if each.state in {"expected", "present"}
    ]
    return form


@blueprint.route("/draws/<draw>/papers/<sha256>", methods=["GET", "POST"])
@allow(*_HOLDERS, relation="jurisdiction")
@takes_documents
def paper(draw: str, sha256: str) -> Answer:
    """One document in words; centre or supervisor signs it here with the device key."""
    page, form, status = _page(draw), SigningForm(), HTTPStatus.OK
    found = next(((each, needs) for each, needs in page.pending if each.sha256 == sha256), None)
    if found is None:
        raise NotFound(sha256)
    mine = _role() in found[1]
    if form.is_submitted() and mine and form.validate():
        try:
            (signed,) = signed_documents(form)
            if signed.sha256 != sha256:
                raise InvalidInput("signing.other_document")
            papers.collect(runtime().ledger, current_actor(), draw, signed)
        except (RuleBroken, InvalidInput) as error:
            form.refuse(error)
            status = _WRONG
        else:
            return redirect(url_for("draws.draw", draw=draw), HTTPStatus.SEE_OTHER)
    form.put([(title(found[0].typ), found[0].doc)])
    shown = render_template(
        "experts/paper.html", page=page, paper=found[0], needs=found[1], form=form, mine=mine, role=_role()
    )
    return shown, status


def title(typ: str) -> str:
    """Return what a document of a draw is called."""
    titles = {
        "ed1.policy": _("Custodians of the draw"),
        "ed1.spec": _("Specification of the draw"),
        "ed1.escrow": _("Escrow of a key of the draw"),
        "ed1.waiver": _("Waiver of a share check"),
        "ed1.adjudication": _("Finding about a share"),
        "ed1.result": _("Result of the draw"),
        "ed1.cancel": _("Cancellation of the attempt"),
        "ed1.key-order": _("Order to hand over a key"),
    }
    return titles.get(typ, typ)


@blueprint.post("/draws/<draw>/cancel")
@allow(*_HOLDERS, relation="jurisdiction")
def cancel(draw: str) -> Answer:
    """Put the cancellation of an attempt before both signers."""
    page, form = _page(draw), CancelForm()
    if form.validate_on_submit():
        try:
            advance.draft_cancel(runtime().ledger, current_actor(), draw, form.reason.data or "")
        except (RuleBroken, InvalidInput) as error:
            form.refuse(error)
        else:
            return redirect(url_for("draws.draw", draw=draw), HTTPStatus.SEE_OTHER)
    shown = render_template("experts/draw.html", page=page, cancel=form, replace=_replace_form(page), role=_role())
    return shown, _WRONG


@blueprint.post("/draws/<draw>/again")
@allow(Role.CENTRE)
def again(draw: str) -> Answer:
    """Begin the next attempt after a cancellation or for open seats, or freeze the pool anew before any signature."""
    page = _page(draw)
    if page.row is not None and page.row.state != "policy_fixed":
        advance.next_attempt(runtime().ledger, current_actor(), draw)
    else:
        advance.prepare_again(runtime().ledger, current_actor(), draw)
    return redirect(url_for("draws.draw", draw=draw), HTTPStatus.SEE_OTHER)


@blueprint.route("/draws/<draw>/contests/<commit>", methods=["GET", "POST"])
@allow(Role.SUPERVISOR, relation="jurisdiction", step_up=True)
def contest(draw: str, commit: str) -> Answer:
    """What an expert says about a record, and the supervisor's decision; the centre does not read his words."""
    page, form, status = _page(draw), DecideContestForm(), HTTPStatus.OK
    if form.is_submitted():
        status = _WRONG
        if form.validate():
            upheld = form.decision.data == contests.UPHELD
            try:
                contests.decide(runtime().ledger, current_actor(), draw, commit, upheld=upheld)
            except (RuleBroken, InvalidInput) as error:
                form.refuse(error)
            else:
                return redirect(url_for("draws.contest", draw=draw, commit=commit), HTTPStatus.SEE_OTHER)
    with runtime().ledger.read() as conn:
        found = contests.find_contest(conn, current_actor(), draw, commit)
    return render_template("experts/decide_contest.html", page=page, found=found, form=form), status


@blueprint.post("/draws/<draw>/replace")
@allow(Role.CENTRE, step_up=True)
def replace(draw: str) -> Answer:
    """Replace a member by seat; the same walk calls the next one."""
    page = _page(draw)
    form = _replace_form(page)
    if form.validate_on_submit():
        try:
            seats.replace(runtime().ledger, current_actor(), page.procedure.reference, form.seat.data, form.reason.data)
        except (RuleBroken, InvalidInput) as error:
            form.refuse(error)
        else:
            return redirect(url_for("draws.draw", draw=draw), HTTPStatus.SEE_OTHER)
    shown = render_template("experts/draw.html", page=page, cancel=CancelForm(), replace=form, role=_role())
    return shown, _WRONG


@blueprint.route("/agency/<reference>/committee", methods=["GET", "POST"])
@allow(*_AGENCY, relation="own_org")
def plan(reference: str) -> Answer:
    """The agency's plan: how many of which specialties, when and where; and who represents the buyer."""
    form, status = PlanForm(), HTTPStatus.OK
    with runtime().ledger.read() as conn:
        page = pages.plan_page(conn, current_actor(), reference)
        form.offer(queries.specialties(conn))
    if page.plan is not None and not form.is_submitted():
        form.show(page.plan)
    if form.is_submitted():
        status = _WRONG
        if form.validate():
            try:
                committees.plan_committee(runtime().ledger, current_actor(), reference, form.body())
            except (RuleBroken, InvalidInput) as error:
                form.refuse(error, "evaluation_at" if error.code.startswith("instant.") else None)
            else:
                return redirect(url_for("draws.plan", reference=reference), HTTPStatus.SEE_OTHER)
    return render_template("experts/plan.html", page=page, form=form, appoint=AppointForm()), status


@blueprint.post("/agency/<reference>/committee/representative")
@allow(*_AGENCY, relation="own_org", step_up=True)
def appoint(reference: str) -> Answer:
    """Give a seat of the buyer to an account; the name is sealed until the result."""
    form = AppointForm()
    with runtime().ledger.read() as conn:
        page, tree = pages.plan_page(conn, current_actor(), reference), queries.specialties(conn)
    if form.validate_on_submit():
        try:
            with runtime().ledger.upkeep() as conn:
                account = accounts.actor_of(conn, form.login.data or "")
            who = Identity(
                name=form.name.data or "", mail="none@localhost", phone="", employer=page.procedure.buyer_code
            )
            committees.appoint_representative(runtime().ledger, current_actor(), reference, account, who)
        except NotFound:
            form.login.errors = [_("No account has this login")]
        except (RuleBroken, InvalidInput) as error:
            form.refuse(error)
        else:
            return redirect(url_for("draws.plan", reference=reference), HTTPStatus.SEE_OTHER)
    blank = PlanForm(formdata=None)
    blank.offer(tree)
    return render_template("experts/plan.html", page=page, form=blank, appoint=form), _WRONG
