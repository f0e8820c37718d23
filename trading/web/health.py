"""Health of the web process: alive, and ready to serve (ux 8.5). Nothing here depends on bids."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from flask import Blueprint, Response, current_app, jsonify

from trading.web.permissions import public

log = logging.getLogger(__name__)
blueprint = Blueprint("health", __name__)

Checks = Mapping[str, Callable[[], None]]


@blueprint.get("/livez")
@public
def livez() -> Response:
    """The process answers."""
    return _answer({"alive": True}, 200)


@blueprint.get("/readyz")
@blueprint.get("/healthz")
@public
def readyz() -> Response:
    """Every part that the process needs answers; each check raises if its part does not."""
    checks: Checks = current_app.extensions["readiness"]
    results = {name: _passes(name, check) for name, check in checks.items()}
    return _answer({"ready": all(results.values()), "parts": results}, 200 if all(results.values()) else 503)


def _passes(name: str, check: Callable[[], None]) -> bool:
    try:
        check()
    except Exception:  # whatever it is, the part is not ready, and the log says why
        log.warning("not ready: %s", name, exc_info=True)
        return False
    return True


def _answer(content: dict[str, object], status: int) -> Response:
    response = jsonify(content)
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    return response
