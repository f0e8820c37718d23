"""What a custodian's people see of their agent: work done and waiting, keys, checks (ux page 12). Read only."""

from __future__ import annotations

from typing import Final, cast

from flask import Blueprint, current_app, render_template

from trading.audit.runtime import Runtime
from trading.kernel.roles import Role
from trading.openings.service import keeping
from trading.web.permissions import allow, current_actor

blueprint = Blueprint("custody", __name__, url_prefix="/custodian")

MINUTE_MS: Final = 60_000
ESCALATION: Final = (10, 20, 30)  # minutes without an answer after which the page says it more loudly (ux page 12)
SILENT_MS: Final = 2 * MINUTE_MS  # an agent asks every few seconds; longer silence deserves a look


def _runtime() -> Runtime:
    return cast("Runtime", current_app.extensions["runtime"])


@blueprint.get("")
@allow(Role.CUSTODIAN, relation="assigned_custody")
def index() -> str:
    """The institution's agent: when it last asked for work, and every lot whose share key it keeps."""
    found = keeping.keeping(_runtime().ledger, current_actor())
    now = _runtime().clock.now_ms()
    return render_template("openings/custodian.html", keeping=found, now=now, silent_ms=SILENT_MS)


@blueprint.get("/lots/<reference>/<lot>")
@allow(Role.CUSTODIAN, relation="assigned_custody")
def one(reference: str, lot: str) -> str:
    """One lot: the key, what was checked, what waits, and how the ceremony stands."""
    found = keeping.kept(keeping.keeping(_runtime().ledger, current_actor()), reference, lot)
    now = _runtime().clock.now_ms()
    return render_template("openings/custodian_lot.html", kept=found, now=now, escalation=ESCALATION)
