"""The files of a bid as the people of the evaluation get them: inspected, as text or to be saved, never inside a page.

What was kept away has no address.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from sqlalchemy import Connection
from werkzeug.wrappers import Response

from trading.evaluation import queries
from trading.evaluation.queries import OpenedFile
from trading.evaluation.service import LotState
from trading.evaluation.views.blueprint import Room, blueprint, lot_state, names_of, page, reading, runtime
from trading.inspection.findings import Verdict
from trading.kernel.errors import NotFound
from trading.kernel.roles import Role
from trading.web.downloads import handed_out
from trading.web.permissions import allow

_BYTES: Final = "application/octet-stream"


def _found(conn: Connection, room: Room, lot: str, bid: str, sha256: str) -> tuple[LotState, OpenedFile]:
    """Return a file that may be read: of an opened bid of this lot, for the agency or a member who sits."""
    state = lot_state(conn, room, lot)
    if room.sitting is not None and room.sitting.sealed_at is not None:  # nobody reads while it stands still (EXP-18)
        raise NotFound(sha256)
    sits = room.seat is None or (room.sitting is not None and room.seat in room.sitting.seats)
    if not sits or bid not in {each.bid for each in state.opened}:
        raise NotFound(bid)
    for each in queries.files_of(conn, bid) or ():
        if each.sha256 == sha256 and each.verdict is not Verdict.QUARANTINED:
            return state, each
    raise NotFound(sha256)


@blueprint.get("/<reference>/lots/<lot>/bids/<bid>/files/<sha256>")
@allow(Role.EXPERT, Role.AGENCY, relation="assigned_panel")
def file(reference: str, lot: str, bid: str, sha256: str) -> Response:
    """Hand out one file as it was sealed: to be saved, of no type that a browser would open."""
    with reading(reference) as (conn, room):
        _, found = _found(conn, room, lot, bid, sha256)
    store = runtime().opened
    if store is None or store.stat(sha256) is None:
        raise NotFound(sha256)
    response = handed_out(store, found.path.rsplit("/", 1)[-1], _BYTES, sha256, found.size)
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.get("/<reference>/lots/<lot>/bids/<bid>/files/<sha256>/text")
@allow(Role.EXPERT, Role.AGENCY, relation="assigned_panel")
def file_text(reference: str, lot: str, bid: str, sha256: str) -> tuple[str, HTTPStatus]:
    """Show the beginning of the text that the inspection read in a file."""
    with reading(reference) as (conn, room):
        state, found = _found(conn, room, lot, bid, sha256)
        if not found.preview:
            raise NotFound(sha256)
        return page("file.html", room=room, state=state, bid=bid, name=names_of(conn, state)[bid], found=found)
