"""My tenders, the workspace of one of them, and what my organisation did in it (ux 4.2 pages 6 and 9)."""

from __future__ import annotations

from flask import Response, flash, redirect, render_template, url_for
from werkzeug.wrappers import Response as AnyResponse

from trading.kernel.roles import Role
from trading.participation import service
from trading.participation.forms import FollowForm
from trading.participation.views.blueprint import blueprint, me, runtime
from trading.web.locale import gettext as _
from trading.web.permissions import allow


@blueprint.get("")
@allow(Role.BIDDER, relation="own_org")
def tenders() -> str:
    """My tenders: followed ones and those with a bid of my organisation."""
    now = runtime().clock.now_ms()
    found = service.my_tenders(runtime().ledger, me(), now)
    return render_template("participation/tenders.html", tenders=found, now=now)


@blueprint.get("/tenders/<reference>")
@allow(Role.BIDDER, relation="own_org")
def workspace(reference: str) -> str:
    """The workspace of one tender: countdown and a task list for each lot."""
    now = runtime().clock.now_ms()
    found = service.desk(runtime(), me(), reference, now)
    return render_template("participation/workspace.html", desk=found, form=FollowForm(), now=now)


@blueprint.post("/tenders/<reference>/follow")
@allow(Role.BIDDER, relation="own_org")
def follow(reference: str) -> AnyResponse:
    """Follow a tender."""
    return _followed(reference, wanted=True)


@blueprint.post("/tenders/<reference>/unfollow")
@allow(Role.BIDDER, relation="own_org")
def unfollow(reference: str) -> AnyResponse:
    """Follow a tender no longer; bids are not touched."""
    return _followed(reference, wanted=False)


def _followed(reference: str, *, wanted: bool) -> AnyResponse:
    service.follow(runtime().ledger, me(), reference, wanted=wanted)
    if wanted:
        flash(_("You follow this tender. Only you see that."))
    else:
        flash(_("You no longer follow this tender. What you have submitted is not affected."))
    return redirect(url_for("bidder.workspace", reference=reference), 303)


@blueprint.get("/tenders/<reference>/log")
@allow(Role.BIDDER, relation="own_org")
def log(reference: str) -> str:
    """What my organisation did in this tender, by whom and when."""
    row, acts, names = service.own_acts(runtime().ledger, me(), reference)
    signed = runtime().ack is not None
    return render_template("participation/log.html", procedure=row, acts=acts, names=names, signed=signed)


@blueprint.get("/tenders/<reference>/log.json")
@allow(Role.BIDDER, relation="own_org")
def log_file(reference: str) -> Response:
    """The same as a file, signed by the platform: nobody can take a line out of it afterwards."""
    found = service.signed_log(runtime(), me(), reference, runtime().clock.now_ms())
    response = Response(found, mimetype="application/json")
    response.headers["Content-Disposition"] = f'attachment; filename="{reference}.action-log.json"'
    return response
