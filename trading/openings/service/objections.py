"""Objections of bidders whose bid is missing from the order (SB1 S9.2)."""

from __future__ import annotations

from trading.audit.ledger import UnitOfWork
from trading.audit.model import Recorded
from trading.audit.queries import recorded_by_id
from trading.audit.rules.proof import VerifiedReceipt, parse_receipt, verify_receipt
from trading.audit.runtime import Runtime
from trading.audit.service import known_policy, origin_of, place_of
from trading.crypto.notes import verify_note_signature
from trading.kernel.errors import InvalidInput, NotFound, RuleBroken
from trading.kernel.roles import Actor
from trading.openings import queries
from trading.openings.model import lot_event
from trading.openings.rules.windows import require_objection_open
from trading.openings.service import session as sessions
from trading.openings.service.session import Session


def object_to_order(runtime: Runtime, actor: Actor, where: tuple[str, str, str], bid: str, receipt: bytes) -> Recorded:
    """Record that a bidder misses its bid in the order; the receipt alone shows that there is one.

    The same objection again returns the first record. Nothing but the receipt is believed: it counts even if the
    platform's own tables had lost the bid.

    Raises:
        InvalidInput: The receipt does not verify.
        NotFound: It is not about a bid of this organisation for this lot, or there is no order yet.
        RuleBroken: ``objection.late``; ``objection.listed``: the order lists the bid; ``objection.not_in_time``: the
            receipt's entry does not precede the close entry.
    """
    policy = known_policy(runtime.witness_policy)
    origin = origin_of(runtime, parse_receipt(receipt).checkpoint)
    verified = verify_receipt(receipt, origin=origin, policy=policy, verify=verify_note_signature)
    envelope_sha256 = _envelope_of(verified, actor, where, bid)
    with runtime.ledger.begin(actor) as uow:
        session = sessions.load(uow, *where, move=True)
        row = session.begun()
        before = _same(uow, session, envelope_sha256)
        if before is not None:
            return before
        order = sessions.document(uow.connection, row.order_sha256)
        if any(item["bid"] == bid for item in (*order["bids"], *order["omitted"])):
            raise RuleBroken("objection.listed", "SB1 S9.2", bid=bid)
        if place_of(runtime, verified) >= order["closed_n"]:
            raise RuleBroken("objection.not_in_time", "SB1 S9.2", bid=bid)
        require_objection_open(sessions.ceremony(uow.connection, session), uow.at)
        facts = {"bid": bid, "envelope_sha256": envelope_sha256, "order_sha256": row.order_sha256}
        return uow.record(lot_event("objection.raised", session.place, "招标投标法实施条例 44", **facts))


def _envelope_of(verified: VerifiedReceipt, actor: Actor, where: tuple[str, str, str], bid: str) -> str:
    """Return the envelope's hash if the receipt is of a bid of this organisation for this lot."""
    record = verified.record
    if record["kind"] != "bid.received":
        raise InvalidInput("receipt.other_record", "the receipt is not of a bid")
    body = record["body"]
    told = (record["procedure"], body["lot"], body["stage"], body["bid"], body["bidder"])
    if told != (*where, bid, actor.organisation):
        raise NotFound("bid")
    return str(body["envelope_sha256"])


def _same(uow: UnitOfWork, session: Session, envelope_sha256: str) -> Recorded | None:
    for record in queries.entries(uow.connection, session.place, ("objection.raised",)):
        if record["body"]["envelope_sha256"] == envelope_sha256:
            return recorded_by_id(uow.connection, record["id"])
    return None
