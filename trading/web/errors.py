"""One table: error class to status, code and text, for pages and for the API (style 5, ux 5, RFC 9457).

A page and a program get the same facts: what happened, what still stands, what to do next, with the code, the rule and
its article. Faults of the platform carry a random reference instead of details.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from flask import Flask, Response, jsonify, make_response, render_template, request
from sqlalchemy.exc import InterfaceError, OperationalError
from werkzeug.exceptions import HTTPException, ServiceUnavailable

from trading.kernel import errors as kernel
from trading.storage.objects import StoreAway
from trading.web import refusals
from trading.web.locale import current_language

log = logging.getLogger(__name__)

API_PREFIXES: Final = ("/api/", "/custodian/v1/")
# Statuses of the six classes; RuleBroken and InvalidInput carry their own codes.
CLASSES: Final[tuple[tuple[type[kernel.MingbiaoError], HTTPStatus, str], ...]] = (
    (kernel.RuleBroken, HTTPStatus.UNPROCESSABLE_ENTITY, "rule"),
    (kernel.NotPermitted, HTTPStatus.FORBIDDEN, "not_permitted"),
    (kernel.NotFound, HTTPStatus.NOT_FOUND, "not_found"),
    (kernel.Conflict, HTTPStatus.CONFLICT, "conflict"),
    (kernel.InvalidInput, HTTPStatus.BAD_REQUEST, "input"),
    (kernel.IntegrityFailure, HTTPStatus.INTERNAL_SERVER_ERROR, "integrity"),
)
# Codes whose meaning has an HTTP status of its own.
CODES: Final = {
    "busy": HTTPStatus.SERVICE_UNAVAILABLE,
    "doc.too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "bid.part_too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
}
STATUSES: Final = {
    HTTPStatus.UNAUTHORIZED: "not_signed_in",
    HTTPStatus.FORBIDDEN: "not_permitted",
    HTTPStatus.NOT_FOUND: "not_found",
    HTTPStatus.METHOD_NOT_ALLOWED: "method_not_allowed",
    HTTPStatus.CONFLICT: "conflict",
    HTTPStatus.GONE: "gone",
    HTTPStatus.PRECONDITION_FAILED: "precondition_failed",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "too_large",
    HTTPStatus.TOO_MANY_REQUESTS: "too_many_requests",
    HTTPStatus.SERVICE_UNAVAILABLE: "unavailable",
}
RETRY_SECONDS: Final = {"busy": 1, "unavailable": 30}


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What a person or a program is told. ``reference`` only when the fault is the platform's."""

    status: HTTPStatus
    code: str
    refusal: refusals.Refusal
    rule_id: str | None = None
    article: str | None = None
    reference: str | None = None
    detail: str = ""
    facts: dict[str, object] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the members of problem+json; ``zh`` and ``en`` are always both there."""
        texts = {language: self.refusal.say(language, self.facts) for language in refusals.LANGUAGES}
        document: dict[str, Any] = {
            "type": f"/help/codes#{self.refusal.code}",
            "title": self.status.phrase,
            "status": int(self.status),
            "code": self.code,
            "detail": self.detail or texts["en"].happened,
            "zh": texts["zh"].joined(),
            "en": texts["en"].joined(" "),
        }
        optional = {"rule_id": self.rule_id, "article": self.article, "reference": self.reference}
        document.update({name: value for name, value in optional.items() if value is not None})
        if self.facts:
            document["facts"] = {name: _plain(value) for name, value in sorted(self.facts.items())}
        return document


def _plain(value: object) -> object:
    return value if value is None or isinstance(value, bool | int | str) else str(value)


ArticleOf = Callable[[str], str | None]


def no_article(_rule_id: str) -> str | None:
    """Know no rule book: the page then shows the rule id alone."""
    return None


def problem_of(error: Exception, article_of: ArticleOf = no_article) -> Problem:
    """Return what to tell about ``error``; anything unforeseen is the platform's fault and gets a reference."""
    if isinstance(error, kernel.MingbiaoError):
        return _of_refusal(error, article_of)
    if isinstance(error, HTTPException) and error.code is not None and error.code < HTTPStatus.INTERNAL_SERVER_ERROR:
        return _of_status(HTTPStatus(error.code), error)
    if isinstance(error, OperationalError | InterfaceError | StoreAway):
        # The service went away in the middle. What became of the act is not known: the same bytes may be sent again.
        log.warning("no %s for %s", "objects" if isinstance(error, StoreAway) else "database", _route(), exc_info=error)
        return _of_status(HTTPStatus.SERVICE_UNAVAILABLE, ServiceUnavailable())
    if isinstance(error, HTTPException) and error.code == HTTPStatus.SERVICE_UNAVAILABLE:
        return _of_status(HTTPStatus.SERVICE_UNAVAILABLE, error)
    return _fault("internal", error)


def _of_refusal(error: kernel.MingbiaoError, article_of: ArticleOf) -> Problem:
    status, fallback = next((status, code) for kind, status, code in CLASSES if isinstance(error, kind))
    if status is HTTPStatus.INTERNAL_SERVER_ERROR:
        return _fault(fallback, error)
    code = getattr(error, "code", fallback)
    rule_id: str | None = getattr(error, "rule_id", None)
    return Problem(
        status=CODES.get(code, status),
        code=code,
        refusal=refusals.find(code, fallback),
        rule_id=rule_id,
        article=article_of(rule_id) if rule_id else None,
        detail=getattr(error, "detail", ""),
        facts=dict(getattr(error, "facts", {})),
        headers=_retry(code),
    )


def _of_status(status: HTTPStatus, error: HTTPException) -> Problem:
    code = STATUSES.get(status, "bad_request")
    headers = {**dict(error.get_headers()), **_retry(code)}
    kept = {name: value for name, value in headers.items() if name in {"Allow", "Retry-After", "WWW-Authenticate"}}
    if status is HTTPStatus.UNAUTHORIZED:
        kept.setdefault("WWW-Authenticate", "Bearer")
    return Problem(status=status, code=code, refusal=refusals.find(code, "bad_request"), headers=kept)


def _fault(code: str, error: Exception) -> Problem:
    reference = f"E-{secrets.token_hex(4).upper()}"
    log.error("fault %s on %s", reference, _route(), exc_info=error)
    return Problem(
        status=HTTPStatus.INTERNAL_SERVER_ERROR,
        code=code,
        refusal=refusals.find(code, "internal"),
        reference=reference,
    )


def _route() -> str:
    """Return the pattern of the address: the address itself may carry the code of a call, which no log may tell."""
    return "an unknown address" if request.url_rule is None else f"{request.method} {request.url_rule.rule}"


def _retry(code: str) -> dict[str, str]:
    return {"Retry-After": str(RETRY_SECONDS[code])} if code in RETRY_SECONDS else {}


def wants_json() -> bool:
    """Whether the caller is a program: an API path, or an Accept header that prefers JSON."""
    best = request.accept_mimetypes.best_match(["text/html", "application/problem+json", "application/json"])
    return request.path.startswith(API_PREFIXES) or best in {"application/problem+json", "application/json"}


def respond(problem: Problem) -> Response:
    """Return the page or the problem document for ``problem``."""
    if wants_json():
        response = jsonify(problem.as_json())
        response.mimetype = "application/problem+json"
    else:
        text = problem.refusal.say(current_language(), problem.facts)
        response = make_response(render_template("error.html", problem=problem, text=text))
    response.status_code = int(problem.status)
    response.headers.update(problem.headers)
    response.headers["Cache-Control"] = "no-store"
    return response


def install(app: Flask, *, article_of: ArticleOf = no_article) -> None:
    """Answer every error of ``app`` with its page or problem document.

    Args:
        app: The application.
        article_of: Printed article of a rule id, from the rule book.
    """

    @app.errorhandler(Exception)
    def handle(error: Exception) -> Response:
        return respond(problem_of(error, article_of))
