"""Signing in and out. The answer to a wrong attempt never says what was wrong (security 8, Enumeration)."""

from __future__ import annotations

from http import HTTPStatus

from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from trading.accounts import service as accounts
from trading.accounts.forms import SignInForm
from trading.accounts.service.signing_in import Attempt
from trading.accounts.views.blueprint import blueprint, me, runtime
from trading.kernel.errors import RuleBroken
from trading.web import sessions
from trading.web.permissions import PEOPLE, allow, public


@blueprint.route("/signin", methods=["GET", "POST"])
@public
def signin() -> tuple[str, int] | Response:
    """Sign in with password and second factor."""
    form, status = SignInForm(), HTTPStatus.OK
    if form.validate_on_submit():
        try:
            return start_session(_attempt(form))
        except RuleBroken as error:
            form.refuse(error)
    if form.is_submitted():
        status = HTTPStatus.UNPROCESSABLE_ENTITY
    return render_template("accounts/signin.html", form=form, next=sessions.safe_next("")), status


@blueprint.post("/signout")
@allow(*PEOPLE)
def signout() -> Response:
    """End this session, on the server too."""
    person = me()
    accounts.end_session(runtime().ledger, person.actor.account, person.id)
    sessions.end()
    return redirect(url_for("accounts.signed_out"), HTTPStatus.SEE_OTHER)


@blueprint.get("/signed-out")
@public
def signed_out() -> str:
    """Say that nobody is signed in any more."""
    return render_template("accounts/signed_out.html")


def start_session(attempt: Attempt) -> Response:
    """Check an attempt, put its session into the cookie and go where the person wanted.

    Raises:
        RuleBroken: As ``accounts.sign_in``.
    """
    process = runtime()
    token = accounts.sign_in(process.ledger, process.passwords, attempt)
    return enter(token)


def enter(token: str) -> Response:
    """Put a session that was just opened into the cookie and go on."""
    person = accounts.session_of(runtime().ledger, token)
    if person is None:  # closed in this very moment
        raise RuleBroken("signin.refused")
    sessions.begin(token, person)
    return redirect(sessions.safe_next(url_for("accounts.workspace")), HTTPStatus.SEE_OTHER)


def _attempt(form: SignInForm) -> Attempt:
    return Attempt(
        login=(form.login.data or "").strip(),
        password=form.password.data or "",
        code=form.code.data or "",
        address=request.remote_addr or "",
        agent=request.user_agent.string,
    )
