"""Drafts of a tender: the list of steps, the subject, sealing, the check, handing on."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flask import flash, redirect, url_for
from werkzeug.wrappers import Response
from wtforms.fields import SelectChoice  # type: ignore[attr-defined]  # the stubs are older than it

from trading.agency import queries, service
from trading.agency.forms import ActForm, SealingForm, SubjectForm, attach, texts_of
from trading.agency.queries import Choice, WorkingDraft
from trading.agency.rules.content import USUAL_KIND, Content, Step
from trading.agency.service import Checked
from trading.agency.views.blueprint import blueprint, own_draft, page, reading, refusal_text, runtime
from trading.kernel.errors import Conflict, RuleBroken
from trading.kernel.roles import Role
from trading.procedures.rules.catalogue import KINDS
from trading.web.forms import Form
from trading.web.locale import gettext as _
from trading.web.locale import pick
from trading.web.permissions import allow, current_actor

SUBJECT = ("kind", "title_zh", "title_en", "buyer", "supervisor", "text_zh", "text_en")
SEALING = ("n", "k", "bidder_factor")
Page = tuple[str, HTTPStatus]


@blueprint.post("/drafts")
@allow(Role.AGENCY, relation="own_org")
def start() -> Response:
    """Begin a draft."""
    form = ActForm()
    if not form.validate_on_submit():
        return redirect(url_for("agency.index"), HTTPStatus.SEE_OTHER)
    draft_id = service.start(runtime().ledger, current_actor())
    return redirect(url_for("agency.subject", draft_id=draft_id), HTTPStatus.SEE_OTHER)


@blueprint.get("/drafts/<draft_id>")
@allow(Role.AGENCY, relation="own_org")
def steps(draft_id: str) -> Page:
    """Show the steps of a draft and how far each is."""
    draft = own_draft(draft_id)
    with reading() as (conn, at):
        checked = service.check(conn, draft, at)
    return page("steps.html", ActForm(), draft=draft, steps=step_states(draft, checked), checked=checked)


def step_states(draft: WorkingDraft, checked: Checked) -> list[tuple[Step, int | None, bool]]:
    """Return (step, lot from 0 or None, whether nothing is amiss), in the order of the form."""
    dates = {"close", "supply_ends_at", "questions_until"} & {each.field for each in checked.refused}
    rows: list[tuple[Step, int | None, bool]] = []
    for step in Step:
        if step in {Step.LOTS, Step.METHOD}:
            continue
        done = not checked.of_step(step) and not (step is Step.DATES and dates)
        rows.append((step, None, done))
        if step is Step.SUBJECT:
            for place in range(len(draft.content["lots"])):
                rows.append((Step.LOTS, place, not checked.of_step(Step.LOTS, place)))
                rows.append((Step.METHOD, place, not checked.of_step(Step.METHOD, place)))
    return rows


@blueprint.route("/drafts/<draft_id>/subject", methods=["GET", "POST"])
@allow(Role.AGENCY, relation="own_org")
def subject(draft_id: str) -> Page | Response:
    """What is bought, by whom, under whose supervision."""
    draft = own_draft(draft_id)
    typed = {"kind": USUAL_KIND, **draft.content["subject"]}
    form = SubjectForm(data={**typed, "version": draft.version})
    form.kind.choices = [SelectChoice(kind.code, pick(kind.title_zh, kind.title_en)) for kind in KINDS]
    with reading() as (conn, _at):
        form.buyer.choices = options(queries.organisations_as(conn, "buyer"))
        form.supervisor.choices = options(queries.organisations_as(conn, "supervisor"))
    if form.validate_on_submit():
        content = service.with_section(draft, "subject", texts_of(form, SUBJECT))
        done = keep(form, draft, content, Step.SUBJECT)
        if done is not None:
            return done
    return page("subject.html", form, draft=draft)


def options(found: list[Choice]) -> list[SelectChoice]:
    """Return organisations as options; the first is none."""
    shown = [SelectChoice(each.code, f"{pick(each.name_zh, each.name_en)} {each.code}") for each in found]
    return [SelectChoice("", _("Choose")), *shown]


@blueprint.route("/drafts/<draft_id>/sealing", methods=["GET", "POST"])
@allow(Role.AGENCY, relation="own_org")
def sealing(draft_id: str) -> Page | Response:
    """Who must come together to open a bid."""
    draft = own_draft(draft_id)
    form = SealingForm(data={**draft.content["sealing"], "version": draft.version})
    if form.validate_on_submit():
        done = keep(form, draft, service.with_section(draft, "sealing", texts_of(form, SEALING)), Step.SEALING)
        if done is not None:
            return done
    return page("sealing.html", form, draft=draft)


def keep(form: Form, draft: WorkingDraft, content: Content, step: Step, lot: int | None = None) -> Response | None:
    """Save a step as it was typed; go on if nothing is amiss, else show the problems over the saved text."""
    stored = save(form, draft, content)
    if stored is None:
        return None
    with reading() as (conn, at):
        checked = service.check(conn, stored, at)
    attach(form, checked.of_step(step, lot))
    if form.problems:
        return None
    flash(_("Saved."))
    return redirect(url_for("agency.steps", draft_id=draft.id), HTTPStatus.SEE_OTHER)


def save(form: Form, draft: WorkingDraft, content: Content) -> WorkingDraft | None:
    """Save what was typed; None if another person was faster, which the form then tells."""
    version: Any = form["version"]
    try:
        seen = int(version.data)
    except (TypeError, ValueError):
        seen = 0
    try:
        service.save(runtime().ledger, current_actor(), draft, seen, content)
    except Conflict:
        form.form_errors.append(
            _(
                "Another person saved this draft meanwhile. What you typed is below: compare with the draft in a "
                "second window, then save again."
            )
        )
        version.data = str(own_draft(draft.id).version)
        return None
    stored = own_draft(draft.id)
    version.data = str(stored.version)
    return stored


@blueprint.get("/drafts/<draft_id>/check")
@allow(Role.AGENCY, relation="own_org")
def check(draft_id: str) -> Page:
    """Everything that still keeps the draft from being handed on."""
    return _check_page(own_draft(draft_id), ActForm())


def _check_page(draft: WorkingDraft, form: Form) -> Page:
    with reading() as (conn, at):
        checked = service.check(conn, draft, at)
    told = [(each.field, refusal_text(each.refusal)) for each in checked.refused]
    rows = step_states(draft, checked)
    return page("check.html", form, draft=draft, checked=checked, refused=told, steps=rows)


@blueprint.post("/drafts/<draft_id>/submit")
@allow(Role.AGENCY, relation="own_org")
def submit(draft_id: str) -> Page | Response:
    """Hand the draft to the second person."""
    draft, form = own_draft(draft_id), ActForm()
    if not form.validate_on_submit():
        return _check_page(draft, form)
    try:
        reference = service.submit(runtime().ledger, current_actor(), draft)
    except RuleBroken as refusal:
        form.refuse(refusal)
        return _check_page(draft, form)
    flash(_("Handed to the second person. Nothing is public until that person publishes."))
    return redirect(url_for("agency.procedure", reference=reference), HTTPStatus.SEE_OTHER)


@blueprint.post("/drafts/<draft_id>/discard")
@allow(Role.AGENCY, relation="own_org")
def discard(draft_id: str) -> Response:
    """Delete a draft that was never submitted, or a correction that was not published."""
    draft = own_draft(draft_id)
    if ActForm().validate_on_submit():
        service.discard(runtime().ledger, draft)
        flash(_("The draft is deleted."))
    return redirect(url_for("agency.index"), HTTPStatus.SEE_OTHER)
