"""One lot of the workspace: what is asked, the price form, the commands, what arrived, what came of it (ux 6, 8)."""

from __future__ import annotations

from typing import Final

from flask import Response, flash, make_response, redirect, render_template, url_for
from werkzeug.wrappers import Response as AnyResponse

from trading.audit.service import IssuedReceipt, reader, token_beside
from trading.kernel.canonical import dumps
from trading.kernel.encoding import hex_bytes
from trading.kernel.errors import InvalidInput, NotFound, RuleBroken
from trading.kernel.roles import Role
from trading.openings.service import objections
from trading.participation import service
from trading.participation.forms import ObjectionForm
from trading.participation.queries.values import OwnLot, Template
from trading.participation.service import Desk
from trading.participation.views.blueprint import blueprint, lines, me, runtime
from trading.receipts.views import PDF, PROOF, download
from trading.web.downloads import STAMP_TYPE, evidence_file
from trading.web.locale import gettext as _
from trading.web.locale import pick
from trading.web.permissions import allow

# The price form may not speak to anybody: the browser itself refuses every request that this page would make, and
# every form that it would send. What is typed there can leave the machine only in the file that the bidder saves.
SILENT_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'none'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
_UNPROCESSABLE: Final = 422


@blueprint.get("/tenders/<reference>/lots/<lot>")
@allow(Role.BIDDER, relation="own_org")
def lot(reference: str, lot: str) -> str:
    """One lot: tasks, commands, versions with receipts, opening, result."""
    return _page(*_own(reference, lot), ObjectionForm())


def _own(reference: str, number: str) -> tuple[Desk, OwnLot]:
    return service.own_lot(runtime(), me(), reference, number, runtime().clock.now_ms())


def _page(desk: Desk, own: OwnLot, form: ObjectionForm) -> str:
    return render_template(
        "participation/lot.html",
        desk=desk,
        own=own,
        lines=lines(desk.page, own.lot, me()),
        form=form,
        now=runtime().clock.now_ms(),
        signed=runtime().ack is not None,
    )


@blueprint.get("/tenders/<reference>/lots/<lot>/price")
@allow(Role.BIDDER, relation="own_org")
def price(reference: str, lot: str) -> Response:
    """The price form: computed and saved on the bidder's machine, never sent."""
    desk, own = _own(reference, lot)
    shown = render_template(
        "participation/price.html",
        desk=desk,
        own=own,
        lines=lines(desk.page, own.lot, me()),
        now=runtime().clock.now_ms(),
        signed_in=None,  # signing out is a form, and this page may send none
    )
    response = make_response(shown)
    response.headers["Content-Security-Policy"] = SILENT_POLICY
    return response


@blueprint.get("/tenders/<reference>/lots/<lot>/template.json")
@allow(Role.BIDDER, relation="own_org")
def template(reference: str, lot: str) -> Response:
    """The items of the lot for ``mingbiao bid price``: public data, nothing of the bidder."""
    desk, own = _own(reference, lot)
    names = {each.code: pick(each.name_zh, each.name_en) for each in own.lot.items}
    found = Template(tender=desk.page.reference, lot=own.lot).to_json(names)
    response = Response(dumps(found), mimetype="application/json")
    name = f"{desk.page.reference}-{own.lot.number}.template.json"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@blueprint.get("/tenders/<reference>/receipts/<h>.pdf", defaults={"form": PDF})
@blueprint.get("/tenders/<reference>/receipts/<h>.tlog-proof", defaults={"form": PROOF})
@allow(Role.BIDDER, relation="own_bid")
def receipt(reference: str, h: str, form: str) -> Response:
    """The best receipt of an own record, also to print (AL1 L8.1)."""
    return download(runtime(), _own_receipt(reference, h), form, of=reference)


@blueprint.get("/tenders/<reference>/receipts/<h>/<file>")
@allow(Role.BIDDER, relation="own_bid")
def token(reference: str, h: str, file: str) -> Response:
    """A time-stamp token over the checkpoint of that receipt (TE1 T8)."""
    found = _own_receipt(reference, h)
    return evidence_file(token_beside(reader(runtime().log_dir), found, file), file, STAMP_TYPE)


def _own_receipt(reference: str, h: str) -> IssuedReceipt:
    try:
        wanted = hex_bytes(h, 32)
    except ValueError as error:
        raise NotFound(h) from error
    return service.own_receipt(runtime(), me(), reference, wanted)


@blueprint.post("/tenders/<reference>/lots/<lot>/objection")
@allow(Role.BIDDER, relation="own_bid")
def object_to_order(reference: str, lot: str) -> AnyResponse:
    """Object that the own bid is missing from the opening order (SB1 S9.2)."""
    desk, own = _own(reference, lot)
    form = ObjectionForm()
    if form.validate_on_submit():
        where = (desk.page.reference, own.lot.number, own.lot.stage)
        try:
            objections.object_to_order(runtime(), me(), where, own.bid or "", (form.receipt.data or "").encode())
        except (RuleBroken, InvalidInput) as error:
            form.refuse(error, "receipt")
        else:
            flash(_("Your objection is recorded. The opening goes on only after the supervisor has decided on it."))
            return redirect(url_for("bidder.lot", reference=reference, lot=lot, _anchor="opening"), 303)
    return make_response(_page(desk, own, form), _UNPROCESSABLE)
