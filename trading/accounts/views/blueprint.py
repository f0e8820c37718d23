"""The blueprint of the pages of accounts, and what their views share."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, cast

from flask import Blueprint, current_app, flash, redirect, url_for
from werkzeug.wrappers import Response

from trading.accounts.service.sessions import SignedIn
from trading.audit.runtime import Runtime
from trading.web import sessions
from trading.web.forms import Form

blueprint = Blueprint("accounts", __name__)


def runtime() -> Runtime:
    """Return ledger, stores and clock of this process."""
    return cast("Runtime", current_app.extensions["runtime"])


def me() -> SignedIn:
    """Return the person with the session of this request."""
    return cast("SignedIn", sessions.reader())


def status_of(form: Form) -> HTTPStatus:
    """Return 422 for a form that is shown again with what is wrong, else 200."""
    return HTTPStatus.UNPROCESSABLE_ENTITY if form.is_submitted() else HTTPStatus.OK


def done(message: str, endpoint: str, **values: Any) -> Response:  # noqa: ANN401 - values of an address
    """Say on the next page what was done, and go there."""
    flash(message)
    return redirect(url_for(endpoint, **values), HTTPStatus.SEE_OTHER)
