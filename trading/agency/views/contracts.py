"""The contract of a lot from the agency's side: written, signed, offered, published, filed, with its time limits."""

from __future__ import annotations

from http import HTTPStatus

from flask import flash, redirect, request, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from trading.agency import queries
from trading.agency.forms import FilingForm, TermsForm, TextsForm, plain
from trading.agency.views.blueprint import blueprint, own_procedure, page, reading, runtime
from trading.agency.views.drafts import Page
from trading.agency.views.signing import is_signing, offered, signed
from trading.awards.queries import award_of
from trading.contracts import queries as contracts
from trading.contracts import service
from trading.contracts.drafting import Terms, contract_draft
from trading.contracts.rules.documents import parse_contract
from trading.contracts.rules.limits import Limit, contract_limits
from trading.kernel.errors import Conflict, NotFound, RuleBroken
from trading.kernel.roles import Role
from trading.kernel.signed import SignedDocument
from trading.notices import drafting
from trading.notices import service as notices
from trading.parties.queries import organisations
from trading.procedures.queries import LotRow, ProcedureRow, find_lot
from trading.procedures.service import edition_of, work_calendar
from trading.rulebook.keys import Regime
from trading.web.locale import gettext as _
from trading.web.permissions import allow, current_actor

STAGE = "all"
REPLACE = "replace"


def _url(reference: str, lot: str) -> str:
    return url_for("agency.contract", reference=reference, lot=lot)


@blueprint.route("/procedures/<reference>/lots/<lot>/contract", methods=["GET", "POST"])
@allow(Role.AGENCY, Role.REVIEWER, relation="own_org")
def contract(reference: str, lot: str) -> Page | Response:
    """Write and sign the contract that follows from the award, and see how far it is."""
    with reading() as (conn, at):
        row = own_procedure(conn, reference)
        lot_row = find_lot(conn, row.id, lot, STAGE)
        award = award_of(conn, row.id, lot, STAGE)
        if award is None:
            raise NotFound(f"award of lot {lot}")
        supplier = organisations(conn, (award.bidder,))[award.bidder]
        waiting = contracts.offer_of(conn, row.id, lot, STAGE)
        agreed = contracts.contract_of(conn, row.id, lot, STAGE)
        limits = limits_of(conn, row, lot_row, at)
    title, back = _("Contract of lot %(lot)s") % {"lot": lot}, _url(reference, lot)

    def act(documents: list[SignedDocument]) -> None:
        service.offer(runtime().ledger, current_actor(), reference, documents[0])

    if is_signing():
        done = _("Signed and offered to the supplier. It is concluded when the supplier signs the same text.")
        return signed(act, done=done, back=back, title=title, values={"kind": "contract"})
    written = None if waiting is None else parse_contract(waiting.document.doc)
    form = TermsForm(obj=written)
    if form.validate_on_submit():
        terms = Terms(
            number=plain(form.number.data), terms_zh=plain(form.terms_zh.data), terms_en=plain(form.terms_en.data)
        )
        try:
            with reading() as (conn, at):
                raw = contract_draft(conn, reference, (lot, STAGE), at=at, terms=terms)
        except RuleBroken as refusal:
            form.refuse(refusal)
        else:
            return page("sign.html", offered([(title, raw)]), title=title, back=back, kind="contract")
    return page(
        "contract.html",
        form,
        row=row,
        lot=lot_row,
        award=award,
        supplier=supplier,
        waiting=waiting,
        agreed=agreed,
        limits=limits,
        filing=FilingForm(formdata=None),
        editing=agreed is None and (waiting is None or REPLACE in request.args or bool(form.problems)),
        now=at,
    )


def limits_of(conn: Connection, row: ProcedureRow, lot: LotRow, at: int) -> tuple[Limit, ...]:
    """Return the time limits of a contract; none before the result is published or beyond the calendar."""
    acts = [act for act in queries.own_of(conn, row).acts if act["body"].get("lot") == lot.number]
    happened = {act["kind"]: act["at"] for act in acts}
    if "result.published" not in happened:
        return ()
    try:
        return contract_limits(
            edition_of(conn, row, at),
            Regime(row.regime),
            work_calendar(conn),
            concluded_at=happened["result.published"],
            signed_at=happened.get("contract.signed"),
            published_at=happened.get("contract.published"),
            filed_at=happened.get("contract.filed"),
        )
    except RuleBroken:
        return ()


@blueprint.post("/procedures/<reference>/lots/<lot>/contract/filing")
@allow(Role.AGENCY, Role.REVIEWER, relation="own_org")
def file_contract(reference: str, lot: str) -> Response:
    """Record under which number the finance department filed the contract (CON-03)."""
    with reading() as (conn, _at):
        own_procedure(conn, reference)
    form = FilingForm()
    if form.validate_on_submit():
        try:
            service.file(runtime().ledger, current_actor(), reference, lot, STAGE, plain(form.filing.data))
            flash(_("The filing is recorded."))
        except Conflict:
            flash(_("The contract is filed already; the first number stands."))
    else:
        flash(_("Enter the number under which the contract was filed."))
    return redirect(_url(reference, lot), HTTPStatus.SEE_OTHER)


@blueprint.route("/procedures/<reference>/lots/<lot>/contract/publish", methods=["GET", "POST"])
@allow(Role.REVIEWER, relation="own_org")
def publish_contract(reference: str, lot: str) -> Page | Response:
    """The notice of a signed contract (CON-02, NOT-12)."""
    with reading() as (conn, _at):
        row = own_procedure(conn, reference)
        if contracts.contract_of(conn, row.id, lot, STAGE) is None:
            raise NotFound(f"contract of lot {lot}")
    title, back = _("Publish the contract"), _url(reference, lot)

    def act(documents: list[SignedDocument]) -> None:
        notices.publish_contract(runtime().ledger, current_actor(), reference, documents[0])

    if is_signing():
        return signed(act, done=_("The contract is published."), back=back, title=title, values={"kind": "contract"})
    form = TextsForm()
    if form.validate_on_submit():
        texts = {"text_zh": plain(form.text_zh.data), "text_en": plain(form.text_en.data)}
        with reading() as (conn, at):
            raw = drafting.contract_notice_draft(conn, reference, (lot, STAGE), at=at, texts=texts)
        return page("sign.html", offered([(title, raw)]), title=title, back=back, kind="contract")
    return page("texts.html", form, title=title, row=row, back=back, kind="contract")
