"""The best receipt of a record (AL1 L8.1): its own organisation's; anybody's as soon as the public pages offer it."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any, Final

from flask import Blueprint, Response, request
from sqlalchemy import Connection

from trading.api import tokens
from trading.api.bodies import answer, runtime
from trading.audit.queries import EntryRow, entry_by_h
from trading.audit.rules.proof import ReceiptState
from trading.audit.service import IssuedReceipt, reader, receipt, token_beside
from trading.kernel.canonical import loads_object
from trading.kernel.errors import NotFound
from trading.kernel.ids import is_practice
from trading.kernel.roles import Actor
from trading.notices.queries import log
from trading.openings import queries as openings
from trading.openings.model import Place
from trading.receipts.views import PDF, PROOF, download
from trading.web.downloads import STAMP_TYPE, evidence_file
from trading.web.permissions import public

blueprint = Blueprint("receipts", __name__, url_prefix="/api/v1")

_COMMITMENT: Final = re.compile(r"[0-9a-f]{64}\Z")
# How many of these there are is a secret until the order is published (SUB-07).
_SEALED: Final = frozenset({"bid.received", "bid.withdrawn"})
_FORMS: Final = {"text/plain": PROOF, "application/pdf": PDF}
_OF_CEREMONY: Final = frozenset({
    "factor.revealed", "objection.decided", "objection.raised", "opening.answered", "opening.objected",
    "rescue.accepted",
})  # fmt: skip
#: Whoever knows their commitment may have them, as bidders and custodians show them to each other.
_BY_HOLDERS: Final = _SEALED | _OF_CEREMONY


@blueprint.get("/receipts/<h>")
@public
def one(h: str) -> Response:
    """Return the newest receipt; 202 while the record is acknowledged and not logged yet.

    As JSON, or as the ``.tlog-proof`` file itself if the caller prefers ``text/plain``, or printable as PDF.
    """
    found = _issued(h)
    if found is None:
        return answer({"h": h, "state": ReceiptState.ACKNOWLEDGED.value}, HTTPStatus.ACCEPTED)
    best = request.accept_mimetypes.best_match(["application/json", *_FORMS]) or ""
    return download(runtime(), found, _FORMS[best]) if best in _FORMS else answer(_as_json(found))


@blueprint.get("/receipts/<h>/<file>")
@public
def token(h: str, file: str) -> Response:
    """Return one of the time-stamp tokens (``.tsr``) over the checkpoint of the receipt (AL1 L8.1)."""
    return evidence_file(token_beside(reader(runtime().log_dir), _issued(h), file), file, STAMP_TYPE)


def _issued(h: str) -> IssuedReceipt | None:
    """Return the receipt of a record that the caller may see, None while it is only acknowledged."""
    if not _COMMITMENT.match(h):
        raise NotFound("receipt")
    process, asking = runtime(), tokens.reader_of_this_request()
    with process.ledger.read() as conn:
        entry = entry_by_h(conn, bytes.fromhex(h))
        if entry is None:
            raise NotFound("receipt")
        _require_told(conn, entry, asking)
        return receipt(conn, reader(process.log_dir), entry.h)


def _as_json(found: IssuedReceipt) -> dict[str, Any]:
    return {
        "h": found.h.hex(),
        "n": found.n,
        "receipt": found.text.decode(),
        "state": found.state.value,
        "tokens": [each.file for each in found.tokens],
    }


def _require_told(conn: Connection, entry: EntryRow, asking: Actor | None) -> None:
    """Require that the caller may have the receipt: it holds the record, and tells where it stands.

    Raises:
        NotFound: It is not told to the caller that there is such a record.
        RuleBroken: ``receipt.after_opening``: the record is public, its position is not yet, as on its page (NOT-36).
    """
    record = loads_object(entry.record)
    if asking is not None and asking.organisation is not None and asking.organisation in _parties(record):
        return
    if entry.kind in _BY_HOLDERS and _is_ordered(conn, entry, record):
        return
    public = log.entry(conn, entry.h)
    if public is None:
        raise NotFound("receipt")
    public.require_receipt()


def _parties(record: dict[str, Any]) -> set[str]:
    """Return the organisations that a record belongs to: who acted, and whose bid or key it is about."""
    body = record["body"]
    return {str(code) for code in (record["on_behalf_of"], body.get("bidder"), body.get("org")) if code}


def _is_ordered(conn: Connection, entry: EntryRow, record: dict[str, Any]) -> bool:
    """Say whether the opening of the record's lot has been ordered; a record of the ceremony comes after that."""
    if entry.procedure_id is None or is_practice(record["procedure"]):
        return False  # nobody shows anybody what came of practice (ADR 0061)
    if entry.kind in _OF_CEREMONY:
        return True
    body = record["body"]
    place = Place(procedure=record["procedure"], procedure_id=entry.procedure_id, lot=body["lot"], stage=body["stage"])
    return openings.opening_row(conn, place) is not None
