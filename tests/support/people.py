"""Signing people in without typing: a session is opened by the use case and put into the client's cookie."""

from __future__ import annotations

from typing import cast

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from trading.accounts import service as accounts
from trading.accounts.rules import codes
from trading.accounts.tables import account, recovery_code
from trading.audit.ledger import Ledger
from trading.audit.runtime import Runtime
from trading.kernel.roles import Actor, Role
from trading.web.sessions import TOKEN


def signed_in(client: FlaskClient, login: str) -> FlaskClient:
    """Return ``client`` with a session of the account called ``login``."""
    runtime = cast("Runtime", client.application.extensions["runtime"])
    with runtime.ledger.upkeep() as conn:
        actor = accounts.actor_of(conn, login)
    token = accounts.open_session(runtime.ledger, actor.account)
    with client.session_transaction() as session:
        session.clear()
        session[TOKEN] = token
    return client


def code_of(ledger: Ledger, login: str) -> str:
    """Return a fresh recovery code of an account, good for one step-up.

    Tests step up many times within the 30 seconds in which the six digits stay the same.
    """
    fresh = codes.new_recovery_codes()[0]
    with ledger.upkeep() as conn:
        actor = accounts.actor_of(conn, login)
        conn.execute(recovery_code.insert().values(account_id=actor.account, sha256=codes.recovery_digest(fresh)))
    return fresh


def further_account(ledger: Ledger, login: str, further: str, organisation: str, *roles: Role) -> Actor:
    """Give the human being behind an account another one, at another organisation."""
    with ledger.upkeep() as conn:
        person: str = conn.execute(select(account.c.person).where(account.c.login == login)).scalar_one()
    accounts.create_account(ledger, login=further, org_code=organisation, roles=roles, person_id=person)
    with ledger.upkeep() as conn:
        return accounts.actor_of(conn, further)


def session_cookie(app: Flask, login: str) -> tuple[str, str]:
    """Return name and value of the session cookie of an account, for a real browser."""
    client = signed_in(app.test_client(), login)
    name = str(app.config["SESSION_COOKIE_NAME"])
    cookie = client.get_cookie(name)
    assert cookie is not None
    return name, cookie.value
