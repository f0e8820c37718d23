"""What a fully signed document does: order, objection decision, adjudication, factor list, transcripts (SB1 S9)."""

from __future__ import annotations

from typing import Any

from trading.audit.ledger import UnitOfWork
from trading.audit.model import Recorded
from trading.audit.queries import position_of
from trading.bids import queries as bids
from trading.custody import service as custody
from trading.custody.rules.jobs import JobKind
from trading.documents import queries as stored
from trading.documents import store as documents
from trading.kernel.errors import Conflict, InvalidInput, RuleBroken
from trading.kernel.signed import SignedDocument
from trading.openings import queries, store
from trading.openings.model import lot_event
from trading.openings.rules.decisions import parse_adjudication, parse_objection_decision
from trading.openings.rules.factors import make_factor_list, parse_factor_list
from trading.openings.rules.manifest import check_order, check_successor
from trading.openings.rules.orders import ClosedLot, OpenOrder, parse_order
from trading.openings.rules.transcripts import parse_transcript
from trading.openings.rules.windows import require_factor_list_correctable
from trading.openings.service import session as sessions
from trading.openings.service.session import Session
from trading.procedures import service as procedures
from trading.procedures.rules.lifecycle import LotPhase


def order(uow: UnitOfWork, session: Session, signed: SignedDocument) -> Recorded:
    """Record ``open.ordered`` and ask the custodians to check their shares (S9.1, S9.3)."""
    document = parse_order(signed.doc)
    manifest = bids.manifest(uow.connection, session.place.procedure_id, session.place.lot, session.place.stage)
    check_order(document, _closed(uow, session))
    if len(manifest) > len(document.bids) + len(document.omitted):
        raise RuleBroken("order.root", "SB1 S9.1")
    row = session.opening
    if row is not None:
        before = stored.get(uow.connection, bytes.fromhex(row.order_sha256))
        if before is None:
            raise Conflict("the order before this one is missing")
        check_successor(parse_order(before.doc), document)
    move = None if row is not None else procedures.begin_opening(uow, session.procedure, session.lot, len(manifest))
    recorded = uow.record(lot_event("open.ordered", session.place, "招标投标法 34", order_sha256=signed.sha256))
    documents.add(uow, recorded, session.place.procedure_id, signed)
    if row is None:
        store.add_opening(uow, recorded, session.place, order_sha256=signed.sha256, order_seq=document.seq, at=uow.at)
    if move is not None:
        procedures.move_lot(uow, recorded, session.lot, LotPhase(move.target))
    if row is not None:
        digest = bytes.fromhex(signed.sha256)
        store.move(uow, recorded, row, order_sha256=digest, order_seq=document.seq, ordered_at=uow.at)
    custody.ask_all(uow, session.place.procedure_id, session.policy, JobKind.CHECK, _ordered(session, signed.sha256))
    uow.wake("openings.advance", _arg(session), uow.at + session.schedule["objection_ms"])
    uow.wake("openings.advance", _arg(session), uow.at + session.schedule["share_check_ms"])
    return recorded


def _closed(uow: UnitOfWork, session: Session) -> ClosedLot:
    for record in queries.entries(uow.connection, session.place, ("tender.closed",)):
        body = record["body"]
        if (body["lot"], body["stage"]) != (session.place.lot, session.place.stage):
            continue
        position = position_of(uow.connection, record["id"])
        if position is None:
            break
        return ClosedLot(
            tender=session.place.procedure,
            lot=body["lot"],
            stage=body["stage"],
            close=body["close"],
            bids_root=body["bids_root"],
            policy_sha256=body["policy_sha256"],
            schedule_sha256=body["schedule_sha256"],
            h=record["h"],
            n=position.n,
        )
    raise RuleBroken("opening.not_closed", "OPN-01")


def decide_objection(uow: UnitOfWork, session: Session, signed: SignedDocument) -> Recorded:
    """Record the supervisor's decision on an objection (S9.2); ``add`` leads to a new order."""
    document = parse_objection_decision(signed.doc)
    raised = [
        record
        for record in queries.entries(uow.connection, session.place, ("objection.raised",))
        if record["h"] == document.objection_h
    ]
    if not raised:
        raise InvalidInput("doc.bad_field", "objection_h names no objection")
    body = {"decision_sha256": signed.sha256, "order_sha256": document.order_sha256}
    recorded = uow.record(lot_event("objection.decided", session.place, "招标投标法实施条例 44", **body))
    documents.add(uow, recorded, session.place.procedure_id, signed)
    return recorded


def adjudicate(uow: UnitOfWork, session: Session, signed: SignedDocument) -> Recorded:
    """Record the finding on a custodian that reported BAD shares (S9.4)."""
    document = parse_adjudication(signed.doc)
    row = session.begun()
    if document.order_sha256 != row.order_sha256:
        raise InvalidInput("doc.bad_field", "order_sha256")
    custodian = document.custodian
    recorded = uow.record(
        lot_event("share.adjudicated", session.place, adjudication_sha256=signed.sha256, custodian=custodian)
    )
    documents.add(uow, recorded, session.place.procedure_id, signed)
    store.add_answer(
        uow,
        recorded,
        session.place,
        kind="adjudication",
        custodian=custodian,
        order_sha256=row.order_sha256,
        doc_sha256=signed.sha256,
    )
    return recorded


def draft_factor_list(uow: UnitOfWork, session: Session) -> SignedDocument:
    """Return the factor list as the records have it (S9.5); agency and supervisor sign it."""
    row = session.begun()
    valid = set(queries.factors(uow.connection, session.place))
    document = make_factor_list(_order_document(uow, session), valid=valid, created=row.factor_ends_at or 0)
    return SignedDocument(document)


def _order_document(uow: UnitOfWork, session: Session) -> OpenOrder:
    found = stored.get(uow.connection, bytes.fromhex(session.begun().order_sha256))
    if found is None:
        raise Conflict("the order is missing")
    return parse_order(found.doc)


def close_factors(uow: UnitOfWork, session: Session, signed: SignedDocument) -> Recorded:
    """Record ``factor.closed`` if the list still equals the records, and ask for the releases (S9.5, S9.7)."""
    row = session.begun()
    if row.factor_ends_at is None or uow.at < row.factor_ends_at:
        raise RuleBroken("factor.window_open", "SB1 S9.5", ends_at=row.factor_ends_at)
    released = bool(queries.answers(uow.connection, session.place, "release"))
    require_factor_list_correctable(released=released)
    listed = parse_factor_list(signed.doc)
    expected = parse_factor_list(draft_factor_list(uow, session).doc)
    if (listed.items, listed.order_sha256) != (expected.items, expected.order_sha256):
        raise RuleBroken("factor.list_differs", "SB1 S9.5")
    recorded = uow.record(
        lot_event("factor.closed", session.place, "电子招标投标办法 30", factor_list_sha256=signed.sha256)
    )
    documents.add(uow, recorded, session.place.procedure_id, signed)
    store.move(
        uow,
        recorded,
        row,
        step="factor_closed",
        factor_list_sha256=bytes.fromhex(signed.sha256),
        factor_closed_at=uow.at,
    )
    request = {**_ordered(session, row.order_sha256), "factor_list_sha256": signed.sha256}
    custody.ask_all(uow, session.place.procedure_id, session.policy, JobKind.RELEASE, request)
    return recorded


def _ordered(session: Session, order_sha256: str) -> dict[str, Any]:
    return {
        "order_sha256": order_sha256,
        "policy_sha256": session.lot.policy_sha256,
        "schedule_sha256": session.lot.schedule_sha256,
    }


def complete(uow: UnitOfWork, session: Session, signed: SignedDocument) -> Recorded | None:
    """Keep a signed transcript; with both tiers complete, record ``opening.completed`` (S9.9)."""
    row = session.begun()
    if row.step != "combined":
        raise Conflict("transcripts come after the last result")
    tiers = {parse_transcript(signed.doc).tier: signed}
    for draft in queries.drafts(uow.connection, session.place, "sb1.transcript"):
        other = SignedDocument.from_parts(draft.doc, draft.sigs)
        if len(other.sigs) > 1:
            tiers.setdefault(parse_transcript(draft.doc).tier, other)
    order = sessions.document(uow.connection, row.order_sha256)
    if set(tiers) != {"bidders", "audit"}:
        return None
    undecided = {item["bid"] for item in order["bids"]} - set(queries.results(uow.connection, session.place))
    move = procedures.complete_opening(uow, session.procedure, session.lot, len(undecided))
    digests = sorted(document.sha256 for document in tiers.values())
    recorded = uow.record(lot_event("opening.completed", session.place, "招标投标法 36", transcript_sha256s=digests))
    for document in tiers.values():
        documents.add(uow, recorded, session.place.procedure_id, document)
    store.move(uow, recorded, row, step="completed")
    procedures.move_lot(uow, recorded, session.lot, LotPhase(move.target))
    for document in tiers.values():
        store.mark_draft(uow, document.sha256, recorded.h)
    return recorded


def _arg(session: Session) -> dict[str, str]:
    place = session.place
    return {"tender": place.procedure, "lot": place.lot, "stage": place.stage}
