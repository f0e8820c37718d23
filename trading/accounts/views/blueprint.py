"""The blueprint of the pages of accounts, and what their views share."""

from __future__ import annotations

from typing import cast

from flask import Blueprint, current_app

from trading.accounts.service.sessions import SignedIn
from trading.audit.runtime import Runtime
from trading.web import sessions

blueprint = Blueprint("accounts", __name__)


def runtime() -> Runtime:
    """Return ledger, stores and clock of this process."""
    return cast("Runtime", current_app.extensions["runtime"])


def me() -> SignedIn:
    """Return the person with the session of this request."""
    return cast("SignedIn", sessions.reader())
