"""Practice tenders: ask for one, see one's own, get the trust file of their players (ADR 0061)."""

from __future__ import annotations

from flask import Response, make_response, redirect, render_template, url_for
from werkzeug.wrappers import Response as AnyResponse

from trading.kernel.errors import RuleBroken
from trading.kernel.roles import Role
from trading.participation import practising
from trading.participation.forms import PracticeForm
from trading.participation.rules.commands import PRACTICE_TRUST
from trading.participation.views.blueprint import blueprint, me, runtime
from trading.web.permissions import allow

_OK, _UNPROCESSABLE = 200, 422


@blueprint.get("/practice")
@allow(Role.BIDDER, relation="own_org")
def practice() -> AnyResponse:
    """What practising is, the practice tenders of my organisation, and a form for one more."""
    return _page(PracticeForm(), _OK)


def _page(form: PracticeForm, status: int) -> AnyResponse:
    now = runtime().clock.now_ms()
    found = practising.mine(runtime().ledger, me(), now)
    shown = {"tenders": found, "form": form, "now": now, "practice": True}
    return make_response(render_template("participation/practice.html", **shown), status)


@blueprint.post("/practice")
@allow(Role.BIDDER, relation="own_org")
def ask_for_practice() -> AnyResponse:
    """Ask for a practice tender; its page can be used as soon as the practice custodians have given their keys."""
    form = PracticeForm()
    if form.validate_on_submit():
        try:
            practising.ask(runtime().ledger, me(), form.minutes.data)
        except RuleBroken as error:
            form.refuse(error)
        else:
            return redirect(url_for("bidder.practice", _anchor="mine"), 303)
    return _page(form, _UNPROCESSABLE)


@blueprint.get("/practice/trust.json")
@allow(Role.BIDDER, relation="own_org")
def practice_trust() -> Response:
    """The trust file of practice tenders, for the browser and the program: it trusts nobody of a real tender."""
    response = Response(practising.trust(runtime(), runtime().clock.now_ms()), mimetype="application/json")
    response.headers["Content-Disposition"] = f'attachment; filename="{PRACTICE_TRUST}"'
    return response
