"""The opening ceremony as station, agency, supervisor and bidders call it; the specification is docs/opening-api.md."""

from __future__ import annotations

from typing import Any, Final

from flask import Blueprint, Response, request
from sqlalchemy import Connection

from trading.api import tokens
from trading.api.bodies import DOCUMENT_BODY, answer, body, list_member, runtime, signed_body, text_member
from trading.api.submissions import Submission, respond
from trading.audit.rules.proof import MAX_RECEIPT
from trading.kernel.digests import sha256_hex
from trading.kernel.errors import InvalidInput, NotFound
from trading.kernel.roles import Role
from trading.kernel.signed import SignedDocument
from trading.openings.queries import Draft
from trading.openings.service import documents, objections, results, station
from trading.openings.service import session as sessions
from trading.openings.service.station import Ceremony
from trading.procedures import queries as procedures
from trading.web.limits import body_limit
from trading.web.permissions import allow

_PREFIX: Final = "/api/v1/procedures/<tender>/lots/<lot>/stages/<stage>/opening"

#: What everybody at the ceremony sees and signs.
blueprint = Blueprint("openings", __name__, url_prefix=_PREFIX)
#: What the station alone fetches and reports.
station_blueprint = Blueprint("station", __name__, url_prefix=_PREFIX)

# The second person of the agency signs for it as well; whose key it is decides, not whose token.
_CALLERS: Final = (Role.AGENCY, Role.REVIEWER, Role.SUPERVISOR)


def _place(conn: Connection, tender: str, lot: str, stage: str) -> tuple[str, str, str]:
    """Return the place after making sure that the caller's organisation conducts or supervises its procedure.

    A foreign procedure is answered as one that does not exist.
    """
    row = procedures.find(conn, tender)
    procedures.find_lot(conn, row.id, lot, stage)
    if tokens.actor().organisation not in {row.agency_code, row.buyer_code, row.supervisor_code}:
        raise NotFound(tender)
    return tender, lot, stage


def _checked_place(tender: str, lot: str, stage: str) -> tuple[str, str, str]:
    """Return the place of a call that writes; its own transaction comes after this one is closed."""
    with runtime().ledger.read() as conn:
        return _place(conn, tender, lot, stage)


def _ceremony(conn: Connection, tender: str, lot: str, stage: str) -> Ceremony:
    return station.load(runtime(), conn, _place(conn, tender, lot, stage))


@blueprint.get("")
@allow(*_CALLERS, relation="jurisdiction")
@tokens.scoped("write:openings")
def show(tender: str, lot: str, stage: str) -> Response:
    """Return everything that is needed to make an order and to watch the ceremony."""
    with runtime().ledger.read() as conn:
        return answer(station.show(_ceremony(conn, tender, lot, stage)))


@blueprint.post("/documents")
@allow(*_CALLERS, relation="jurisdiction")
@body_limit(DOCUMENT_BODY)
@tokens.scoped("write:openings")
def add_document(tender: str, lot: str, stage: str) -> Response:
    """Take a document with all, some or no signatures; the last one that it needs makes the record."""
    where = _checked_place(tender, lot, stage)
    found = documents.collect(runtime().ledger, tokens.actor(), where, signed_body())
    return answer({"h": found.h, "needs": list(found.needs), "sha256": found.sha256, "typ": found.typ})


@blueprint.get("/documents")
@allow(*_CALLERS, relation="jurisdiction")
@tokens.scoped("write:openings")
def list_documents(tender: str, lot: str, stage: str) -> Response:
    """Return the documents of the ceremony, of one ``typ`` if asked, oldest first, with the roles still to sign."""
    return answer({"documents": [_document(*row) for row in _drafts(tender, lot, stage)]})


@blueprint.get("/documents/<sha256>")
@allow(*_CALLERS, relation="jurisdiction")
@tokens.scoped("write:openings")
def one_document(tender: str, lot: str, stage: str, sha256: str) -> Response:
    """Return one document of the ceremony."""
    for draft, needs in _drafts(tender, lot, stage):
        if draft.sha256 == sha256:
            return answer(_document(draft, needs))
    raise NotFound("document")


def _drafts(tender: str, lot: str, stage: str) -> list[tuple[Draft, tuple[str, ...]]]:
    with runtime().ledger.read() as conn:
        place = sessions.read(conn, *_place(conn, tender, lot, stage)).place
        return documents.pending(conn, place, request.args.get("typ"))


def _document(draft: Draft, needs: tuple[str, ...]) -> dict[str, Any]:
    wire = SignedDocument.from_parts(draft.doc, draft.sigs).wire()
    return {**wire, "h": None if draft.h is None else draft.h.hex(), "needs": list(needs), "sha256": draft.sha256}


@blueprint.post("/objections")
@allow(Role.BIDDER, relation="own_bid")
@body_limit(2 * MAX_RECEIPT)
@tokens.scoped("write:bids")
def object_to_order(tender: str, lot: str, stage: str) -> Response:
    """Take a bidder's objection that its bid is missing from the order: ``{"bid", "receipt"}`` (S9.2)."""
    content = body()
    receipt = text_member(content, "receipt").encode()
    where, bid = (tender, lot, stage), text_member(content, "bid")
    recorded = objections.object_to_order(runtime(), tokens.actor(), where, bid, receipt)
    return respond(Submission.recorded(recorded, sha256_hex(receipt)))


@station_blueprint.get("/releases")
@allow(*_CALLERS, relation="jurisdiction")
@tokens.scoped("write:openings")
def releases(tender: str, lot: str, stage: str) -> Response:
    """Return the releases so far."""
    with runtime().ledger.read() as conn:
        return answer({"releases": station.releases(_ceremony(conn, tender, lot, stage))})


@station_blueprint.get("/parts/<sha256>")
@allow(*_CALLERS, relation="jurisdiction")
@tokens.scoped("write:openings")
def part(tender: str, lot: str, stage: str, sha256: str) -> Response:
    """Return the ciphertext of a part of a bid to be opened, or a range of it; 404 if no store had it in time."""
    with runtime().ledger.read() as conn:
        is_used = station.is_used_part(_ceremony(conn, tender, lot, stage), sha256)
    size = runtime().objects.stat(sha256) if is_used else None
    if size is None:
        raise NotFound("part")
    response = Response(runtime().objects.chunks(sha256), mimetype="application/octet-stream")
    response.content_length = size
    response.set_etag(sha256)
    response.headers["Cache-Control"] = "no-store"
    response.make_conditional(request, accept_ranges=True, complete_length=size)
    return response


@station_blueprint.post("/gaps")
@allow(*_CALLERS, relation="jurisdiction")
@tokens.scoped("write:openings")
def gaps(tender: str, lot: str, stage: str) -> Response:
    """Record which bids lack shares or a part."""
    where, bids = _checked_place(tender, lot, stage), list_member(body(), "bids")
    return answer({"h": results.report_gaps(runtime().ledger, tokens.actor(), where, bids).h.hex()})


@station_blueprint.get("/factors")
@allow(*_CALLERS, relation="jurisdiction")
@tokens.scoped("write:openings")
def factors(tender: str, lot: str, stage: str) -> Response:
    """Return the revealed factors and rescues, after ``release.closed``."""
    with runtime().ledger.read() as conn:
        return answer(station.factors(_ceremony(conn, tender, lot, stage)))


@station_blueprint.post("/combined")
@allow(*_CALLERS, relation="jurisdiction")
@body_limit(DOCUMENT_BODY)
@tokens.scoped("write:openings")
def combined(tender: str, lot: str, stage: str) -> Response:
    """Record the verdicts of all bids before the first part is decrypted."""
    where, items = _checked_place(tender, lot, stage), list_member(body(), "items")
    return answer({"h": results.combined(runtime().ledger, tokens.actor(), where, items).h.hex()})


@station_blueprint.post("/results")
@allow(*_CALLERS, relation="jurisdiction")
@body_limit(DOCUMENT_BODY)
@tokens.scoped("write:openings")
def result(tender: str, lot: str, stage: str) -> Response:
    """Record one opened bid, or why it did not open."""
    where, content = _checked_place(tender, lot, stage), body()
    match content:
        case {"opened": dict(opened)} if len(content) == 1:
            recorded = results.opened(runtime().ledger, tokens.actor(), where, opened)
        case {"verdict": dict(verdict)} if len(content) == 1:
            recorded = results.not_opened(runtime().ledger, tokens.actor(), where, verdict)
        case _:
            raise InvalidInput("body.malformed", "opened or verdict, one bid a call")
    return answer({"h": recorded.h.hex()})
