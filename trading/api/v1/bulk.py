"""Open data in bulk, for programs: which days and years there are, their manifests and their files.

Every answer has an ``ETag``. Files and manifests of a period that is over never change; the others are replaced.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from flask import Blueprint, Response, jsonify, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from trading.api.bodies import runtime
from trading.kernel.digests import sha256_hex
from trading.kernel.errors import InvalidInput, NotFound
from trading.opendata import queries
from trading.opendata.queries import Bulk
from trading.opendata.rules.periods import period_named
from trading.opendata.service import bulk_store
from trading.web.downloads import attachment
from trading.web.permissions import public

blueprint = Blueprint("bulk", __name__, url_prefix="/api/v1/ocds/bulk")

PAGE: Final = 100
_SETTLED: Final = "public, max-age=31536000, immutable"
_FRESH: Final = "public, max-age=60, must-revalidate"


@blueprint.get("")
@public
def index() -> Response:
    """Return the years, and the newest days before ``before``, with their files."""
    before = request.args.get("before")
    if before is not None and period_named(before) is None:
        raise InvalidInput("body.malformed", "before is no day")
    with runtime().ledger.read() as conn:
        years = queries.newest(conn, years=True, limit=PAGE)
        days = queries.newest(conn, years=False, before=before, limit=PAGE)
    response = jsonify(years=[_told(each) for each in years], days=[_told(each) for each in days])
    if len(days) == PAGE:
        response.headers["Link"] = f'<{url_for("bulk.index", before=days[-1].name)}>; rel="next"'
    return _tagged(response, sha256_hex(response.get_data()), _FRESH)


@blueprint.get("/<period>/manifest.json")
@public
def manifest(period: str) -> Response:
    """Return the manifest of a day or year, byte for byte as the log names it by its SHA-256."""
    found = _found(period)
    response = Response(found.manifest, mimetype="application/json")
    return _tagged(response, found.manifest_sha256, _SETTLED if found.final else _FRESH)


@blueprint.get("/<period>/<name>")
@public
def file(period: str, name: str) -> AnyResponse:
    """Return a file of a day or year; its ``ETag`` is its SHA-256."""
    found = _found(period)
    wanted = next((each for each in found.files if each.name == name), None)
    if wanted is None:
        raise NotFound(name)
    cache = _SETTLED if found.final else _FRESH
    if request.if_none_match.contains(wanted.sha256):
        return _tagged(Response(), wanted.sha256, cache)
    response = attachment(bulk_store(runtime()), wanted.name, wanted.media, wanted.sha256, wanted.size)
    response.headers["Content-Disposition"] = f'attachment; filename="{wanted.name}"'
    return _tagged(response, wanted.sha256, cache)


def _found(period: str) -> Bulk:
    if period_named(period) is None:
        raise NotFound(period)
    with runtime().ledger.read() as conn:
        found = queries.one(conn, period)
    if found is None:
        raise NotFound(period)
    return found


def _told(bulk: Bulk) -> dict[str, Any]:
    return {
        "period": bulk.name,
        "final": bulk.final,
        "releases": bulk.releases,
        "log_position": bulk.position,
        "manifest": {"url": url_for("bulk.manifest", period=bulk.name), "sha256": bulk.manifest_sha256},
        "files": [
            {
                "url": url_for("bulk.file", period=bulk.name, name=each.name),
                "media": each.media,
                "sha256": each.sha256,
                "size": each.size,
            }
            for each in bulk.files
        ],
    }


def _tagged(response: Response, tag: str, cache: str) -> Response:
    if request.if_none_match.contains(tag):
        response = Response(status=HTTPStatus.NOT_MODIFIED)
    response.set_etag(tag)
    response.headers["Cache-Control"] = cache
    return response
