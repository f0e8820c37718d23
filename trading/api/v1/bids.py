"""Sealed bids (SB1 S7.1): get a bid id, store parts, submit, withdraw, reveal, rescue, rehearse. Own bids only.

A foreign bid is answered as one that does not exist (security 9.1).
"""

from __future__ import annotations

import re
import time
from http import HTTPStatus
from typing import Any, BinaryIO, Final, cast

from flask import Blueprint, Response, request
from sqlalchemy import Connection
from werkzeug.exceptions import LengthRequired, Unauthorized

from trading.api import tokens
from trading.api.bodies import (
    DOCUMENT_BODY,
    ENVELOPE_BODY,
    answer,
    body,
    json_object,
    runtime,
    signed_body,
    text_member,
)
from trading.api.submissions import Submission, refused, respond
from trading.audit.queries import LoggedRecord, records_of
from trading.audit.service import reader, receipt
from trading.bids import queries, service
from trading.bids.model import BidHead
from trading.bids.service import Arrival, Refused
from trading.custody import queries as custody
from trading.disclosure import views as disclosure
from trading.kernel.encoding import b64u_decode
from trading.kernel.errors import InvalidInput, NotFound, NotPermitted
from trading.kernel.roles import Actor, Role
from trading.kernel.signed import SignedDocument
from trading.openings import queries as openings
from trading.openings.model import Place
from trading.openings.rules.consequences import consequence
from trading.openings.rules.verdicts import Code
from trading.openings.service import factors, rehearsals
from trading.procedures import queries as procedures
from trading.storage.objects import MAX_PART
from trading.web.limits import body_limit
from trading.web.permissions import allow, signed

blueprint = Blueprint("bids", __name__, url_prefix="/api/v1")
blueprint.register_error_handler(Refused, refused)

_DIGEST: Final = re.compile(r"[0-9a-f]{64}\Z")
_PACKAGE: Final = ("policy.fixed", "practice.opened", "tender.published", "tender.changed")


@blueprint.post("/procedures/<tender>/lots/<lot>/bids")
@allow(Role.BIDDER, relation="own_org")
@tokens.scoped("write:bids")
def start(tender: str, lot: str) -> Response:
    """Give the bidder its bid id for the lot and stage, with policy package, schedule and their receipts."""
    stage = text_member(json_object(request.get_data() or b"{}"), "stage", "all")
    bid = service.start_bid(runtime().ledger, tokens.actor(), reference=tender, lot=lot, stage=stage)
    with runtime().ledger.read() as conn:
        row = procedures.find_lot(conn, procedures.find(conn, tender).id, lot, stage)
        package = custody.package(conn, row).wire()
        records = records_of(conn, row.procedure_id)
        log = reader(runtime().log_dir)
        about = [record for record in records if _is_of_package(record, lot, stage)]
        receipts = [found.text.decode() for record in about if (found := receipt(conn, log, record.h)) is not None]
    return answer({"bid": bid, **package, "receipts": receipts}, HTTPStatus.CREATED)


def _is_of_package(record: LoggedRecord, lot: str, stage: str) -> bool:
    body = record.data["body"]
    return record.kind in _PACKAGE and (body["lot"], body["stage"]) == (lot, stage)


@blueprint.post("/bids/<bid>/parts")
@allow(Role.BIDDER, relation="own_bid")
@body_limit(MAX_PART)
@tokens.scoped("write:bids")
def store_part(bid: str) -> Response:
    """Store the ciphertext of a part under its SHA-256, as it streams in; the same bytes again change nothing."""
    expected = request.headers.get("X-Content-SHA256", "")
    if not _DIGEST.match(expected):
        raise InvalidInput("bid.part_mismatch", "the header X-Content-SHA256 with the SHA-256 of the body is needed")
    if request.content_length is None and not request.environ.get("wsgi.input_terminated"):
        raise LengthRequired
    process = runtime()
    stream = cast("BinaryIO", request.stream)
    digest, size = service.store_part(process.ledger, process.objects, tokens.actor(), bid, stream, expected)
    return answer({"sha256": digest, "size": size}, HTTPStatus.CREATED)


@blueprint.post("/bids/<bid>/envelope")
@allow(Role.BIDDER, relation="own_bid")
@body_limit(ENVELOPE_BODY)
@tokens.scoped("write:bids")
def submit(bid: str) -> Response:
    """Submit a signed envelope whose parts are stored; the same bytes again return the first answer."""
    arrival = _arrival(bid)
    process = runtime()
    return respond(Submission.accepted(service.submit(process.ledger, process.objects, tokens.actor(), arrival)))


@blueprint.post("/bids/<bid>/withdrawal")
@allow(Role.BIDDER, relation="own_bid")
@body_limit(ENVELOPE_BODY)
@tokens.scoped("write:bids")
def withdraw(bid: str) -> Response:
    """Withdraw the standing version before the deadline; the bidder may submit again."""
    return respond(Submission.accepted(service.withdraw(runtime().ledger, tokens.actor(), _arrival(bid))))


def _arrival(bid: str) -> Arrival:
    """Read the whole body, remember the instant of its last byte, and only then look at it (TE1 T4.1)."""
    raw = request.get_data()
    last_byte = time.monotonic()
    return Arrival(bid=bid, signed=SignedDocument.from_wire(json_object(raw)), last_byte=last_byte)


@blueprint.post("/bids/<bid>/factor")
@signed("bidder, supervisor or custodian")
@body_limit(ENVELOPE_BODY)
def reveal(bid: str) -> Response:
    """Take the factor of a bid: from its bidder, or with the acknowledgement of whom the bidder handed it to (S9.5)."""
    content = body()
    if "ack" in content:
        document, ack = _forwarded(content)
        recorded = factors.forward(runtime().ledger, bid, document, ack)
        return respond(Submission.recorded(recorded, SignedDocument(document).sha256))
    unsigned = _unsigned(content)
    recorded = factors.reveal(runtime().ledger, _bidder(), bid, unsigned.doc)
    return respond(Submission.recorded(recorded, unsigned.sha256))


def _bidder() -> Actor:
    """Return the bidder who calls a route that others may call without an account."""
    actor = tokens.current_access().actor
    if Role.BIDDER not in actor.roles:
        raise NotPermitted("a bidder's account is needed")
    tokens.require_scope("write:bids")
    return actor


def _forwarded(content: dict[str, Any]) -> tuple[bytes, SignedDocument]:
    try:
        document = b64u_decode(text_member(content, "factor"))
    except ValueError as error:
        raise InvalidInput("body.malformed", "factor is not base64url") from error
    return document, SignedDocument.from_wire(content["ack"])


def _unsigned(content: dict[str, Any]) -> SignedDocument:
    """Return a self-authenticating document in the wire form; signatures on it would mean nothing."""
    found = SignedDocument.from_wire(content)
    if found.sigs:
        raise InvalidInput("doc.bad_field", "this document carries no signature: whoever knows the secret sends it")
    return found


@blueprint.post("/bids/<bid>/rescue")
@allow(Role.BIDDER, relation="own_bid")
@body_limit(ENVELOPE_BODY)
@tokens.scoped("write:bids")
def rescue(bid: str) -> Response:
    """Take the secrets of a bid whose custodians failed it, between ``factor.closed`` and ``release.closed`` (S9.6)."""
    unsigned = _unsigned(body())
    recorded = factors.rescue(runtime().ledger, tokens.actor(), bid, unsigned.doc)
    return respond(Submission.recorded(recorded, unsigned.sha256))


@blueprint.post("/bids/<bid>/rehearsal")
@allow(Role.BIDDER, relation="own_bid")
@body_limit(DOCUMENT_BODY)
@tokens.scoped("write:bids")
def rehearse(bid: str) -> Response:
    """Ask the custodians to try their shares of a rehearsal (S6.4); ``GET /bids`` shows what they say."""
    document = signed_body()
    asked = rehearsals.rehearse(runtime().ledger, tokens.actor(), bid, document)
    return answer({"custodians": asked, "rehearsal_sha256": document.sha256}, HTTPStatus.ACCEPTED)


@blueprint.get("/bids")
@allow(Role.BIDDER, relation="own_org")
@tokens.scoped("read:own", "write:bids")
def own() -> Response:
    """Return the caller's own bids with their versions, and how far the opening of each is."""
    organisation = tokens.actor().organisation
    if organisation is None:
        raise Unauthorized
    with runtime().ledger.read() as conn:
        shown = [_shown(conn, head) for head in queries.own_bids(conn, organisation)]
    return answer({"bids": shown})


@blueprint.get("/bids/<bid>/evidence")
@allow(Role.BIDDER, relation="own_bid")
@tokens.scoped("read:own", "write:bids")
def evidence(bid: str) -> Response:
    """Return the bundle that proves the result of an own bid to a third person, once the opening is complete (S11)."""
    with runtime().ledger.read() as conn:
        own = queries.own_bids(conn, tokens.actor().organisation or "")
    head = next((each for each in own if each.reference == bid), None)
    if head is None:
        raise NotFound("bid")
    return disclosure.evidence_of(head.procedure, bid)


def _shown(conn: Connection, head: BidHead) -> dict[str, Any]:
    lot = procedures.find_lot(conn, head.procedure_id, head.lot, head.stage)
    return {
        "bid": head.reference,
        "close": lot.close_at,
        "lot": head.lot,
        "opening": _opening(conn, head),
        "parts": [{"sha256": sha256, "size": size} for sha256, size in queries.parts_of(conn, head.reference).items()],
        "phase": lot.phase,
        "rehearsal": [{"custodian": i, "ok": ok} for i, ok in sorted(rehearsals.results_of(conn, head).items())],
        "stage": head.stage,
        "standing": head.head_kind,
        "tender": head.procedure,
        "versions": [
            {
                "h": version.h.hex(),
                "kind": version.kind,
                "received_at": version.received_at,
                "seq": version.seq,
                "sha256": version.doc_sha256,
            }
            for version in queries.versions_of_bid(conn, head.id)
        ],
    }


def _opening(conn: Connection, head: BidHead) -> dict[str, Any] | None:
    """Return what the bidder must know to act in time: the factor window, a gap; in the end, the result."""
    place = Place(procedure=head.procedure, procedure_id=head.procedure_id, lot=head.lot, stage=head.stage)
    row = openings.opening_row(conn, place)
    if row is None:
        return None
    factor = openings.factors(conn, place).get(head.reference)
    return {
        "factor_ends_at": row.factor_ends_at,
        "factor_revealed": factor is not None,
        "has_gap": head.reference in row.gaps,
        "result": _result(conn, place, head.reference) if row.step == "completed" else None,
        "step": row.step,
    }


def _result(conn: Connection, place: Place, bid: str) -> dict[str, Any] | None:
    """Return the verdict on the bid and what it means in law; not before all bids are read out (OPN-04)."""
    found = openings.results(conn, place).get(bid)
    if found is None:
        return None
    return {"faults": found.faults, "verdict": found.verdict, **consequence(Code(found.verdict)).as_json()}
