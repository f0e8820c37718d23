"""The supplier's side of a contract: read what the agency signed, sign the same bytes, keep it (CON-09)."""

from __future__ import annotations

from http import HTTPStatus
from typing import cast

from flask import Blueprint, current_app, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from trading.audit.runtime import Runtime
from trading.contracts import queries, service
from trading.contracts.forms import SignContractForm
from trading.contracts.rules.documents import Contract, parse_contract
from trading.documents import queries as documents
from trading.kernel.errors import IntegrityFailure, InvalidInput, RuleBroken
from trading.kernel.roles import Role
from trading.web.locale import gettext as _
from trading.web.permissions import allow, current_actor
from trading.web.signing import signed_documents

blueprint = Blueprint("contracts", __name__, url_prefix="/bidder/contracts")
STAGE = "all"


def _runtime() -> Runtime:
    return cast("Runtime", current_app.extensions["runtime"])


@blueprint.get("")
@allow(Role.BIDDER, relation="own_org")
def index() -> str:
    """Contracts that wait for this supplier, then those it signed."""
    with _runtime().ledger.read() as conn:
        rows = queries.of_supplier(conn, current_actor().organisation or "")
    return render_template("contracts/index.html", rows=rows)


@blueprint.route("/<reference>/<lot>", methods=["GET", "POST"])
@allow(Role.BIDDER, relation="own_org")
def contract(reference: str, lot: str) -> tuple[str, HTTPStatus] | Response:
    """One contract: its text, who has signed, and signing it."""
    ledger, actor = _runtime().ledger, current_actor()
    with ledger.read() as conn:
        at = ledger.platform_time(conn)
        row, lot_row = service.readable_by(conn, actor, reference, lot, STAGE)
        waiting = queries.offer_of(conn, row.id, lot, STAGE)
        agreed = queries.contract_of(conn, row.id, lot, STAGE)
        stored = None if agreed is None else documents.get(conn, bytes.fromhex(agreed.sha256))
    if waiting is not None:
        document, raw = parse_contract(waiting.document.doc), waiting.document.doc
    elif stored is not None:
        document, raw = parse_contract(stored.doc), stored.doc
    else:
        raise IntegrityFailure(f"the contract of {reference} lot {lot} is missing")
    form = SignContractForm()
    if request.method == "POST" and waiting is not None:
        done = _sign(form, reference, lot)
        if done is not None:
            return done
    if waiting is not None:
        _offer(form, document, raw)
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.problems else HTTPStatus.OK
    shown = render_template(
        "contracts/contract.html",
        form=form,
        row=row,
        lot=lot_row,
        document=document,
        waiting=waiting,
        agreed=agreed,
        now=at,
    )
    return shown, status


def _sign(form: SignContractForm, reference: str, lot: str) -> Response | None:
    """Take the signature to the record; None if it was refused, which the form then tells."""
    if not form.validate_on_submit():
        return None
    try:
        signed = signed_documents(form)[0]
        service.sign(_runtime().ledger, current_actor(), reference, lot, STAGE, signed)
    except (RuleBroken, InvalidInput) as refusal:
        form.refuse(refusal)
        return None
    flash(_("The contract is concluded: both signatures are recorded."))
    return redirect(url_for("contracts.contract", reference=reference, lot=lot), HTTPStatus.SEE_OTHER)


def _offer(form: SignContractForm, document: Contract, raw: bytes) -> None:
    """Offer what waits now: after a refusal that may be another text than the one that came back."""
    form.put([(_("Contract %(number)s") % {"number": document.number}, raw)])
