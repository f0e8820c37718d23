"""An open order as an agent judges it: SB1 S9.3 items 1 to 4, before any share is touched."""

from __future__ import annotations

from dataclasses import dataclass

from agents.custodian.admission import place_of, read_schedules
from agents.custodian.agent import Agent
from agents.custodian.evidence import Evidence, Logged, prefix_of, require_consistent
from agents.custodian.state import Admitted, Place
from agents.history import origin_of, require_continued
from agents.witnessed import verify_witnessed
from trading.bids.rules.policy import Policy, parse_policy
from trading.custody.rules.jobs import Job
from trading.kernel.digests import sha256_hex
from trading.kernel.errors import InvalidInput, RuleBroken
from trading.kernel.signed import SignedDocument
from trading.openings.rules.decisions import parse_objection_decision
from trading.openings.rules.manifest import check_order, check_successor, same_but_station
from trading.openings.rules.orders import ClosedLot, OpenOrder, OrderedBid, parse_order


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """An order with the policy under which the agent acts."""

    place: Place
    order: OpenOrder
    admitted: Admitted
    policy: Policy


def read_order(agent: Agent, job: Job, evidence: Evidence) -> Question:
    """Check who signed the order, that it is of the admitted policy, and that the deadline has passed (items 1 and 2).

    Raises:
        RuleBroken: ``policy.not_admitted``, ``order.policy``, ``order.signature``, ``order.checkpoint``,
            ``order.early`` or ``order.fork``.
        InvalidInput: ``job.…``, ``doc.…``, ``note.…`` or ``checkpoint.…``.
    """
    place = place_of(job)
    admitted = agent.state.admitted(place)
    if admitted is None:
        raise RuleBroken("policy.not_admitted", "SB1 S9.3", place=str(place))
    doc = job.need("order.json")
    if sha256_hex(doc) != job.request["order_sha256"]:
        raise InvalidInput("job.malformed", "order.json is not the order that request.json names")
    order = parse_order(doc)
    if (order.tender, order.lot, order.stage) != place.row or order.policy_sha256 != admitted.policy_sha256:
        raise RuleBroken("order.policy", "SB1 S9.3", detail="not the lot and policy that were admitted")
    _require_signatures(agent, job.document(order.sha256), admitted)
    _require_after_deadline(agent, job, order, evidence)
    return Question(place=place, order=order, admitted=admitted, policy=parse_policy(admitted.policy))


def _require_signatures(agent: Agent, signed: SignedDocument, admitted: Admitted) -> None:
    try:
        signers = agent.require_signers(signed, "agency", "supervisor")
    except InvalidInput as error:
        raise RuleBroken("order.signature", "SB1 S9.3", cause=error.code) from error
    # A trust file may list many agencies; only the one whose policy was admitted may have this lot opened.
    if signers["agency"] != admitted.agency:
        raise RuleBroken("order.signature", "SB1 S9.3", cause="another agency signed")


def _require_after_deadline(agent: Agent, job: Job, order: OpenOrder, evidence: Evidence) -> None:
    """Check the order's checkpoint: after the close entry, after the deadline by witnesses and by the own clock."""
    if order.close < _first_close(agent, order):
        raise RuleBroken("schedule.earlier", "SB1 S9.3", close=order.close)
    note = order.checkpoint.encode()
    span = evidence.span_of(origin_of(agent.trust, note))
    witnessed, newest = verify_witnessed(agent.trust, note, span.checkpoint.origin), evidence.witnessed
    if span.base + witnessed.checkpoint.size <= order.closed_n:
        raise RuleBroken("order.checkpoint", "SB1 S9.1", detail="it does not contain the close entry")
    if witnessed.low_ms < order.close or newest.low_ms < order.close:
        raise RuleBroken("order.early", "SB1 S9.3", clock="witnesses", close=order.close)
    if agent.clock.now_ms() < order.close:
        raise RuleBroken("order.early", "SB1 S9.3", clock="own", close=order.close)
    if witnessed.checkpoint.size > span.checkpoint.size:
        early = f"{span.checkpoint.origin} was closed at {span.checkpoint.size}, before the order's checkpoint"
        require_continued(early, holds=span is evidence.spans[-1])
        raise RuleBroken("job.stale", "SB1 S9.3", size=span.checkpoint.size)
    require_consistent(job, witnessed.checkpoint, span.checkpoint, prefix_of(evidence.spans, span))


def _first_close(agent: Agent, order: OpenOrder) -> int:
    place = Place(tender=order.tender, lot=order.lot, stage=order.stage)
    admitted = agent.state.admitted(place)
    return 0 if admitted is None else admitted.first_close


def check_inclusion(agent: Agent, job: Job, evidence: Evidence, question: Question) -> None:
    """Check close entry, policy, schedules, manifest, bids, objections and rejections against the log (item 3).

    Raises:
        RuleBroken: ``order.…`` or ``schedule.…``.
        InvalidInput: ``job.…``, ``doc.…`` or ``sig.…``.
    """
    order, place = question.order, question.place
    closed = evidence.at(order.closed_n, order.closed_h, "tender.closed")
    if closed not in evidence.of_kind("tender.closed", place):
        raise RuleBroken("order.not_included", "SB1 S9.3", detail="the close entry is of another lot")
    check_order(order, _closed_lot(place, closed))
    fixed = [record for record in evidence.of_kind("policy.fixed", place) if record.n < closed.n]
    if question.policy.sha256 not in [record.body["policy_sha256"] for record in fixed]:
        raise RuleBroken("order.not_included", "SB1 S9.3", detail="policy.fixed")
    newest = read_schedules(agent, job, evidence, place, before=closed.n)
    if newest.sha256 != order.schedule_sha256 or newest.close != order.close:
        raise RuleBroken("schedule.chain_broken", "SB1 S9.3", detail="the order names another schedule")
    if newest.close < question.admitted.first_close:
        raise RuleBroken("schedule.earlier", "SB1 S9.3", close=newest.close)
    for bid in order.bids:
        _check_bid(agent, job, evidence, question, bid)
    for omitted in order.omitted:
        if evidence.by_h(omitted.rejected_h).procedure != place.tender:
            raise RuleBroken("order.not_included", "SB1 S9.3", detail="a rejection of another procedure")


def _closed_lot(place: Place, closed: Logged) -> ClosedLot:
    body = closed.body
    return ClosedLot(
        tender=place.tender,
        lot=place.lot,
        stage=place.stage,
        close=body["close"],
        bids_root=body["bids_root"],
        policy_sha256=body["policy_sha256"],
        schedule_sha256=body["schedule_sha256"],
        h=closed.h,
        n=closed.n,
    )


def _check_bid(agent: Agent, job: Job, evidence: Evidence, question: Question, bid: OrderedBid) -> None:
    received = evidence.at(bid.n, bid.h, "bid.received")
    told = {name: received.body.get(name) for name in ("bid", "bidder", "envelope_sha256", "seq")}
    same = told == {"bid": bid.bid, "bidder": bid.bidder, "envelope_sha256": bid.envelope_sha256, "seq": bid.seq}
    if not same or received not in evidence.of_kind("bid.received", question.place):
        raise RuleBroken("order.not_included", "SB1 S9.3", detail="the record is of another bid", bid=bid.bid)
    if bid.objection_h is None:
        return
    decided = evidence.by_h(bid.objection_h)
    if decided not in evidence.of_kind("objection.decided", question.place):
        raise RuleBroken("order.not_included", "SB1 S9.3", detail="not an objection of this lot", bid=bid.bid)
    signed = job.document(decided.body["decision_sha256"])
    agent.require_signers(signed, "supervisor")
    decision = parse_objection_decision(signed.doc)
    if decision.decision != "add" or decision.envelope_sha256 != bid.envelope_sha256:
        raise RuleBroken("order.not_included", "SB1 S9.2", detail="the decision does not add this bid", bid=bid.bid)


def check_history(agent: Agent, question: Question) -> None:
    """Check the order against those answered before (item 4, S13.4, S16). Call it under the state's lock.

    Raises:
        RuleBroken: ``order.equivocation``.
    """
    answered = [parse_order(doc) for doc in agent.state.orders(question.place)]
    if not answered or answered[-1].sha256 == question.order.sha256:
        return
    check_successor(answered[-1], question.order)
    released = [order for order in answered if agent.state.answer("release", question.place, order.sha256)]
    if released and not same_but_station(released[-1], question.order):
        raise RuleBroken("order.equivocation", "SB1 S13.4", detail="shares were released; only the station may change")
