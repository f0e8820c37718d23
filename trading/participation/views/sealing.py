"""Sealing in the browser (ux 7): the page whose scripts seal, and the one that confirms in the factor window (S9.5).

Nothing of a bid passes through here: what is sent goes to the API, by a token for one sitting (SB1 S7.1).
"""

from __future__ import annotations

from typing import cast

from flask import render_template

from trading.accounts import service as accounts
from trading.accounts.service.sessions import SignedIn
from trading.kernel.errors import NotFound
from trading.kernel.roles import Role
from trading.notices.rules.progress import LotState
from trading.participation import service
from trading.participation.forms import SealForm
from trading.participation.queries.values import OwnLot
from trading.participation.service import organisation_of
from trading.participation.views.blueprint import blueprint, lines, me, runtime
from trading.web import sessions
from trading.web.permissions import allow

_OK, _UNPROCESSABLE = 200, 422


@blueprint.route("/tenders/<reference>/lots/<lot>/seal", methods=["GET", "POST"])
@allow(Role.BIDDER, relation="own_org", step_up=True)
def seal(reference: str, lot: str) -> tuple[str, int]:
    """Ask for a fresh factor, then show the page that seals, or confirms, with a token for this sitting."""
    now = runtime().clock.now_ms()
    desk, own = service.own_lot(runtime(), me(), reference, lot, now)
    template = _template(own)
    form, token = SealForm(), None
    if form.validate_on_submit():
        person = cast("SignedIn", sessions.reader())
        name, lifetime_ms = f"{desk.page.reference}/{own.lot.number}", accounts.SITTING_MS
        token = accounts.issue_token(
            runtime().ledger, person.login, ("write:bids",), name=name, lifetime_ms=lifetime_ms
        )
    shown = render_template(
        template,
        desk=desk,
        own=own,
        form=None if token else form,
        token=token,
        organisation=organisation_of(me()),
        lines=lines(desk.page, own.lot, me()),
        now=now,
    )
    return shown, _UNPROCESSABLE if form.is_submitted() and token is None else _OK


def _template(own: OwnLot) -> str:
    """Return the page that has something to do in the lot as it stands.

    Raises:
        NotFound: Bids are not taken, and the bidder's factor is not asked for.
    """
    if own.lot.state is LotState.OPEN and own.lot.sealing is not None:
        return "participation/seal.html"
    if own.opening is not None and own.opening.factor == "open" and own.standing is not None:
        return "participation/reveal.html"
    raise NotFound(f"lot {own.lot.number} takes no bids")
