"""The account of the person who is signed in: sessions, tokens, factors, keys."""

from __future__ import annotations

from flask import render_template

from trading.accounts.service.sessions import sessions_of
from trading.accounts.service.tokens import tokens_of
from trading.accounts.views.blueprint import blueprint, me, runtime
from trading.web.permissions import PEOPLE, allow


@blueprint.get("/account")
@allow(*PEOPLE)
def account() -> str:
    """Show what the account is and what can be changed."""
    person, ledger = me(), runtime().ledger
    return render_template(
        "accounts/account.html",
        person=person,
        sessions=sessions_of(ledger, person.actor.account),
        tokens=tokens_of(ledger, person.actor.account),
    )
