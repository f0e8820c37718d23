"""Signing people in without typing: a session is opened by the use case and put into the client's cookie."""

from __future__ import annotations

from typing import cast

from flask.testing import FlaskClient

from trading.accounts import service as accounts
from trading.audit.runtime import Runtime
from trading.web.sessions import TOKEN


def signed_in(client: FlaskClient, login: str) -> FlaskClient:
    """Return ``client`` with a session of the account called ``login``."""
    runtime = cast("Runtime", client.application.extensions["runtime"])
    with runtime.ledger.upkeep() as conn:
        account = accounts.actor_of(conn, login).account
    token = accounts.open_session(runtime.ledger, account)
    with client.session_transaction() as session:
        session.clear()
        session[TOKEN] = token
    return client
