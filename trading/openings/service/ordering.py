"""What a fully signed document does: order, objection decision, adjudication, factor list (SB1 S9.1 to S9.5).

Every document has a check, which every draft of it must pass, and an act, which its last signature causes.
"""

from __future__ import annotations

from typing import Any

from trading.audit.ledger import UnitOfWork
from trading.audit.model import Recorded
from trading.audit.queries import Position, entry_by_h, on_hold
from trading.bids import queries as bids
from trading.custody import service as custody
from trading.custody.rules.jobs import JobKind
from trading.documents import queries as stored
from trading.documents import store as documents
from trading.kernel.canonical import loads_object
from trading.kernel.errors import Conflict, IntegrityFailure, InvalidInput, RuleBroken
from trading.kernel.signed import SignedDocument
from trading.openings import queries, store
from trading.openings.model import lot_event
from trading.openings.rules.answers import parse_share_check
from trading.openings.rules.decisions import bad_bids, parse_adjudication, parse_objection_decision
from trading.openings.rules.factors import make_factor_list, parse_factor_list
from trading.openings.rules.manifest import check_order, check_successor, same_but_station
from trading.openings.rules.orders import ClosedLot, OpenOrder, OrderedBid, parse_order
from trading.openings.rules.windows import require_factor_list_correctable
from trading.openings.service import session as sessions
from trading.openings.service.session import Session
from trading.procedures import service as procedures
from trading.procedures.rules.lifecycle import LotPhase


def require_order(uow: UnitOfWork, session: Session, signed: SignedDocument) -> None:
    """Require that an order fits the close entry, the records and the order before it (S9.1, S9.3)."""
    document = parse_order(signed.doc)
    closed = _closed(uow, session)
    check_order(document, closed)
    for bid in document.bids:
        _require_bid(uow, session, bid)
    row = session.opening
    if row is not None:
        before = _order_document(uow, row.order_sha256)
        check_successor(before, document)
        if row.factor_ends_at is not None and not same_but_station(before, document):
            raise RuleBroken(
                "order.equivocation", "SB1 S16", detail="from the factor window on only the station may change"
            )


def _require_bid(uow: UnitOfWork, session: Session, bid: OrderedBid) -> None:
    """The manifest root covers bid, envelope, ``h`` and ``seq``; bidder, position and objection are compared here."""
    entry = entry_by_h(uow.connection, bytes.fromhex(bid.h))
    if entry is None or entry.kind != "bid.received" or entry.procedure_id != session.place.procedure_id:
        raise RuleBroken("order.not_included", "SB1 S9.1", bid=bid.bid)
    body = loads_object(entry.record)["body"]
    recorded = (body["bid"], body["bidder"], body["envelope_sha256"], body["seq"])
    if recorded != (bid.bid, bid.bidder, bid.envelope_sha256, bid.seq) or _n(entry.position) != bid.n:
        raise RuleBroken("order.not_included", "SB1 S9.1", bid=bid.bid)
    if bid.objection_h is None:
        return
    decided = entry_by_h(uow.connection, bytes.fromhex(bid.objection_h))
    if decided is None or decided.kind != "objection.decided" or decided.procedure_id != session.place.procedure_id:
        raise RuleBroken("order.not_included", "SB1 S9.2", bid=bid.bid)
    found = stored.get(uow.connection, bytes.fromhex(loads_object(decided.record)["body"]["decision_sha256"]))
    decision = None if found is None else parse_objection_decision(found.doc)
    if decision is None or (decision.decision, decision.envelope_sha256) != ("add", bid.envelope_sha256):
        raise RuleBroken("order.not_included", "SB1 S9.2", bid=bid.bid)


def _n(position: Position | None) -> int | None:
    return None if position is None else position.n


def order(uow: UnitOfWork, session: Session, signed: SignedDocument) -> Recorded:
    """Record ``open.ordered`` and ask the custodians to check their shares (S9.1, S9.3)."""
    document, row, place = parse_order(signed.doc), session.opening, session.place
    move = None
    if row is None:
        count = len(bids.manifest(uow.connection, place.procedure_id, place.lot, place.stage))
        move = procedures.begin_opening(uow, session.procedure, session.lot, count)
    recorded = uow.record(lot_event("open.ordered", place, "招标投标法 34", order_sha256=signed.sha256))
    documents.add(uow, recorded, place.procedure_id, signed)
    if move is not None:
        store.add_opening(uow, recorded, place, order_sha256=signed.sha256, order_seq=document.seq, at=uow.at)
        procedures.move_lot(uow, recorded, session.lot, LotPhase(move.target))
    if row is not None:
        digest = bytes.fromhex(signed.sha256)
        store.move(uow, recorded, row, order_sha256=digest, order_seq=document.seq, ordered_at=uow.at)
    ordered = _ordered(session, signed.sha256)
    if row is None or row.factor_ends_at is None:
        custody.ask_all(uow, place.procedure_id, session.policy, JobKind.CHECK, ordered)
    elif row.factor_list_sha256 is not None:
        # Another station took over after the list was closed (S16): the same shares, sealed to the new one.
        request = {**ordered, "factor_list_sha256": row.factor_list_sha256}
        custody.ask_all(uow, place.procedure_id, session.policy, JobKind.RELEASE, request)
    for window in ("objection_ms", "share_check_ms"):
        uow.wake("openings.advance", sessions.arg(place), uow.at + session.schedule[window])
    return recorded


def _closed(uow: UnitOfWork, session: Session) -> ClosedLot:
    for record in queries.entries(uow.connection, session.place, ("tender.closed",)):
        body = record["body"]
        if (body["lot"], body["stage"]) != (session.place.lot, session.place.stage):
            continue
        entry = entry_by_h(uow.connection, bytes.fromhex(record["h"]))
        if entry is None or entry.position is None:
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
            n=entry.position.n,
        )
    raise RuleBroken("opening.not_closed", "OPN-01")


def require_decision(uow: UnitOfWork, session: Session, signed: SignedDocument) -> None:
    """Require that a decision answers an open objection about the newest order or an earlier one (S9.2)."""
    document = parse_objection_decision(signed.doc)
    session.begun()
    raised = [
        record["body"]
        for record in queries.entries(uow.connection, session.place, ("objection.raised",))
        if record["h"] == document.objection_h
    ]
    asked = {"envelope_sha256": document.envelope_sha256, "order_sha256": document.order_sha256}
    if not raised or any(raised[0][name] != value for name, value in asked.items()):
        raise InvalidInput("doc.bad_field", "objection_h names no such objection")
    for record in queries.entries(uow.connection, session.place, ("objection.decided",)):
        found = stored.get(uow.connection, bytes.fromhex(record["body"]["decision_sha256"]))
        if found is not None and parse_objection_decision(found.doc).objection_h == document.objection_h:
            raise Conflict("the objection is decided already")


def decide_objection(uow: UnitOfWork, session: Session, signed: SignedDocument) -> Recorded:
    """Record the supervisor's decision on an objection (S9.2); ``add`` leads to a new order."""
    document = parse_objection_decision(signed.doc)
    body = {"decision_sha256": signed.sha256, "order_sha256": document.order_sha256}
    recorded = uow.record(lot_event("objection.decided", session.place, "招标投标法实施条例 44", **body))
    documents.add(uow, recorded, session.place.procedure_id, signed)
    uow.wake("openings.advance", sessions.arg(session.place), uow.at)
    return recorded


def require_adjudication(uow: UnitOfWork, session: Session, signed: SignedDocument) -> None:
    """Require exactly one finding for each bid that the custodian reported BAD, in the order of the order (S9.4)."""
    document, row = parse_adjudication(signed.doc), session.begun()
    if document.order_sha256 != row.order_sha256:
        raise InvalidInput("doc.bad_field", "order_sha256")
    for answer in queries.answers(uow.connection, session.place, "check"):
        if (answer.custodian, answer.order_sha256) == (document.custodian, row.order_sha256):
            found = stored.get(uow.connection, bytes.fromhex(answer.doc_sha256))
            if found is None:
                raise IntegrityFailure(f"share check {answer.doc_sha256} is missing")
            if tuple(item.bid for item in document.items) == bad_bids(parse_share_check(found.doc)):
                return
    raise InvalidInput("doc.bad_field", "the findings are not for the bids that the custodian reported")


def adjudicate(uow: UnitOfWork, session: Session, signed: SignedDocument) -> Recorded:
    """Record the finding on a custodian that reported BAD shares (S9.4)."""
    custodian, row, place = parse_adjudication(signed.doc).custodian, session.begun(), session.place
    before = queries.answers(uow.connection, place, "adjudication")
    if any((known.custodian, known.order_sha256) == (custodian, row.order_sha256) for known in before):
        raise Conflict(f"custodian {custodian} is adjudicated already")
    recorded = uow.record(lot_event("share.adjudicated", place, adjudication_sha256=signed.sha256, custodian=custodian))
    documents.add(uow, recorded, place.procedure_id, signed)
    store.add_answer(
        uow,
        recorded,
        place,
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
    document = make_factor_list(_order_document(uow, row.order_sha256), valid=valid, created=row.factor_ends_at or 0)
    return SignedDocument(document)


def _order_document(uow: UnitOfWork, order_sha256: str) -> OpenOrder:
    found = stored.get(uow.connection, bytes.fromhex(order_sha256))
    if found is None:
        raise IntegrityFailure(f"order {order_sha256} is missing")
    return parse_order(found.doc)


def require_factor_list(uow: UnitOfWork, session: Session, signed: SignedDocument) -> None:
    """Require a list that equals the records, after the window and before the first release (S9.5)."""
    row = session.begun()
    if row.factor_ends_at is None or uow.at < row.factor_ends_at:
        raise RuleBroken("factor.window_open", "SB1 S9.5", ends_at=row.factor_ends_at)
    released = bool(queries.answers(uow.connection, session.place, "release"))
    require_factor_list_correctable(released=released)
    listed = parse_factor_list(signed.doc)
    expected = parse_factor_list(draft_factor_list(uow, session).doc)
    if (listed.items, listed.order_sha256) != (expected.items, expected.order_sha256):
        raise RuleBroken("factor.list_differs", "SB1 S9.5")


def close_factors(uow: UnitOfWork, session: Session, signed: SignedDocument) -> Recorded:
    """Record ``factor.closed`` and ask for the releases (S9.5, S9.7); not while the clock is on hold (TE1 T3)."""
    row = session.begun()
    if on_hold(uow.connection):
        raise RuleBroken("window.hold", "TE1 T3")
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
