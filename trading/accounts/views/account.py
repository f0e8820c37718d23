"""The account of the person who is signed in: sessions, password, recovery codes, tokens, colleagues."""

from __future__ import annotations

from flask import render_template
from werkzeug.wrappers import Response

from trading.accounts import service as accounts
from trading.accounts.forms import DecisionForm, PasswordForm, TokenForm, UserForm
from trading.accounts.queries import people_of
from trading.accounts.rules.requests import COLLEAGUES
from trading.accounts.service import credentials, requests, tokens
from trading.accounts.service.keys import key_roles_of, keys_of_organisation
from trading.accounts.service.sessions import end_others, sessions_of
from trading.accounts.views.blueprint import blueprint, done, me, runtime, status_of
from trading.kernel.errors import RuleBroken
from trading.kernel.roles import Role
from trading.web.locale import gettext as _
from trading.web.permissions import PEOPLE, allow


@blueprint.get("/account")
@allow(*PEOPLE)
def account() -> str:
    """Show what the account is and what can be changed."""
    person, ledger = me(), runtime().ledger
    actor = person.actor
    with ledger.upkeep() as conn:
        colleagues = people_of(conn, actor.organisation or "")
    return render_template(
        "accounts/account.html",
        person=person,
        sessions=sessions_of(ledger, actor.account),
        tokens=tokens.tokens_of(ledger, actor.account),
        codes_left=credentials.recovery_codes_left(ledger, actor.account),
        keys=keys_of_organisation(ledger, actor.organisation or ""),
        key_roles=key_roles_of(actor),
        colleagues=colleagues,
        asked=requests.requests_of(ledger, actor),
        may_invite=bool(_colleague_roles()),
    )


@blueprint.get("/account/alive")
@allow(*PEOPLE)
def alive() -> dict[str, bool]:
    """Keep the session: asking was the activity."""
    return {"alive": True}


@blueprint.post("/account/sessions/<session_id>/end")
@allow(*PEOPLE, relation="own")
def end_session(session_id: str) -> Response:
    """End one of the own sessions."""
    accounts.end_session(runtime().ledger, me().actor.account, session_id)
    return done(_("The session has ended."), "accounts.account")


@blueprint.post("/account/sessions/end-others")
@allow(*PEOPLE)
def end_other_sessions() -> Response:
    """End every session but this one."""
    end_others(runtime().ledger, me().actor.account, me().id)
    return done(_("All other sessions have ended."), "accounts.account")


@blueprint.route("/account/password", methods=["GET", "POST"])
@allow(*PEOPLE, step_up=True)
def password() -> tuple[str, int] | Response:
    """Change the password; every other session ends."""
    form = PasswordForm()
    if form.validate_on_submit():
        process, person = runtime(), me()
        try:
            credentials.change_password(
                process.ledger,
                process.passwords,
                person.actor.account,
                old=form.old.data or "",
                new=form.new.data or "",
                keep_session=person.id,
            )
        except RuleBroken as error:
            form.refuse(error, "old" if error.code == "password.old_wrong" else "new")
        else:
            return done(_("The password is changed and every other session has ended."), "accounts.account")
    return render_template("accounts/password.html", form=form), status_of(form)


@blueprint.route("/account/recovery-codes", methods=["GET", "POST"])
@allow(*PEOPLE, step_up=True)
def recovery_codes() -> tuple[str, int]:
    """Make new recovery codes and show them this once; the old ones are dead."""
    form = DecisionForm()
    if form.validate_on_submit():
        fresh = credentials.renew_recovery_codes(runtime().ledger, me().actor.account)
        return render_template("accounts/recovery_codes.html", form=None, codes=fresh), 200
    return render_template("accounts/recovery_codes.html", form=form, codes=()), status_of(form)


@blueprint.route("/account/tokens/new", methods=["GET", "POST"])
@allow(*PEOPLE, step_up=True)
def new_token() -> tuple[str, int]:
    """Issue a token of the API and show it this once."""
    form = TokenForm()
    form.scopes.choices = [
        ("read:own", _("Read what is yours")),
        ("write:bids", _("Send bids")),
        ("write:openings", _("Take part in openings")),
    ]
    if form.validate_on_submit():
        token = accounts.issue_token(
            runtime().ledger, me().login, tuple(form.scopes.data or ()), name=form.name.data or ""
        )
        return render_template("accounts/token.html", form=None, token=token), 200
    return render_template("accounts/token.html", form=form, token=None), status_of(form)


@blueprint.post("/account/tokens/<token_id>/end")
@allow(*PEOPLE, relation="own")
def end_token(token_id: str) -> Response:
    """End one of the own tokens."""
    tokens.end_token(runtime().ledger, me().actor.account, token_id)
    return done(_("The token has ended."), "accounts.account")


@blueprint.route("/account/colleagues/new", methods=["GET", "POST"])
@allow(*(role for role in COLLEAGUES), step_up=True)
def new_colleague() -> tuple[str, int] | Response:
    """Ask the desk for one more account of the own organisation."""
    form = UserForm()
    form.role.choices = [(role.value, role.value) for role in _colleague_roles()]
    if form.validate_on_submit():
        requests.ask_user(
            runtime().ledger,
            me().actor,
            login=form.login.data or "",
            name=form.name.data or "",
            mail=form.mail.data or "",
            role=Role(form.role.data),
        )
        return done(_("The service desk has your request; two of its people decide."), "accounts.account")
    return render_template("accounts/colleague.html", form=form), status_of(form)


def _colleague_roles() -> list[Role]:
    own = me().actor.roles
    return [role for role in Role if any(role in COLLEAGUES.get(mine, ()) for mine in own)]
