"""Pages of appraisals: the agency's of each seat, the expert's answer."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final, TypeAlias, cast

from flask import Blueprint, current_app, redirect, render_template, url_for
from werkzeug.wrappers import Response as AnyResponse

from trading.audit.runtime import Runtime
from trading.kernel.errors import InvalidInput, RuleBroken
from trading.kernel.roles import Role
from trading.pool.forms import AnswerForm, AppraisalForm
from trading.pool.service import appraisals
from trading.web.permissions import allow, current_actor

blueprint = Blueprint("appraisals", __name__)

Answer: TypeAlias = str | AnyResponse | tuple[str, int]
_WRONG: Final = HTTPStatus.UNPROCESSABLE_ENTITY


def runtime() -> Runtime:
    """Return ledger, stores and clock of this process."""
    return cast("Runtime", current_app.extensions["runtime"])


@blueprint.route("/agency/<reference>/appraisals", methods=["GET", "POST"])
@allow(Role.AGENCY, Role.REVIEWER, relation="own_org")
def given(reference: str) -> Answer:
    """Appraise the experts of a procedure, seat by seat."""
    form, status = AppraisalForm(), HTTPStatus.OK
    with runtime().ledger.read() as conn:
        page = appraisals.page(conn, current_actor(), reference)
    form.offer([seat for seat, said in page.seats if said is None])
    if form.is_submitted():
        status = _WRONG
        if form.validate():
            try:
                appraisals.appraise(
                    runtime().ledger,
                    current_actor(),
                    reference,
                    form.seat.data,
                    form.marks(),
                    form.remark.data or "",
                )
            except (RuleBroken, InvalidInput) as error:
                form.refuse(error)
            else:
                return redirect(url_for("appraisals.given", reference=reference), HTTPStatus.SEE_OTHER)
    return render_template("pool/appraisals.html", page=page, form=form), status


@blueprint.route("/experts/appraisals/<reference>", methods=["GET", "POST"])
@allow(Role.EXPERT, relation="assigned_panel")
def answer(reference: str) -> Answer:
    """What was said of the expert, and what he says to it."""
    form, status = AnswerForm(), HTTPStatus.OK
    with runtime().ledger.read() as conn:
        procedure, found = appraisals.own_appraisal(conn, current_actor(), reference)
    if form.is_submitted() and found is not None and found.answer is None:
        status = _WRONG
        if form.validate():
            try:
                appraisals.answer(
                    runtime().ledger,
                    current_actor(),
                    reference,
                    form.words.data or "",
                    form.rating.data or 0,
                )
            except (RuleBroken, InvalidInput) as error:
                form.refuse(error)
            else:
                return redirect(url_for("appraisals.answer", reference=reference), HTTPStatus.SEE_OTHER)
    return render_template("pool/answer.html", procedure=procedure, found=found, form=form), status
