"""The people's side of a ceremony by hand in the browser: papers in words, signed with the device key of the person.

Everything here can also be done with ``mingbiao station`` and ``mingbiao sign``; both end in the same use cases.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final, TypeAlias, cast

from flask import Blueprint, current_app, redirect, render_template, url_for
from werkzeug.wrappers import Response as AnyResponse

from trading.audit.rules.proof import MAX_RECEIPT
from trading.audit.runtime import Runtime
from trading.kernel.errors import InvalidInput, NotFound, RuleBroken
from trading.kernel.roles import Role
from trading.openings.forms import DecisionForm, ObjectionForm, ProposalForm, finding_form
from trading.openings.service import desk as desks
from trading.openings.service import documents
from trading.openings.service.desk import Desk, Paper
from trading.procedures import queries as procedures
from trading.web.locale import gettext as _
from trading.web.permissions import allow, current_actor
from trading.web.signing import SigningForm, signed_documents, takes_documents

blueprint = Blueprint("ceremony", __name__)

Answer: TypeAlias = str | AnyResponse | tuple[str, int]
STAGE: Final = "all"
PREFIX: Final = "/procedures/<reference>/lots/<lot>/opening"
_PEOPLE: Final = (Role.AGENCY, Role.REVIEWER, Role.SUPERVISOR)


def runtime() -> Runtime:
    """Return the runtime of this process."""
    return cast("Runtime", current_app.extensions["runtime"])


def desk_of(reference: str, lot: str) -> Desk:
    """Return the desk of a ceremony of the person's organisation."""
    with runtime().ledger.read() as conn:
        return desks.desk(conn, current_actor(), reference, lot)


@blueprint.get("/openings")
@allow(*_PEOPLE, relation="jurisdiction")
def index() -> str:
    """The ceremonies of the person's organisation and what waits for the person."""
    with runtime().ledger.read() as conn:
        found = desks.desks(conn, current_actor())
    return render_template("openings/index.html", desks=found, actor=current_actor())


@blueprint.get(f"{PREFIX}/desk")
@allow(*_PEOPLE, relation="jurisdiction")
def desk(reference: str, lot: str) -> str:
    """The papers of one ceremony, and the objections and reports to decide."""
    return render_template(
        "openings/desk.html",
        desk=desk_of(reference, lot),
        actor=current_actor(),
        decides=Role.SUPERVISOR in current_actor().roles,
        answers=bool(current_actor().roles & desks.ANSWERING),
        reference=reference,
        lot=lot,
    )


@blueprint.post(f"{PREFIX}/desk/confirmation")
@allow(*_PEOPLE, relation="jurisdiction")
def confirmation(reference: str, lot: str) -> Answer:
    """Put the paper on the desk that confirms a blocked deadline; agency and supervisor then sign it (TE1 T5)."""
    form = ProposalForm()
    if not form.validate_on_submit():
        return redirect(url_for("ceremony.desk", reference=reference, lot=lot), HTTPStatus.SEE_OTHER)
    made = desks.draft_confirmation(runtime().ledger, current_actor(), (reference, lot, STAGE))
    return redirect(_paper_url(reference, lot, made.sha256), HTTPStatus.SEE_OTHER)


@blueprint.route(f"{PREFIX}/desk/<sha256>", methods=["GET", "POST"])
@allow(*_PEOPLE, relation="jurisdiction")
@takes_documents
def paper(reference: str, lot: str, sha256: str) -> Answer:
    """One paper in words; who has a say in it signs it here."""
    found = desk_of(reference, lot)
    shown = desks.paper_of(found, sha256)
    role, form, status = shown.mine(current_actor()), SigningForm(), HTTPStatus.OK
    if form.is_submitted() and role is not None and form.validate():
        try:
            (signed,) = signed_documents(form)
            if signed.sha256 != sha256:
                raise InvalidInput("signing.other_document")
            documents.collect(runtime().ledger, current_actor(), (reference, lot, STAGE), signed)
        except (RuleBroken, InvalidInput) as error:
            form.refuse(error)
            status = HTTPStatus.UNPROCESSABLE_ENTITY
        else:
            return redirect(url_for("ceremony.desk", reference=reference, lot=lot), HTTPStatus.SEE_OTHER)
    form.put([(title(shown), shown.doc)])
    page = render_template(
        "openings/paper.html", desk=found, paper=shown, role=role, form=form, reference=reference, lot=lot
    )
    return page, status


def title(paper: Paper) -> str:
    """Return what a paper is called."""
    titles = {
        "mb.closing-confirmation": _("Confirmation of the close"),
        "sb1.open-order": _("Opening order"),
        "sb1.objection-decision": _("Decision on an objection"),
        "sb1.adjudication": _("Finding about a share"),
        "sb1.factor-list": _("List of confirmed bids"),
        "sb1.transcript": _("Opening transcript"),
    }
    return titles[paper.typ]


@blueprint.route(f"{PREFIX}/desk/objections/<h>", methods=["GET", "POST"])
@allow(Role.SUPERVISOR, relation="jurisdiction")
def decide(reference: str, lot: str, h: str) -> Answer:
    """Decide an objection; the decision then waits on the desk for the supervisor's signature."""
    found, form = desk_of(reference, lot), DecisionForm()
    raised = next((each for each in found.objections if each.h == h), None)
    if raised is None:
        raise NotFound(h)
    if form.validate_on_submit():
        made = desks.draft_decision(
            runtime().ledger, current_actor(), (reference, lot, STAGE), h, add=form.decision.data == "add"
        )
        return redirect(_paper_url(reference, lot, made.sha256), HTTPStatus.SEE_OTHER)
    page = render_template(
        "openings/decide.html", desk=found, objection=raised, form=form, reference=reference, lot=lot
    )
    return page, HTTPStatus.UNPROCESSABLE_ENTITY if form.is_submitted() else HTTPStatus.OK


@blueprint.route(f"{PREFIX}/desk/reports/<int:custodian>", methods=["GET", "POST"])
@allow(Role.SUPERVISOR, relation="jurisdiction")
def adjudicate(reference: str, lot: str, custodian: int) -> Answer:
    """Decide what a custodian reported about its shares; the findings then wait for the signature."""
    found = desk_of(reference, lot)
    report = next((each for each in found.reports if each.custodian == custodian), None)
    if report is None:
        raise NotFound("report")
    form = finding_form(report)
    if form.validate_on_submit():
        findings, where = form.findings(report), (reference, lot, STAGE)
        made = desks.draft_adjudication(runtime().ledger, current_actor(), where, custodian, findings)
        return redirect(_paper_url(reference, lot, made.sha256), HTTPStatus.SEE_OTHER)
    page = render_template(
        "openings/adjudicate.html", desk=found, report=report, form=form, reference=reference, lot=lot
    )
    return page, HTTPStatus.UNPROCESSABLE_ENTITY if form.is_submitted() else HTTPStatus.OK


def _paper_url(reference: str, lot: str, sha256: str) -> str:
    return url_for("ceremony.paper", reference=reference, lot=lot, sha256=sha256)


@blueprint.route(f"{PREFIX}/objection", methods=["GET", "POST"])
@allow(Role.BIDDER)
def objection(reference: str, lot: str) -> Answer:
    """Object on the spot because a bid is missing from the list; the receipt is all that is needed (SB1 S9.2)."""
    form, where = ObjectionForm(), (reference, lot, STAGE)
    with runtime().ledger.read() as conn:
        row = procedures.find(conn, reference)
        if row.published_at is None or procedures.find_lot(conn, row.id, lot, STAGE).policy_sha256 is None:
            raise NotFound(reference)
        own = desks.own_objections(conn, current_actor(), where)
    if form.validate_on_submit() and _object(form, where):
        return redirect(url_for("ceremony.objection", reference=reference, lot=lot), HTTPStatus.SEE_OTHER)
    page = render_template("openings/objection.html", procedure=row, own=own, form=form, reference=reference, lot=lot)
    return page, HTTPStatus.UNPROCESSABLE_ENTITY if form.is_submitted() else HTTPStatus.OK


def _object(form: ObjectionForm, where: tuple[str, str, str]) -> bool:
    """Raise the objection and return whether that was done; a refusal joins the form."""
    upload = form.receipt.data
    receipt = upload.read(MAX_RECEIPT + 1) if upload else b""
    refusal: RuleBroken | InvalidInput
    try:
        if not receipt or len(receipt) > MAX_RECEIPT:
            raise InvalidInput("receipt.malformed", "no receipt, or a file too large to be one")
        desks.object_by_receipt(runtime(), current_actor(), where, receipt)
    except (RuleBroken, InvalidInput) as error:
        refusal = error
    except NotFound:
        refusal = InvalidInput("receipt.other_record", "of another organisation or lot, or before the list")
    else:
        return True
    form.refuse(refusal, "receipt")
    return False
