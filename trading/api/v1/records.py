"""The feed of public records for programs, in log order and complete behind every cursor (AL1 L9, G11).

``?since=`` is a log position; ``next`` in the answer is where to go on. Nothing at or above the public head is told, so
that the feed moves as the head does: at a constant rate, whatever happens (AL1 L6).
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from flask import Blueprint, Response, jsonify, request

from trading.api.bodies import runtime
from trading.audit.queries import LoggedRecord
from trading.audit.views import public_size
from trading.kernel.digests import sha256_hex
from trading.kernel.encoding import b64u
from trading.kernel.errors import InvalidInput, NotFound
from trading.notices.queries import records
from trading.web.permissions import public

blueprint = Blueprint("records", __name__, url_prefix="/api/v1/records")

PAGE: Final = 100
MOST: Final = 1_000
_MOST_DIGITS: Final = 15
_SETTLED: Final = "public, max-age=31536000, immutable"
_FRESH: Final = "public, max-age=5, must-revalidate"


@blueprint.get("")
@public
def feed() -> Response:
    """Return the public records that the positions from ``since`` on disclose, oldest first, and the ``next`` cursor.

    A page whose ``next`` is its ``since`` says that nothing was published meanwhile.
    """
    since, limit, end = _number("since", 0), _number("limit", PAGE), public_size()
    if not 1 <= limit <= MOST:
        raise InvalidInput("records.limit", f"limit is not between 1 and {MOST}", most=MOST)
    if since > end:
        raise InvalidInput("records.ahead", f"the public log has {end} entries", since=since, size=end)
    with runtime().ledger.read() as conn:
        found = records.page(conn, since, end, limit)
    response = jsonify(next=found.next, records=[as_json(each) for each in found.records])
    return _conditional(response, _SETTLED if found.settled else _FRESH)


@blueprint.get("/<int:n>")
@public
def one(n: int) -> Response:
    """Return the public record at a position of the log; any other entry is not found."""
    with runtime().ledger.read() as conn:
        found = records.one(conn, n, public_size())
    if found is None:
        raise NotFound(str(n))
    return _conditional(jsonify(as_json(found)), _SETTLED)


def as_json(record: LoggedRecord) -> dict[str, Any]:
    """Return what opens the commitment of an entry (L9), with the commitment and the place."""
    return {
        "h": record.h.hex(),
        "n": record.n,
        "nonce": record.nonce.hex(),
        "record": b64u(record.record),
        "t": record.t,
    }


def _number(name: str, default: int) -> int:
    text = request.args.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
        raise InvalidInput(f"records.{name}", f"{name} is not a decimal number", most=MOST)
    return int(text)


def _conditional(response: Response, cache: str) -> Response:
    """Let a reader ask whether the answer has changed: the tag is that of its bytes."""
    tag = sha256_hex(response.get_data())[:32]
    if request.if_none_match.contains(tag):
        response = Response(status=HTTPStatus.NOT_MODIFIED)
    response.set_etag(tag)
    response.headers["Cache-Control"] = cache
    return response
