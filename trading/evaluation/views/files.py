"""The files of a bid as the people of the evaluation get them: inspected, as text, page by page, or to be saved.

A file itself is never shown inside a page of the platform; what is shown are the images that were drawn of its pages.
What was kept away has no address.
"""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import Final

from flask import Response as FlaskResponse
from flask import request, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from trading.evaluation import queries
from trading.evaluation.queries import OpenedFile
from trading.evaluation.service import LotState
from trading.evaluation.views.blueprint import Room, blueprint, lot_state, names_of, page, reading, runtime
from trading.evaluation.views.masking import is_masked, shown_files
from trading.evaluation.views.reader import reader_of
from trading.inspection.findings import Verdict
from trading.kernel.errors import NotFound
from trading.kernel.roles import Role
from trading.web.downloads import handed_out
from trading.web.permissions import allow

_BYTES: Final = "application/octet-stream"
#: A picture is a picture wherever it is opened: nothing in it may load, run, or lie on the disk of a shared machine.
_STILL: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
}


def _read(conn: Connection, room: Room, lot: str, bid: str) -> LotState:
    """Return the lot of a bid that may be read: an opened one, for the agency or a member who sits."""
    state = lot_state(conn, room, lot)
    if room.sitting is not None and room.sitting.sealed_at is not None:  # nobody reads while it stands still (EXP-18)
        raise NotFound(bid)
    sits = room.seat is None or (room.sitting is not None and room.seat in room.sitting.seats)
    if not sits or bid not in {each.bid for each in state.opened}:
        raise NotFound(bid)
    return state


def _found(conn: Connection, room: Room, lot: str, bid: str, sha256: str) -> tuple[LotState, OpenedFile]:
    """Return a file that may be read."""
    state = _read(conn, room, lot, bid)
    for each in shown_files(conn, bid) or ():
        if each.sha256 == sha256 and each.verdict is not Verdict.QUARANTINED:
            return state, each
    raise NotFound(sha256)


@blueprint.get("/<reference>/lots/<lot>/bids/<bid>/files/<sha256>")
@allow(Role.EXPERT, Role.AGENCY, relation="assigned_panel")
def file(reference: str, lot: str, bid: str, sha256: str) -> Response:
    """Hand out one file as it was sealed: to be saved, of no type that a browser would open."""
    with reading(reference) as (conn, room):
        state, found = _found(conn, room, lot, bid, sha256)
        if is_masked(state):  # what a program wrote into the file tells whose it is
            raise NotFound(sha256)
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


@blueprint.get("/<reference>/lots/<lot>/bids/<bid>/files/<sha256>/pages/<int:number>/<any(large, small):size>.png")
@allow(Role.EXPERT, Role.AGENCY, relation="assigned_panel")
def page_image(reference: str, lot: str, bid: str, sha256: str, number: int, size: str) -> Response:
    """Show one page of a file as it was drawn, in one of two sizes."""
    with reading(reference) as (conn, room):
        _found(conn, room, lot, bid, sha256)
        drawn = queries.drawn_page(conn, bid, sha256, number)
    digest = None if drawn is None else getattr(drawn, size)
    store = runtime().opened
    if digest is None or store is None or store.stat(digest) is None:
        raise NotFound(sha256)
    response = FlaskResponse(store.get(digest), mimetype="image/png")
    response.headers.update(_STILL)
    return response


@blueprint.get("/<reference>/lots/<lot>/bids/<bid>/pages")
@allow(Role.EXPERT, Role.AGENCY, relation="assigned_panel")
def pages(reference: str, lot: str, bid: str) -> tuple[str, HTTPStatus]:
    """Show a bid page by page, and where some words stand in it."""
    address = partial(url_for, "evaluation.pages", reference=reference, lot=lot, bid=bid)
    with reading(reference) as (conn, room):
        state = _read(conn, room, lot, bid)
        reader, name = reader_of(conn, bid, request.args, address), names_of(conn, state)[bid]
        return page("pages.html", room=room, state=state, bid=bid, name=name, reader=reader)
