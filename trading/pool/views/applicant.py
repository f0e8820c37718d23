"""Pages of the person and of his employer: application, my file, recommendations."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final, TypeAlias, cast

from flask import Blueprint, current_app, redirect, render_template, url_for
from werkzeug.wrappers import Response as AnyResponse

from trading.audit.runtime import Runtime
from trading.kernel.errors import InvalidInput, NotPermitted, RuleBroken
from trading.kernel.roles import Role
from trading.pool import queries
from trading.pool.forms import ApplicationForm, PlainForm, ReachForm
from trading.pool.service import applications
from trading.web.permissions import allow, current_actor

blueprint = Blueprint("dossier", __name__)

Answer: TypeAlias = str | AnyResponse | tuple[str, int]
_WRONG: Final = HTTPStatus.UNPROCESSABLE_ENTITY
_UNITS: Final = (Role.BIDDER, Role.AGENCY, Role.REVIEWER)


def runtime() -> Runtime:
    """Return ledger, stores and clock of this process."""
    return cast("Runtime", current_app.extensions["runtime"])


@blueprint.route("/experts/apply", methods=["GET", "POST"])
@allow(Role.EXPERT, *_UNITS)
def apply() -> Answer:
    """Apply for oneself, or as the employer for somebody of the staff."""
    form, status, actor = ApplicationForm(), HTTPStatus.OK, current_actor()
    unit = Role.EXPERT not in actor.roles
    with runtime().ledger.read() as conn:
        form.offer(queries.tree(conn))
    if unit and not form.is_submitted():
        form.employer.data = actor.organisation
    if form.is_submitted():
        status = _WRONG
        found = form.dossier(None if unit else actor.account) if form.validate() else None
        if found is not None:
            try:
                applications.apply(runtime().ledger, actor, form.regime.data, found)
            except NotPermitted:
                form.refuse(InvalidInput("pool.employer", "employer"), "employer")
            except (RuleBroken, InvalidInput) as error:
                form.refuse(error)
            else:
                return redirect(url_for("dossier.staff" if unit else "dossier.mine"), HTTPStatus.SEE_OTHER)
    return render_template("pool/apply.html", form=form, unit=unit), status


@blueprint.get("/experts/mine")
@allow(Role.EXPERT, relation="own")
def mine() -> str:
    """Everything that the pool keeps about the person who is signed in."""
    found = applications.own(runtime().ledger, current_actor())
    return render_template("pool/mine.html", files=found, form=PlainForm())


@blueprint.route("/experts/mine/<number>", methods=["GET", "POST"])
@allow(Role.EXPERT, relation="own")
def amend(number: str) -> Answer:
    """Change how one is reached, whether one is free, and what binds to recuse."""
    form, status = ReachForm(), HTTPStatus.OK
    found = applications.own_file(runtime().ledger, current_actor(), number)
    if not form.is_submitted():
        form.show(found.dossier)
    if form.is_submitted():
        status = _WRONG
        if form.validate():
            try:
                applications.amend(runtime().ledger, current_actor(), number, **form.changes())
            except (RuleBroken, InvalidInput) as error:
                form.refuse(error)
            else:
                return redirect(url_for("dossier.mine"), HTTPStatus.SEE_OTHER)
    return render_template("pool/amend.html", form=form, found=found), status


@blueprint.post("/experts/mine/<number>/withdraw")
@allow(Role.EXPERT, relation="own")
def withdraw(number: str) -> Answer:
    """Withdraw an application that is not decided."""
    applications.withdraw(runtime().ledger, current_actor(), number)
    return redirect(url_for("dossier.mine"), HTTPStatus.SEE_OTHER)


@blueprint.get("/experts/staff")
@allow(*_UNITS, relation="own_org", privileged=True)
def staff() -> str:
    """The applications of the organisation's own staff that wait for its recommendation."""
    found = applications.staff(runtime().ledger, current_actor())
    return render_template("pool/staff.html", files=found, form=PlainForm())


@blueprint.post("/experts/staff/<number>/recommend")
@allow(*_UNITS, relation="own_org")
def recommend(number: str) -> Answer:
    """Recommend an applicant of one's own organisation."""
    applications.recommend(runtime().ledger, current_actor(), number)
    return redirect(url_for("dossier.staff"), HTTPStatus.SEE_OTHER)
