"""Sealing in the browser (ux 7): the page whose scripts seal, and those that confirm and rescue (SB1 S9.5, S9.6).

Nothing of a bid passes through here: what is sent goes to the API, by a token for one sitting (SB1 S7.1).
"""

from __future__ import annotations

from typing import cast

from flask import redirect, render_template, url_for
from werkzeug.wrappers import Response

from trading.accounts import service as accounts
from trading.accounts.service.sessions import SignedIn
from trading.kernel.errors import NotFound
from trading.kernel.roles import Role
from trading.participation import service
from trading.participation.forms import SealForm
from trading.participation.queries.values import OwnLot
from trading.participation.rules.browser_acts import BrowserAct, browser_act
from trading.participation.service import organisation_of
from trading.participation.views.blueprint import blueprint, lines, me, runtime
from trading.web import sessions
from trading.web.permissions import allow

_OK, _UNPROCESSABLE = 200, 422


@blueprint.route("/tenders/<reference>/lots/<lot>/seal", methods=["GET", "POST"])
@allow(Role.BIDDER, relation="own_org", step_up=True)
def seal(reference: str, lot: str) -> tuple[str, int] | Response:
    """Ask for a fresh factor, then show the page that seals, confirms or rescues, with a token for this sitting."""
    now = runtime().clock.now_ms()
    desk, own = service.own_lot(runtime(), me(), reference, lot, now)
    act = _act(own)
    if act is BrowserAct.NOTHING:  # the page of the lot says what is done
        return redirect(url_for("bidder.lot", reference=reference, lot=lot, _anchor="opening"), 303)
    form, token = SealForm(), None
    if form.validate_on_submit():
        person = cast("SignedIn", sessions.reader())
        name, lifetime_ms = f"{desk.page.reference}/{own.lot.number}", accounts.SITTING_MS
        token = accounts.issue_token(
            runtime().ledger, person.login, ("write:bids",), name=name, lifetime_ms=lifetime_ms
        )
    shown = render_template(
        f"participation/{act}.html",
        desk=desk,
        own=own,
        form=None if token else form,
        token=token,
        organisation=organisation_of(me()),
        lines=lines(desk.page, own.lot, me()),
        now=now,
    )
    return shown, _UNPROCESSABLE if form.is_submitted() and token is None else _OK


def _act(own: OwnLot) -> BrowserAct:
    """Return what there is to do in the lot as it stands.

    Raises:
        NotFound: Nothing: bids are not taken, and there is none to open.
        RuleBroken: The bidder comes too early, or too late, to confirm.
    """
    sealing, opening = own.lot.sealing, own.opening
    if sealing is None:
        raise NotFound(f"lot {own.lot.number} takes no bids")
    return browser_act(
        own.lot.state,
        stands=own.standing is not None,
        needs_factor=sealing.bidder_factor,
        factor="none" if opening is None else opening.factor,
        rescue="none" if opening is None else opening.rescue,
    )
