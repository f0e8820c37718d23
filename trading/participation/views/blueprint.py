"""The blueprint of the bidder's desk, and what its views share."""

from __future__ import annotations

from typing import cast

from flask import Blueprint, current_app

from trading.audit.runtime import Runtime
from trading.kernel.roles import Actor
from trading.notices.queries.values import Lot, Page
from trading.participation.rules.commands import Case, commands
from trading.participation.service import organisation_of
from trading.web.permissions import current_actor

blueprint = Blueprint("bidder", __name__, url_prefix="/bidder")


def runtime() -> Runtime:
    """Return ledger, stores and clock of this process."""
    return cast("Runtime", current_app.extensions["runtime"])


def lines(page: Page, lot: Lot, actor: Actor) -> dict[str, str]:
    """Return the command lines of one lot for the organisation that is signed in."""
    case = Case(
        api=runtime().public_url,
        tender=page.reference,
        lot=lot.number,
        stage=lot.stage,
        organisation=organisation_of(actor),
    )
    return commands(case)


def me() -> Actor:
    """Return who is signed in."""
    return current_actor()
