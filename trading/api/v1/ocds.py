"""Releases and records of the Open Contracting Data Standard, for programs; nothing of bids before an opening.

The list is in the order of the commits and complete behind every cursor (G11): ``?after=`` takes the number of the last
release that was read, and the header ``Link`` names the next page (RFC 8288). A page with nothing new is 204.
"""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Response, request, url_for

from trading.api.bodies import runtime
from trading.kernel.errors import InvalidInput, NotFound
from trading.notices.queries import publications
from trading.notices.queries.publications import Publication
from trading.notices.rules import exact_json
from trading.notices.rules.channels import Channel
from trading.notices.rules.ocds import date_time, record_package, reference_of, release_package
from trading.web.permissions import public

blueprint = Blueprint("ocds", __name__, url_prefix="/api/v1/ocds")

PAGE: Final = 50
_MOST_DIGITS: Final = 15
_NO_CONTENT: Final = 204


@blueprint.get("/releases")
@public
def releases() -> Response:
    """Return the releases after a cursor as a package, oldest first."""
    after = _cursor()
    with runtime().ledger.read() as conn:
        found = publications.after(conn, Channel.OCDS, after, PAGE)
    if not found:
        return Response(status=_NO_CONTENT)
    response = _package(found, url_for("ocds.releases", after=after or None))
    following = url_for("ocds.releases", after=found[-1].number)
    response.headers["Link"] = f'<{following}>; rel="next"'
    return response


def _cursor() -> int:
    text = request.args.get("after", "0")
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
        raise InvalidInput("body.malformed", "after is not a cursor of this list")
    return int(text)


@blueprint.get("/releases/<release_id>")
@public
def one(release_id: str) -> Response:
    """Return one release as a package of its own."""
    reference = reference_of(runtime().ocid_prefix, release_id.rpartition("-")[0])
    found = [each for each in _of_procedure(reference) if each.url.rpartition("/")[2] == release_id]
    if not found:
        raise NotFound(release_id)
    return _package(found, url_for("ocds.one", release_id=release_id))


@blueprint.get("/records/<ocid>")
@public
def record(ocid: str) -> Response:
    """Return everything published of one procedure: its releases by date and the compiled release."""
    found = _of_procedure(reference_of(runtime().ocid_prefix, ocid))
    if not found:
        raise NotFound(ocid)
    url = runtime().public_url + url_for("ocds.record", ocid=ocid)
    releases = [exact_json.loads(each.content) for each in found if each.content is not None]
    return _answer(exact_json.dumps(record_package(releases, uri=url, base_url=runtime().public_url)))


def _of_procedure(reference: str | None) -> list[Publication]:
    if reference is None:
        return []
    with runtime().ledger.read() as conn:
        return publications.of_procedure(conn, reference, Channel.OCDS)


def _package(found: list[Publication], path: str) -> Response:
    base, published = runtime().public_url, date_time(max(each.published_at for each in found))
    releases = [each.content for each in found if each.content is not None]
    return _answer(release_package(releases, uri=base + path, base_url=base, published=published))


def _answer(package: bytes) -> Response:
    return Response(package, mimetype="application/json")
