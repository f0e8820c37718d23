"""Corrections of a published tender: typed by one person, compared field by field, published by another (NOT-05)."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from flask import flash, redirect, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from trading.agency import queries, service
from trading.agency.forms import ActForm, CorrectionForm, attach, texts_of
from trading.agency.queries import AMENDMENT, WorkingDraft
from trading.agency.views.blueprint import (
    blueprint,
    many_fields,
    own_draft,
    own_procedure,
    page,
    reading,
    refusal_text,
    runtime,
)
from trading.agency.views.dates import offer
from trading.agency.views.drafts import Page, save
from trading.agency.views.signing import is_signing, offered, procedure_url, signed
from trading.kernel.calendar import CHINA, shifted_deadline
from trading.kernel.errors import NotFound, RuleBroken
from trading.kernel.roles import Role
from trading.kernel.signed import SignedDocument
from trading.notices import drafting
from trading.notices import service as notices
from trading.notices.rules import changes
from trading.notices.rules.changes import Change
from trading.notices.service import Correction
from trading.procedures.queries import ProcedureRow
from trading.procedures.rules.amendment import Amendment, amend
from trading.procedures.rules.dates import Law
from trading.procedures.rules.spec import ProcedureSpec, parse_spec
from trading.web.locale import gettext as _
from trading.web.permissions import allow, current_actor

TEXTS = ("title_zh", "title_en", "text_zh", "text_en")
DATES = ("close_day", "close_time", "supply_day", "questions_day", "validity_days")
AMOUNTS = ("title_zh", "title_en", "budget", "ceiling")


@blueprint.post("/procedures/<reference>/corrections")
@allow(Role.AGENCY, relation="own_org")
def start_correction(reference: str) -> Response:
    """Begin a correction, or go on with the one that was begun."""
    if ActForm().validate_on_submit():
        draft_id = service.start_correction(runtime().ledger, current_actor(), reference)
        return redirect(url_for("agency.correction", draft_id=draft_id), HTTPStatus.SEE_OTHER)
    return redirect(procedure_url(reference), HTTPStatus.SEE_OTHER)


@blueprint.route("/corrections/<draft_id>", methods=["GET", "POST"])
@allow(Role.AGENCY, relation="own_org")
@many_fields
def correction(draft_id: str) -> Page | Response:
    """Type a correction: only what may change is on the page (DOC-18)."""
    draft = _correction(draft_id)
    with reading() as (conn, at):
        row = own_procedure(conn, draft.reference or "")
        law = service.law_of(conn, row, at)
        files = queries.documents_of(conn, draft.id)
    typed = draft.content
    form = CorrectionForm(
        data={
            **typed["subject"],
            **typed["dates"],
            "lots": typed["lots"],
            "declared": bool(typed["declared"]),
            "cause": typed["cause"],
            "version": draft.version,
        }
    )
    posted = form.validate_on_submit()
    content = _typed(form, draft)
    offer(form, law, content, at)
    if posted:
        done = _keep(form, draft, row, content)
        if done is not None:
            return done
    return page("correction.html", form, draft=draft, row=row, files=files, act=ActForm(prefix="act"))


def _correction(draft_id: str) -> WorkingDraft:
    draft = own_draft(draft_id)
    if draft.purpose != AMENDMENT or draft.state == "closed":
        raise NotFound(draft_id)
    return draft


def _typed(form: CorrectionForm, draft: WorkingDraft) -> dict[str, Any]:
    lots = [
        {**old, **{name: str(entry.form[name].data or "") for name in AMOUNTS}}
        for old, entry in zip(draft.content["lots"], form.lots, strict=False)
    ]
    return {
        "subject": texts_of(form, TEXTS),
        "dates": {"issue_day": "", **texts_of(form, DATES)},
        "lots": lots if len(lots) == len(draft.content["lots"]) else draft.content["lots"],
        "declared": "yes" if form.declared.data else "",
        "cause": str(form.cause.data or ""),
    }


def _keep(form: CorrectionForm, draft: WorkingDraft, row: ProcedureRow, content: dict[str, Any]) -> Response | None:
    stored = save(form, draft, content)
    if stored is None:
        return None
    with reading() as (conn, at):
        outcome = service.corrected(conn, stored, row, at)
    attach(form, outcome.problems)
    if form.problems or outcome.spec is None:
        return None
    return redirect(url_for("agency.compare_correction", draft_id=draft.id), HTTPStatus.SEE_OTHER)


@blueprint.route("/corrections/<draft_id>/compare", methods=["GET", "POST"])
@allow(Role.AGENCY, Role.REVIEWER, relation="own_org")
def compare_correction(draft_id: str) -> Page | Response:
    """Every change old and new, its effect on the deadline, and handing it to the second person."""
    draft, form = _correction(draft_id), ActForm()
    with reading() as (conn, at):
        row = own_procedure(conn, draft.reference or "")
        spec = _complete(conn, draft, row, at)
        law = service.law_of(conn, row, at)
    if spec is None:
        return redirect(url_for("agency.correction", draft_id=draft_id), HTTPStatus.SEE_OTHER)
    found, told = _amendment(draft, row, spec)
    if form.validate_on_submit() and found is not None:
        service.hand_on_correction(runtime().ledger, current_actor(), draft, "submitted")
        flash(_("Handed to the second person. Nothing changes until that person publishes."))
        return redirect(procedure_url(row.reference), HTTPStatus.SEE_OTHER)
    effect = None if found is None else _effect(found, law, spec, at)
    compared = [] if found is None else _compared(found)
    return page(
        "compare.html", form, draft=draft, row=row, compared=compared, effect=effect, told=told, spec=spec, now=at
    )


def _complete(conn: Connection, draft: WorkingDraft, row: ProcedureRow, at: int) -> ProcedureSpec | None:
    return service.corrected(conn, draft, row, at).spec


def _amendment(draft: WorkingDraft, row: ProcedureRow, spec: ProcedureSpec) -> tuple[Amendment | None, str]:
    """Return what changes, or the refusal in words."""
    before = parse_spec(json.loads(row.spec))
    try:
        return amend(before, spec, declared=bool(draft.content["declared"]), zone=CHINA), ""
    except RuleBroken as refusal:
        return None, refusal_text(refusal)


def _compared(found: Amendment) -> list[tuple[Change, Any]]:
    rows = [Change(field=each.field, old=each.old, new=each.new) for each in found.changes]
    return [(each, changes.compare(each.old, each.new)) for each in rows]


def _effect(found: Amendment, law: Law, spec: ProcedureSpec, at: int) -> dict[str, Any]:
    """Return whether the change may affect bids, the days that then have to be left, and the deadline they allow."""
    lead = law.edition.days(law.periods.lead, law.regime)
    try:
        lawful = shifted_deadline(at, spec.close, lead, law.calendar)
    except RuleBroken as refusal:
        return {"affects": found.affects_bids, "days": lead.count, "lawful": None, "told": refusal_text(refusal)}
    enough = not found.affects_bids or lawful <= spec.close
    return {"affects": found.affects_bids, "days": lead.count, "lawful": lawful, "enough": enough, "told": ""}


@blueprint.route("/corrections/<draft_id>/publish", methods=["GET", "POST"])
@allow(Role.REVIEWER, relation="own_org")
def publish_correction(draft_id: str) -> Page | Response:
    """Sign the correction and the schedules that move, and publish them."""
    draft = _correction(draft_id)
    with reading() as (conn, at):
        row = own_procedure(conn, draft.reference or "")
        spec = _complete(conn, draft, row, at)
    title, back = _("Publish the correction"), procedure_url(row.reference)
    if spec is None or draft.state != "submitted":
        return redirect(url_for("agency.compare_correction", draft_id=draft_id), HTTPStatus.SEE_OTHER)
    complete: ProcedureSpec = spec

    def act(documents: list[SignedDocument]) -> None:
        _publish(draft, row, complete, documents)

    if is_signing():
        return signed(
            act, done=_("The correction is published."), back=back, title=title, values={"kind": "correction"}
        )
    declared = bool(draft.content["declared"])
    try:
        with reading() as (conn, at):
            made = drafting.amendment_draft(conn, row.reference, at=at, specification=spec, declared=declared)
    except RuleBroken as refusal:
        return page("blocked.html", ActForm(), title=title, told=refusal_text(refusal), row=row, back=back)
    documents = [(title, made.notice)]
    documents += [
        (_("Schedule of lot %(lot)s") % {"lot": place[0]}, raw) for place, raw in sorted(made.schedules.items())
    ]
    return page("sign.html", offered(documents), title=title, back=back, kind="correction")


def _publish(draft: WorkingDraft, row: ProcedureRow, spec: ProcedureSpec, documents: list[SignedDocument]) -> None:
    notice, *schedules = documents
    by_place = {}
    for schedule in schedules:
        said = json.loads(schedule.doc)
        by_place[said["lot"], said["stage"]] = schedule
    correction = Correction(
        specification=spec,
        author=draft.author,
        declared=bool(draft.content["declared"]),
        notice=notice,
        schedules=by_place,
        cause=draft.content["cause"] or None,
    )
    notices.amend(runtime().ledger, current_actor(), row.reference, correction)
    service.close_drafts(runtime().ledger, current_actor(), row.reference, AMENDMENT)


@blueprint.post("/corrections/<draft_id>/reopen")
@allow(Role.AGENCY, Role.REVIEWER, relation="own_org")
def reopen_correction(draft_id: str) -> Response:
    """Take a correction back to change it once more."""
    draft = _correction(draft_id)
    if ActForm().validate_on_submit():
        service.hand_on_correction(runtime().ledger, current_actor(), draft, "editing")
    return redirect(procedure_url(draft.reference or ""), HTTPStatus.SEE_OTHER)
