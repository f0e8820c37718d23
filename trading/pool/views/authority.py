"""Pages of the regulator: inbox, admission by signature, one expert's file, discipline. Every look is recorded."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Final, TypeAlias, cast

from flask import Blueprint, current_app, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from trading.audit.runtime import Runtime
from trading.kernel.errors import InvalidInput, RuleBroken
from trading.kernel.roles import Role
from trading.pool import queries
from trading.pool.forms import ConfirmForm, DisciplineForm, OrderForm, RefuseForm, SearchForm, chosen
from trading.pool.service import applications, decisions
from trading.web.forms import Form
from trading.web.locale import gettext as _
from trading.web.permissions import allow, current_actor
from trading.web.signing import SigningForm, signed_documents, takes_documents

blueprint = Blueprint("standing", __name__)

Answer: TypeAlias = str | AnyResponse | tuple[str, int]
_WRONG: Final = HTTPStatus.UNPROCESSABLE_ENTITY


def runtime() -> Runtime:
    """Return ledger, stores and clock of this process."""
    return cast("Runtime", current_app.extensions["runtime"])


@blueprint.get("/standing")
@allow(Role.AUTHORITY)
def inbox() -> str:
    """What waits for a decision, by number in the order of arrival; ended appointments that still stand."""
    ended = request.args.get("show") == "ended"
    state = "ended" if ended else "waiting"
    with runtime().ledger.read() as conn:
        page = queries.inbox(conn, request.args.get("after"), state=state)
    return render_template("pool/inbox.html", page=page, ended=ended, levels=("C", "N", "P"))


@blueprint.route("/standing/search", methods=["GET", "POST"])
@allow(Role.AUTHORITY, privileged=True)
def search() -> Answer:
    """Find an expert by name, or by pool number; only the search by name shows people and is recorded."""
    form, found = SearchForm(), None
    if form.validate_on_submit():
        found = applications.search(runtime().ledger, current_actor(), form.name.data or "")
    number, after = request.args.get("number", "").strip().upper(), request.args.get("after")
    with runtime().ledger.read() as conn:
        page = queries.by_number(conn, number, after)
    return render_template("pool/search.html", form=form, found=found, page=page, number=number)


@blueprint.route("/standing/admit", methods=["GET", "POST"])
@allow(Role.AUTHORITY, privileged=True)
@takes_documents
def admit() -> Answer:
    """Sign the admission of the chosen applicants."""
    form, status = SigningForm(), HTTPStatus.OK
    numbers, levels = chosen(request.args.getlist("number")), chosen(request.args.getlist("level"))
    ledger, actor = runtime().ledger, current_actor()
    if form.is_submitted():
        status = _WRONG
        if form.validate():
            try:
                (signed,) = signed_documents(form)
                decisions.qualify(ledger, actor, signed)
            except (RuleBroken, InvalidInput) as error:
                form.refuse(error)
            else:
                return redirect(url_for("standing.inbox"), HTTPStatus.SEE_OTHER)
    try:
        form.put([(_("Admission to the register"), decisions.draft_admission(ledger, actor, numbers, levels))])
    except (RuleBroken, InvalidInput) as error:
        form.refuse(error)
        status = _WRONG
    return render_template("pool/admit.html", form=form, count=len(numbers)), status


@blueprint.get("/standing/files/<number>")
@allow(Role.AUTHORITY, privileged=True)
def file(number: str) -> str:
    """One person's file."""
    found = applications.look(runtime().ledger, current_actor(), number)
    return render_template("pool/file.html", found=found)


@blueprint.route("/standing/files/<number>/refuse", methods=["GET", "POST"])
@allow(Role.AUTHORITY, step_up=True)
def refuse(number: str) -> Answer:
    """Refuse an application by a rule."""
    form = RefuseForm()
    if _carried_out(
        form,
        lambda: decisions.refuse(runtime().ledger, current_actor(), number, form.rule.data, form.reason.data or ""),
    ):
        return redirect(url_for("standing.inbox"), HTTPStatus.SEE_OTHER)
    return _act(number, form, _("Refuse the application"))


@blueprint.route("/standing/files/<number>/discipline", methods=["GET", "POST"])
@allow(Role.AUTHORITY, step_up=True)
def discipline(number: str) -> Answer:
    """Enter a sanction."""
    form = DisciplineForm()
    if _carried_out(
        form,
        lambda: decisions.discipline(
            runtime().ledger, current_actor(), number, form.sanction(), form.reason.data or ""
        ),
    ):
        return redirect(url_for("standing.file", number=number), HTTPStatus.SEE_OTHER)
    return _act(number, form, _("Enter a sanction"))


@blueprint.route("/standing/files/<number>/renew", methods=["GET", "POST"])
@allow(Role.AUTHORITY, step_up=True)
def renew(number: str) -> Answer:
    """Appoint for another term."""
    form = ConfirmForm()
    if _carried_out(form, lambda: decisions.renew(runtime().ledger, current_actor(), number)):
        return redirect(url_for("standing.file", number=number), HTTPStatus.SEE_OTHER)
    return _act(number, form, _("Appoint for another term"))


@blueprint.route("/standing/files/<number>/<any(suspended, resumed, removed):act>", methods=["GET", "POST"])
@allow(Role.AUTHORITY)
@takes_documents
def order(number: str, act: str) -> Answer:
    """Sign a suspension, resumption or removal."""
    form, status = OrderForm(), HTTPStatus.OK
    titles = {
        "suspended": _("Suspend the expert"),
        "resumed": _("Resume the expert"),
        "removed": _("Remove the expert from the pool"),
    }
    if form.is_submitted():
        status = _WRONG
        if form.validate():
            try:
                (signed,) = signed_documents(form)
                decisions.order(runtime().ledger, current_actor(), signed, form.reason.data or "")
            except (RuleBroken, InvalidInput) as error:
                form.refuse(error)
            else:
                return redirect(url_for("standing.file", number=number), HTTPStatus.SEE_OTHER)
    try:
        doc = decisions.draft_order(runtime().ledger, current_actor(), number, act)
        form.put([(titles[act], doc)])
    except (RuleBroken, InvalidInput) as error:
        form.refuse(error)
        status = _WRONG
    return render_template("pool/order.html", form=form, number=number, title=titles[act]), status


def _carried_out(form: Form, act: Callable[[], object]) -> bool:
    """Do what a valid form asks for; what refuses it stands in the form."""
    if not form.validate_on_submit():
        return False
    try:
        act()
    except (RuleBroken, InvalidInput) as error:
        form.refuse(error)
        return False
    return True


def _act(number: str, form: RefuseForm | DisciplineForm | ConfirmForm, title: str) -> tuple[str, int]:
    """Show the form, again if it was not carried out."""
    status = _WRONG if form.is_submitted() else HTTPStatus.OK
    with runtime().ledger.read() as conn:
        found = queries.find(conn, number)
    return render_template("pool/act.html", form=form, row=found, title=title), status
