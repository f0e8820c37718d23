"""Pages of foreign history: files, what is wrong with them, and every row as it was given. None is of this platform."""

from __future__ import annotations

from typing import Final, cast

from flask import Blueprint, Response, current_app, render_template, request

from trading.audit.runtime import Runtime
from trading.history import queries
from trading.history.queries import Whole
from trading.kernel.errors import NotFound
from trading.web.permissions import public

blueprint = Blueprint("history", __name__, url_prefix="/history")

_MOST_TEXT: Final = 100
_MOST_PAGES: Final = 10_000
_LONGEST_PAGE: Final = 6
_MOST_FAULTS: Final = 50
_SHOWN: Final = 20_000  # bytes of a row that a page shows; the rest is in the file


def _runtime() -> Runtime:
    return cast("Runtime", current_app.extensions["runtime"])


@blueprint.get("")
@public
def index() -> str:
    """All files, and a search over their rows."""
    text, page = _wish()
    with _runtime().ledger.read() as conn:
        files = queries.files(conn)
        total, rows = queries.search(conn, text, page=page) if text else (0, [])
    return render_template(
        "history/index.html", files=files, text=text, total=total, rows=rows, page=page, size=queries.PAGE
    )


@blueprint.get("/<digest>")
@public
def file(digest: str) -> str:
    """One file: what is wrong with it by code and path, and its rows."""
    text, page = _wish()
    with _runtime().ledger.read() as conn:
        found = queries.one(conn, digest)
        if found is None:
            raise NotFound(digest)
        wrong = queries.summary(conn, digest, _MOST_FAULTS)
        total, rows = queries.search(conn, text, sha256=digest, page=page)
    return render_template(
        "history/file.html", file=found, wrong=wrong, text=text, total=total, rows=rows, page=page, size=queries.PAGE
    )


@blueprint.get("/<digest>/<int:number>")
@public
def row(digest: str, number: int) -> str:
    """One row: what it says of itself, what is wrong with it, its bytes."""
    found = _row(digest, number)
    shown = found.raw[:_SHOWN].decode("utf-8", "replace")
    return render_template("history/row.html", row=found, shown=shown, is_cut=len(found.raw) > _SHOWN)


@blueprint.get("/<digest>/<int:number>.json")
@public
def raw(digest: str, number: int) -> Response:
    """Return the bytes of a row as they were given, as a file; they may be no JSON at all."""
    response = Response(_row(digest, number).raw, mimetype="application/octet-stream")
    response.headers["Content-Disposition"] = f'attachment; filename="{digest[:16]}-{number}.json"'
    response.headers["Cache-Control"] = "no-store"
    return response


def _row(digest: str, number: int) -> Whole:
    if number >= 1 << 63:
        raise NotFound(str(number))
    with _runtime().ledger.read() as conn:
        found = queries.whole(conn, digest, number)
    if found is None:
        raise NotFound(f"{digest}/{number}")
    return found


def _wish() -> tuple[str, int]:
    text, page = request.args.get("q", "").strip()[:_MOST_TEXT], request.args.get("page", "")
    number = int(page[:_LONGEST_PAGE]) if page.isascii() and page.isdigit() else 1
    return text, min(max(number, 1), _MOST_PAGES)
