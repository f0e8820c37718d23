"""The end of the ceremony: two signed transcripts that agree with what was recorded (SB1 S9.9)."""

from __future__ import annotations

from typing import Final

from trading.audit.ledger import UnitOfWork
from trading.audit.model import Recorded
from trading.documents import store as documents
from trading.kernel.errors import Conflict, RuleBroken
from trading.kernel.signed import SignedDocument
from trading.openings import queries, store
from trading.openings.model import lot_event
from trading.openings.queries import Result
from trading.openings.rules.transcripts import TranscriptItem, parse_transcript
from trading.openings.service import on_the_spot
from trading.openings.service import session as sessions
from trading.openings.service.session import Session
from trading.parties import store as keys
from trading.procedures import service as procedures
from trading.procedures.rules.lifecycle import LotPhase

TYP: Final = "sb1.transcript"
_TIERS: Final = frozenset({"bidders", "audit"})
_SIGNERS: Final = frozenset({"station-operator", "supervisor"})


def require_transcript(uow: UnitOfWork, session: Session, signed: SignedDocument) -> None:
    """Require a transcript of the newest order that says what was recorded, after the last result.

    Raises:
        RuleBroken: ``transcript.differs``.
        Conflict: It comes before the last result.
        InvalidInput: Malformed.
    """
    row, document = session.begun(), parse_transcript(signed.doc)
    if row.step != "combined":
        raise Conflict("transcripts come after the last result")
    order = sessions.document(uow.connection, row.order_sha256)
    results = queries.results(uow.connection, session.place)
    listed = [bid["bid"] for bid in order["bids"]]
    if any(bid not in results for bid in listed):
        raise Conflict("transcripts come after the last result")
    if document.order_sha256 != row.order_sha256 or [item.bid for item in document.items] != listed:
        raise RuleBroken("transcript.differs", "SB1 S9.9", detail="another order, or not exactly its bids")
    for item in document.items:
        if not _agrees(item, results[item.bid]):
            raise RuleBroken("transcript.differs", "SB1 S9.9", bid=item.bid)


def _agrees(item: TranscriptItem, result: Result) -> bool:
    told = (item.envelope_sha256, item.verdict.value, [fault.as_json() for fault in item.faults])
    return told == (result.envelope_sha256, result.verdict, result.faults)


def _stands(uow: UnitOfWork, session: Session, signed: SignedDocument) -> bool:
    """Return whether both roles signed a transcript that still says what is recorded: a verdict may have followed."""
    found = (keys.key_by_kid(uow.connection, sig["kid"]) for sig in signed.sigs)
    if not {key.role for key in found if key is not None} >= _SIGNERS:
        return False
    try:
        require_transcript(uow, session, signed)
    except RuleBroken:
        return False
    return True


def complete(uow: UnitOfWork, session: Session, signed: SignedDocument) -> Recorded | None:
    """Keep a signed transcript; with both tiers complete, record ``opening.completed``.

    Raises:
        RuleBroken: ``opening.unanswered``: an objection made on the spot waits for its answer (OPN-11).
    """
    row, place = session.begun(), session.place
    on_the_spot.require_answered(uow.connection, place)
    tiers = {parse_transcript(signed.doc).tier: signed}
    for draft in queries.drafts(uow.connection, place, TYP):
        other = SignedDocument.from_parts(draft.doc, draft.sigs)
        if _stands(uow, session, other):
            tiers.setdefault(parse_transcript(draft.doc).tier, other)
    if set(tiers) != _TIERS:
        return None
    order = sessions.document(uow.connection, row.order_sha256)
    undecided = {item["bid"] for item in order["bids"]} - set(queries.results(uow.connection, place))
    move = procedures.complete_opening(uow, session.procedure, session.lot, len(undecided))
    digests = sorted(document.sha256 for document in tiers.values())
    recorded = uow.record(lot_event("opening.completed", place, "招标投标法 36", transcript_sha256s=digests))
    for document in tiers.values():
        documents.add(uow, recorded, place.procedure_id, document)
    store.move(uow, recorded, row, step="completed")
    procedures.move_lot(uow, recorded, session.lot, LotPhase(move.target))
    for document in tiers.values():
        store.mark_draft(uow, document.sha256, recorded.h)
    uow.wake("openings.non_release", sessions.arg(place), uow.at)  # about withdrawn and superseded versions (S12)
    return recorded
