"""The explorer of the log: public records by kind and procedure, and every entry with its way to the public root.

Nothing at or above the public head is shown, and a record as soon as the feed of records tells it; of any other entry
below the head only the leaf hash, which is in the public tiles anyway (AL1 L6, L9; ADR 0041).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, cast

from flask import Blueprint, Response, current_app, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from trading.audit.entries import Place, place, receipt_under
from trading.audit.queries import LoggedRecord, entry_by_h
from trading.audit.runtime import Runtime
from trading.audit.views import head, told_notes
from trading.kernel.encoding import hex_bytes
from trading.kernel.errors import NotFound
from trading.notices.queries import records
from trading.notices.queries.records import KINDS, Search
from trading.web.downloads import PROOF_TYPE, evidence_file
from trading.web.headers import PUBLIC_CACHE
from trading.web.permissions import public

blueprint = Blueprint("explorer", __name__, url_prefix="/log/explorer")

PAGE: Final = 50
_LONGEST: Final = 80
POSITION: Final = re.compile(r"(?:0|[1-9][0-9]{0,14})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the form holds: texts as they were typed."""

    sought: str = ""
    reference: str = ""
    kind: str = ""
    before: str = ""

    @property
    def is_unreadable(self) -> bool:
        """Whether something was sought that is neither a position nor a commitment."""
        return bool(self.sought)

    @property
    def wish(self) -> Search:
        """Return what is looked for."""
        before = int(self.before) if POSITION.fullmatch(self.before) else None
        return Search(reference=self.reference or None, kind=self.kind or None, before=before)


def _runtime() -> Runtime:
    return cast("Runtime", current_app.extensions["runtime"])


@blueprint.get("")
@public
def index() -> str | AnyResponse:
    """Search by position, commitment, procedure and kind; the newest public records first."""
    names = ("sought", "reference", "kind", "before")
    asked = Asked(**{name: request.args.get(name, "").strip()[:_LONGEST] for name in names})
    newest = head()
    end = 0 if newest is None else newest.end
    with _runtime().ledger.read() as conn:
        if (target := _target(asked.sought)) is not None:
            return redirect(target)
        found, older = records.search(conn, end, asked.wish, PAGE)
    link = None
    if older is not None:
        link = url_for("explorer.index", reference=asked.reference or None, kind=asked.kind or None, before=older)
    return render_template(
        "log/explorer.html", asked=asked, found=found, older=link, kinds=sorted(KINDS), end=end, head=newest
    )


def _target(sought: str) -> str | None:
    """Return the page of a position or of a commitment; None if the text is neither."""
    if POSITION.fullmatch(sought):
        return url_for("explorer.entry", n=int(sought))
    try:
        hex_bytes(sought, 32)
    except ValueError:
        return None
    return url_for("explorer.by_commitment", h=sought)


@blueprint.get("/commitment/<h>")
@public
def by_commitment(h: str) -> AnyResponse:
    """Lead to the entry of a commitment; while its position may not be told, to what may be told of it."""
    try:
        wanted = hex_bytes(h, 32)
    except ValueError as error:
        raise NotFound(h) from error
    newest = head()
    with _runtime().ledger.read() as conn:
        found = entry_by_h(conn, wanted)
        position = None if found is None else found.position
        end = 0 if newest is None else newest.end
        is_told = position is not None and records.one(conn, position.n, end) is not None
    if position is not None and is_told:
        return redirect(url_for("explorer.entry", n=position.n))
    return redirect(url_for("notices.entry", h=h))


@blueprint.get("/<int:n>")
@public
def entry(n: int) -> str:
    """One entry below the public head: what it says if that is public, and its way to the root."""
    record, shown, size = _shown(n)
    return render_template(
        "log/position.html",
        record=record,
        place=shown,
        size=size,
        withheld=not _runtime().demo,
        origin=_runtime().origin,
    )


@blueprint.get("/<int:n>.tlog-proof")
@public
def proof(n: int) -> Response:
    """The receipt of a public record under the checkpoint that its page shows (AL1 L8.2)."""
    record, shown, _ = _shown(n)
    if record is None:
        raise NotFound(str(n))
    data = receipt_under(_runtime(), record, shown.note).encode()
    return evidence_file(data, f"{shown.n}.tlog-proof", PROOF_TYPE, cache=PUBLIC_CACHE)


def _shown(n: int) -> tuple[LoggedRecord | None, Place, int]:
    """Return record and place of an entry, and the size of the public head.

    Raises:
        NotFound: It is not below the public head.
    """
    newest = head()
    if newest is None or n >= newest.end:
        raise NotFound(str(n))
    with _runtime().ledger.read() as conn:
        record = records.one(conn, n, newest.end)
    before, after = told_notes(n)
    note = after or newest.note.encode()
    return record, place(_runtime(), n, note, record=record, earlier=before), newest.end
