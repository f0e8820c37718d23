"""The second person: what changed since the last return, the page as the public will see it, return, custodians."""

from __future__ import annotations

import json
from http import HTTPStatus

from flask import flash, redirect, render_template, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response
from wtforms.fields import SelectChoice  # type: ignore[attr-defined]  # the stubs are older than it

from trading.accounts.queries import names_of
from trading.agency import preview as previews
from trading.agency import queries, service
from trading.agency.forms import CustodiansForm, ReturnForm, plain
from trading.agency.queries import TENDER
from trading.agency.rules.comparison import Difference, differences
from trading.agency.views.blueprint import blueprint, own_draft, own_procedure, page, reading, refusal_text, runtime
from trading.agency.views.drafts import Page
from trading.kernel.errors import RuleBroken
from trading.kernel.roles import Role
from trading.notices.rules.changes import Piece, compare
from trading.procedures.queries import ProcedureRow
from trading.procedures.rules.spec import ProcedureSpec, parse_spec
from trading.procedures.service import has_drafted
from trading.rulebook.loader import edition_at
from trading.web.locale import gettext as _
from trading.web.locale import ngettext, pick
from trading.web.permissions import allow, current_actor


@blueprint.get("/drafts/<draft_id>/preview")
@allow(Role.AGENCY, relation="own_org")
def preview_draft(draft_id: str) -> Page | Response:
    """The draft exactly as the public will see it; an incomplete one is sent to the check."""
    draft = own_draft(draft_id)
    with reading() as (conn, at):
        checked = service.check(conn, draft, at)
        if checked.spec is None:
            flash(_("The preview needs a draft in which nothing is missing."))
            return redirect(url_for("agency.check", draft_id=draft_id), HTTPStatus.SEE_OTHER)
        return _preview(conn, checked.spec, draft.reference, at)


@blueprint.get("/procedures/<reference>/preview")
@allow(Role.AGENCY, Role.REVIEWER, relation="own_org")
def preview(reference: str) -> Page:
    """A submitted procedure exactly as the public will see it."""
    with reading() as (conn, at):
        row = own_procedure(conn, reference)
        return _preview(conn, parse_spec(json.loads(row.spec)), reference, at)


def _preview(conn: Connection, spec: ProcedureSpec, reference: str | None, at: int) -> Page:
    edition = edition_at(spec.jurisdiction, at)
    shown = previews.page_of(conn, spec, edition, reference=reference or "T-····", at=at)
    body = render_template(
        "notices/procedure.html",
        page=shown,
        now=at,
        bundle_url=None,
        answers=(),
        questions_end_at=shown.questions_until,
        preview=True,
    )
    return body, HTTPStatus.OK


@blueprint.route("/procedures/<reference>/review", methods=["GET", "POST"])
@allow(Role.REVIEWER, relation="own_org")
def review(reference: str) -> Page | Response:
    """Read a submitted draft beside the version that was returned last, and return it or go on to publish."""
    form = ReturnForm()
    with reading() as (conn, at):
        row = own_procedure(conn, reference)
        draft = queries.draft_of(conn, reference, TENDER)
        refused = _refused(conn, row, at)
    with runtime().ledger.upkeep() as conn:  # the reading role knows no names of people
        author = names_of(conn, (row.drafted_by,)).get(row.drafted_by, row.drafted_by)
        drafted = has_drafted(conn, row, current_actor())
    if form.validate_on_submit():
        try:
            service.give_back(runtime().ledger, current_actor(), reference, plain(form.reason.data))
        except RuleBroken as refusal:
            form.refuse(refusal, "reason")
        else:
            flash(_("Returned to the drafter with your reason."))
            return redirect(url_for("agency.procedure", reference=reference), HTTPStatus.SEE_OTHER)
    return page(
        "review.html",
        form,
        row=row,
        author=author,
        draft=draft,
        spec=parse_spec(json.loads(row.spec)),
        changes=compared(None if draft is None else draft.returned_spec, row.spec),
        refused=refused,
        drafted=drafted,
        now=at,
    )


def compared(before: bytes | None, after: bytes) -> list[tuple[Difference, tuple[Piece, ...]]] | None:
    """Return what changed since the version that was returned last, prose piece by piece; None if none was."""
    if before is None:
        return None
    found = differences(json.loads(before), json.loads(after))
    return [(each, compare(each.old, each.new) if each.is_text else ()) for each in found]


def _refused(conn: Connection, row: ProcedureRow, at: int) -> list[str]:
    """Return why the dates would be refused if the tender were published now."""
    spec = parse_spec(json.loads(row.spec))
    law = service.law_at(conn, spec.kind, at)
    return [refusal_text(each.refusal) for each in law.refusals(service.dates_of(spec, at))]


@blueprint.route("/procedures/<reference>/custodians", methods=["GET", "POST"])
@allow(Role.AGENCY, Role.REVIEWER, relation="own_org")
def custodians(reference: str) -> Page | Response:
    """Ask institutions for their share keys, and see what they answered."""
    form = CustodiansForm()
    with reading() as (conn, _at):
        row = own_procedure(conn, reference)
        found = queries.keepers(conn, row)
    form.keepers.choices = [
        SelectChoice(each.kid, pick(each.name_zh, each.name_en)) for each in found if each.answer is None
    ]
    if form.validate_on_submit():
        try:
            asked = service.ask_custodians(runtime().ledger, current_actor(), reference, list(form.keepers.data or ()))
        except RuleBroken as refusal:
            form.refuse(refusal)
        else:
            flash(ngettext("%(num)d question sent.", "%(num)d questions sent.", asked) % {"num": asked})
            return redirect(url_for("agency.custodians", reference=reference), HTTPStatus.SEE_OTHER)
    return page("custodians.html", form, row=row, keepers=found, spec=parse_spec(json.loads(row.spec)))
