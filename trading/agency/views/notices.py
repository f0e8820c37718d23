"""Publishing, cancelling, awarding, and the last notices of a procedure, each signed in the browser or by a program."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flask import flash, redirect
from werkzeug.wrappers import Response

from trading.agency import queries, service
from trading.agency.forms import ActForm, CancelForm, TextsForm, plain
from trading.agency.queries import TENDER
from trading.agency.views.blueprint import blueprint, own_procedure, page, reading, refusal_text, runtime
from trading.agency.views.drafts import Page
from trading.agency.views.signing import is_signing, offered, procedure_url, signed
from trading.awards import service as awards
from trading.awards.queries import award_of
from trading.evaluation.queries import ranking_of
from trading.kernel.canonical import loads_object
from trading.kernel.errors import NotFound, RuleBroken
from trading.kernel.roles import Role
from trading.kernel.signed import SignedDocument
from trading.notices import drafting
from trading.notices import service as notices
from trading.notices.service import LotDocuments
from trading.parties.queries import organisations
from trading.procedures.queries import ProcedureRow, find_lot, lots_of
from trading.procedures.service import edition_of, work_calendar
from trading.rulebook.keys import Key, Regime
from trading.web.locale import gettext as _
from trading.web.permissions import allow, current_actor

STAGE = "all"


@blueprint.route("/procedures/<reference>/publish", methods=["GET", "POST"])
@allow(Role.REVIEWER, relation="own_org")
def publish(reference: str) -> Page | Response:
    """Sign notice, policies and schedules, and publish the tender."""
    with reading() as (conn, at):
        row = own_procedure(conn, reference)
        lots = lots_of(conn, row.id)
    places = [(lot.number, lot.stage) for lot in lots]

    def act(documents: list[SignedDocument]) -> None:
        notice, *rest = documents
        by_place = {
            place: LotDocuments(policy=rest[2 * index], schedule=rest[2 * index + 1])
            for index, place in enumerate(places)
        }
        notices.publish_tender(runtime().ledger, current_actor(), reference, notice, by_place, demo=runtime().demo)
        service.close_drafts(runtime().ledger, current_actor(), reference, TENDER)

    title, back = _("Publish the tender notice"), procedure_url(reference)
    values = {"kind": "tender", "reference": reference}
    if is_signing():
        return signed(act, done=_("Published."), back=back, title=title, values=values)
    try:
        with runtime().ledger.read() as conn:
            drafted = drafting.tender_draft(conn, reference, at=at, demo=runtime().demo, intake=runtime().named_intake)
    except RuleBroken as refusal:
        return page("blocked.html", ActForm(), title=title, told=refusal_text(refusal), row=row, back=back)
    documents = [(_("Tender notice"), drafted.notice)]
    for lot in drafted.lots:
        documents.append((_("Sealing policy of lot %(lot)s") % {"lot": lot.lot}, lot.policy))
        documents.append((_("Schedule of lot %(lot)s") % {"lot": lot.lot}, lot.schedule))
    return page("sign.html", offered(documents), title=title, back=back, **values)


@blueprint.route("/procedures/<reference>/cancel", methods=["GET", "POST"])
@allow(Role.REVIEWER, relation="own_org")
def cancel(reference: str) -> Page | Response:
    """Cancel a published procedure: ground and texts, then the signed notice; sealed bids stay sealed."""
    with reading() as (conn, _at):
        row = own_procedure(conn, reference)
    title, back = _("Cancel the procedure"), procedure_url(reference)

    def act(documents: list[SignedDocument]) -> None:
        reason = notices_reason(documents[0])
        notices.cancel(runtime().ledger, current_actor(), reference, documents[0], reason)

    if is_signing():
        return signed(act, done=_("Cancelled."), back=back, title=title, values={"kind": "cancellation"})
    form = CancelForm()
    if form.validate_on_submit():
        # The ground stands as the first line of the notice, so that what is signed is what is recorded.
        texts = {
            "text_zh": f"{plain(form.reason.data)}\n\n{plain(form.text_zh.data)}",
            "text_en": plain(form.text_en.data),
        }
        with reading() as (conn, at):
            raw = drafting.closing_draft(conn, reference, at=at, kind="cancellation", texts=texts)
        return page("sign.html", offered([(title, raw)]), title=title, back=back, kind="cancellation")
    return page("texts.html", form, title=title, row=row, back=back, kind="cancellation")


def notices_reason(document: SignedDocument) -> str:
    """Return the ground of a cancellation: the first line of its notice."""
    return str(loads_object(document.doc)["text_zh"]).partition("\n")[0]


@blueprint.route("/procedures/<reference>/lots/<lot>/award", methods=["GET", "POST"])
@allow(Role.AGENCY, Role.REVIEWER, relation="own_org")
def award(reference: str, lot: str) -> Page | Response:
    """The ranking, whom the law lets be awarded, and the button that determines it (AWD-09)."""
    form = ActForm()
    with reading() as (conn, at):
        row = own_procedure(conn, reference)
        lot_row = find_lot(conn, row.id, lot, STAGE)
        ranking = ranking_of(conn, row.id, lot, STAGE)
        if ranking is None:
            raise NotFound("ranking")
        items = sorted(ranking.items, key=lambda item: (item["rank"] is None, item["rank"] or 0, item["bid"]))
        names = organisations(conn, tuple({item["bidder"] for item in items}))
        decided = award_of(conn, row.id, lot, STAGE)
        due = _award_due(conn, row, lot, at)
    if form.validate_on_submit():
        try:
            awards.determine(runtime().ledger, current_actor(), reference, lot, STAGE)
        except RuleBroken as refusal:
            form.refuse(refusal)
        else:
            flash(_("The award is determined. The result notice and the award letter follow together."))
            return redirect(procedure_url(reference), HTTPStatus.SEE_OTHER)
    return page(
        "award.html",
        form,
        row=row,
        lot=lot_row,
        items=items,
        names=names,
        method=ranking.method,
        tie=ranking.tie,
        decided=decided,
        due=due,
        now=at,
    )


def _award_due(conn: Any, row: Any, lot: str, at: int) -> int | None:  # noqa: ANN401 - a connection and a row
    own = queries.own_of(conn, row)
    ranked = [act["at"] for act in own.acts if act["kind"] == "bids.ranked" and act["body"]["lot"] == lot]
    if not ranked:
        return None
    period = edition_of(conn, row, at).days(Key.AWARD_DECIDE_WITHIN, Regime(row.regime))
    try:
        return work_calendar(conn).end_of_period(ranked[-1], period)
    except RuleBroken:
        return None


@blueprint.route("/procedures/<reference>/result", methods=["GET", "POST"])
@allow(Role.REVIEWER, relation="own_org")
def result(reference: str) -> Page | Response:
    """The result notice of every lot whose award waits for it (NOT-09)."""
    return _last(reference, "result", _("Publish the result"), _("The result is published."))


@blueprint.route("/procedures/<reference>/failure", methods=["GET", "POST"])
@allow(Role.REVIEWER, relation="own_org")
def failure(reference: str) -> Page | Response:
    """The notice of every failed lot (NOT-10)."""
    return _last(reference, "failed", _("Publish the failure"), _("The failure is published."))


def _last(reference: str, kind: str, title: str, done: str) -> Page | Response:
    with reading() as (conn, _at):
        row = own_procedure(conn, reference)
        phases = {lot.phase for lot in lots_of(conn, row.id)}
    if {"result": "determined", "failed": "failed"}[kind] not in phases:
        raise NotFound(f"{kind} of {reference}")
    back = procedure_url(reference)
    publish_it = notices.publish_result if kind == "result" else notices.publish_failure

    def act(documents: list[SignedDocument]) -> None:
        publish_it(runtime().ledger, current_actor(), reference, documents[0])

    if is_signing():
        return signed(act, done=done, back=back, title=title, values={"kind": kind})
    form = TextsForm()
    experts: list[str] = []
    if form.validate_on_submit() and kind == "result":
        experts, told = _experts(row)
        if told:
            form.form_errors.append(told)
    if form.is_submitted() and not form.problems:
        texts = {"text_zh": plain(form.text_zh.data), "text_en": plain(form.text_en.data)}
        with reading() as (conn, at):
            raw = drafting.closing_draft(conn, reference, at=at, kind=kind, texts=texts, experts=experts)
        return page("sign.html", offered([(title, raw)]), title=title, back=back, kind=kind)
    return page("texts.html", form, title=title, row=row, back=back, kind=kind)


def _experts(row: ProcedureRow) -> tuple[list[str], str]:
    """Return the names for the result notice, or why they cannot be there yet."""
    try:
        names = service.disclosed_experts(runtime().ledger, current_actor(), row)
    except RuleBroken as refusal:
        return [], refusal_text(refusal)
    if names is None:
        return [], _("The contact service is publishing the names of the committee. Send this page again in a minute.")
    return names, ""
