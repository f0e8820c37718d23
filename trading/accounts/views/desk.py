"""The service desk: what waits for two of its people, and the accounts. Nobody here sets or sees a password."""

from __future__ import annotations

from flask import render_template, request
from werkzeug.wrappers import Response

from trading.accounts import service as accounts
from trading.accounts.forms import DecisionForm, ReasonForm, RefusalForm
from trading.accounts.queries import account_by_id, find_accounts, names_of
from trading.accounts.service import requests
from trading.accounts.service.sessions import end_all
from trading.accounts.views.blueprint import blueprint, done, me, runtime, status_of
from trading.kernel.errors import RuleBroken
from trading.kernel.roles import Role
from trading.parties.queries import organisations
from trading.web.locale import gettext as _
from trading.web.permissions import allow

_STAFF = (Role.DESK, Role.ADMIN)


@blueprint.get("/desk/requests")
@allow(Role.DESK)
def desk_requests() -> str:
    """List what waits."""
    ledger = runtime().ledger
    found = requests.waiting(ledger)
    with ledger.read() as conn:
        known = organisations(conn, tuple({each.subject for each in found}))
    return render_template("accounts/desk_requests.html", requests=found, known=known)


@blueprint.route("/desk/requests/<request_id>", methods=["GET", "POST"])
@allow(Role.DESK, step_up=True)
def desk_request(request_id: str) -> tuple[str, int] | Response:
    """Show one request; approve it with a fresh second factor. The second approval, by another person, grants it."""
    ledger, form = runtime().ledger, DecisionForm()
    found = requests.find_request(ledger, request_id)
    if form.validate_on_submit():
        try:
            token = requests.approve(ledger, me().actor, request_id)
        except RuleBroken as error:
            form.refuse(error)
        else:
            if token is not None:
                return render_template("accounts/desk_link.html", token=token, request=found), 200
            text = (
                _("Approved. It is done.") if found.first_by else _("Your approval is noted; another person decides.")
            )
            return done(text, "accounts.desk_requests")
    with ledger.upkeep() as conn:
        names = names_of(conn, [each for each in (found.asked_by, found.first_by) if each])
    with ledger.read() as conn:
        known = organisations(conn, (found.subject,)).get(found.subject)
    context = {"form": form, "refusal": RefusalForm(formdata=None), "request": found, "names": names, "known": known}
    return render_template("accounts/desk_request.html", **context), status_of(form)


@blueprint.post("/desk/requests/<request_id>/refuse")
@allow(Role.DESK)
def refuse_request(request_id: str) -> tuple[str, int] | Response:
    """Refuse a request; one person is enough."""
    form, ledger = RefusalForm(), runtime().ledger
    found = requests.find_request(ledger, request_id)
    if form.validate_on_submit():
        requests.refuse_request(ledger, me().actor, request_id, form.reason.data or "")
        return done(_("The request is refused."), "accounts.desk_requests")
    context = {"form": DecisionForm(formdata=None), "refusal": form, "request": found, "names": {}, "known": None}
    return render_template("accounts/desk_request.html", **context), status_of(form)


@blueprint.get("/desk/accounts")
@allow(*_STAFF)
def desk_accounts() -> str:
    """Find accounts by name, user name or organisation code."""
    wanted = request.args.get("q", "").strip()
    with runtime().ledger.upkeep() as conn:
        found = find_accounts(conn, wanted)
    return render_template("accounts/desk_accounts.html", accounts=found, q=wanted)


@blueprint.get("/desk/accounts/<account_id>")
@allow(*_STAFF)
def desk_account(account_id: str) -> str:
    """Show one account and what the desk can do about it."""
    with runtime().ledger.upkeep() as conn:
        found = account_by_id(conn, account_id)
    return render_template("accounts/desk_account.html", found=found)


@blueprint.route("/desk/accounts/<account_id>/reset", methods=["GET", "POST"])
@allow(*_STAFF, step_up=True)
def start_reset(account_id: str) -> tuple[str, int] | Response:
    """Start a reset of password and second factor; another person of the desk grants it, the owner sets them."""
    form, ledger = DecisionForm(), runtime().ledger
    with ledger.upkeep() as conn:
        found = account_by_id(conn, account_id)
    if form.validate_on_submit():
        try:
            requests.ask_setup(ledger, me().actor, account_id)
        except RuleBroken as error:
            form.refuse(error)
        else:
            return done(_("The reset waits for a second person of the desk."), "accounts.desk_accounts")
    return render_template("accounts/desk_reset.html", form=form, found=found), status_of(form)


@blueprint.post("/desk/accounts/<account_id>/end-sessions")
@allow(*_STAFF)
def end_sessions_of(account_id: str) -> Response:
    """End every session of an account."""
    ledger = runtime().ledger
    with ledger.upkeep() as conn:
        account_by_id(conn, account_id)
    end_all(ledger, me().actor, account_id)
    return done(_("Every session of the account has ended."), "accounts.desk_account", account_id=account_id)


@blueprint.route("/desk/accounts/<account_id>/close", methods=["GET", "POST"])
@allow(*_STAFF, step_up=True)
def close_account(account_id: str) -> tuple[str, int] | Response:
    """Take every role of an account away and close it: access ends with the next request."""
    form, ledger = ReasonForm(), runtime().ledger
    with ledger.upkeep() as conn:
        found = account_by_id(conn, account_id)
    if form.validate_on_submit():
        for each in found.memberships:
            accounts.end_membership(
                ledger, me().actor, account_id, each.role, each.jurisdiction, reason=form.reason.data or ""
            )
        accounts.close_account(ledger, account_id, me().actor)
        return done(_("The account is closed."), "accounts.desk_accounts")
    return render_template("accounts/desk_close.html", form=form, found=found), status_of(form)


@blueprint.route("/desk/accounts/<account_id>/roles/<role>/<jurisdiction>/end", methods=["GET", "POST"])
@allow(*_STAFF, step_up=True)
def end_role(account_id: str, role: str, jurisdiction: str) -> tuple[str, int] | Response:
    """Take one role of an account away."""
    form, ledger = ReasonForm(), runtime().ledger
    with ledger.upkeep() as conn:
        found = account_by_id(conn, account_id)
    given = found.membership(role, jurisdiction)
    if form.validate_on_submit():
        reason = form.reason.data or ""
        accounts.end_membership(ledger, me().actor, account_id, given.role, jurisdiction, reason=reason)
        return done(_("The role is taken away."), "accounts.desk_account", account_id=account_id)
    return render_template("accounts/desk_close.html", form=form, found=found, membership=given), status_of(form)
