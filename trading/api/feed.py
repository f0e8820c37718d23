"""The Atom feed of everything that is published, in both languages (RFC 4287), paged by links (RFC 5005).

Pages are named by the number of a publication, so an older page never changes and nothing is missed between two.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from flask import Blueprint, Response, request

from trading.api.bodies import runtime
from trading.kernel.errors import InvalidInput
from trading.notices.queries import publications
from trading.notices.rules.channels import Channel
from trading.notices.rules.feed import Page, parse_item, write_feed
from trading.web.locale import current_language
from trading.web.permissions import public

blueprint = Blueprint("feed", __name__)

PAGE: Final = 50
_MOST_DIGITS: Final = 15


@blueprint.get("/feed.atom")
@public
def feed() -> Response:
    """The newest publications first; ``?before=`` names the publication after which an older page begins."""
    before = _cursor()
    with runtime().ledger.read() as conn:
        found = publications.before(conn, Channel.ATOM, before, PAGE + 1)
    shown, language = found[:PAGE], current_language()
    links = {
        "self": _address(language, before),
        "first": _address(language, None),
        "alternate": f"{runtime().public_url}/procedures?lang={language}",
    }
    if len(found) > PAGE:
        links["next"] = _address(language, shown[-1].number)
    items = [parse_item(each.content) for each in shown if each.content is not None]
    updated = shown[0].published_at if shown else 0
    page = Page(language=language, address=_address(language, None), updated=updated, items=items, links=links)
    return Response(write_feed(page), mimetype="application/atom+xml")


def _cursor() -> int | None:
    text = request.args.get("before")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
        raise InvalidInput("body.malformed", "before is not a cursor of this feed")
    return int(text)


def _address(language: str, before: int | None) -> str:
    query = {"lang": language} | ({} if before is None else {"before": str(before)})
    return f"{runtime().public_url}/feed.atom?{urlencode(query)}"
