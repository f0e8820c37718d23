"""The platform's time and how far it may be from UTC (TE1 T1, T3): what pages and clients show, never what decides."""

from __future__ import annotations

from flask import Blueprint, Response

from trading.api.bodies import answer, runtime
from trading.audit.queries import clock_uncertainty_ms, on_hold
from trading.audit.service import platform_ms
from trading.web.instants import machine_text
from trading.web.permissions import public

blueprint = Blueprint("time", __name__, url_prefix="/api/v1")


@blueprint.get("/time")
@public
def now() -> Response:
    """Return the database clock; ``uncertainty_ms`` is null where the host reports no bound."""
    process = runtime()
    with process.ledger.read() as conn:
        uncertainty, hold = clock_uncertainty_ms(conn), on_hold(conn)
        at = platform_ms(conn)  # last, so that it is as fresh as can be
    return answer(
        {"demo": process.demo, "hold": hold, "time": at, "uncertainty_ms": uncertainty, "utc": machine_text(at)}
    )
