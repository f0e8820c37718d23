"""The share release (SB1 S9.7): one document for all bids with a valid factor, once per order, never for a subset."""

from __future__ import annotations

from agents.custodian import people, words
from agents.custodian.agent import Agent
from agents.custodian.evidence import Evidence, read_evidence
from agents.custodian.orders import Question, read_order
from agents.custodian.shares import open_share
from trading.bids.rules.envelope import parse_envelope
from trading.bids.rules.schedule import parse_schedule
from trading.crypto.keys import hpke_seal, release_info
from trading.custody.rules.jobs import Job
from trading.kernel.errors import IntegrityFailure, RuleBroken
from trading.kernel.signed import SignedDocument
from trading.openings.rules.answers import make_release, parse_release, parse_share_check
from trading.openings.rules.approvals import Approval, make_approval, parse_approval
from trading.openings.rules.factors import FactorList, lists_exactly, parse_factor_list
from trading.openings.rules.manifest import same_but_station
from trading.openings.rules.orders import OpenOrder, OrderedBid, parse_order
from trading.openings.rules.verdicts import Check


def release(agent: Agent, job: Job, confirm: words.Confirm) -> SignedDocument:
    """Release the shares of all bids to release for; the same order again gets the stored release.

    Raises:
        RuleBroken: ``release.…`` or ``order.…``; nothing is signed. ``release.approvals``: too few people of the
            institution have approved it.
        InvalidInput: The job or a document in it is not as it must be; nothing is signed.
    """
    evidence = read_evidence(agent, job)
    question = read_order(agent, job, evidence)
    place, order = question.place, question.order
    checked = _checked_order(agent, question)
    factors = _factor_list(agent, job, evidence, question)
    stored = agent.state.answer("release", place, order.sha256)
    if stored is not None:
        answer = SignedDocument.from_wire(stored)
        if parse_release(answer.doc).factor_list_sha256 != (factors.sha256 if factors else None):
            raise RuleBroken("order.equivocation", "SB1 S13.4", detail="this order was released under another list")
        return answer
    _require_same_release(agent, question, factors)
    asked = approval_of(agent, question, factors)
    approved = people.require_approved(agent, asked)
    bids = [bid for bid in order.bids if factors is None or bid.bid in factors.valid_bids]
    if any(agent.state.is_renounced(bid.envelope_sha256) for bid in bids):
        raise RuleBroken("release.renounced", "SB1 S12", detail="a statement of non-release names one of the bids")
    sealed = _seal(agent, question, checked, bids)
    list_name = None if factors is None else factors.sha256
    confirm(words.of_release(question, evidence, releasing=sum(map(bool, sealed.values())), factor_list=list_name))
    now, index = agent.clock.now_ms(), question.admitted.custodian
    signed = agent.sign(make_release(order, sealed, custodian=index, factor_list_sha256=list_name, created=now))
    with agent.state.transaction():
        _require_same_release(agent, question, factors)
        people.require_approved(agent, asked)
        agent.state.add_order(place, order.sha256, order.seq, order.raw)
        for bid in bids:
            if sealed[bid.bid] is not None:
                agent.state.add_released(order.sha256, bid.envelope_sha256)
        agent.state.add_answer("release", place, order.sha256, signed.wire_bytes(), now)
        facts = {"approved_by": list(approved), "order_sha256": order.sha256, "release": signed.sha256}
        agent.journal.write(now, "shares.released", place=str(place), **facts)
    return signed


def approval_of(agent: Agent, question: Question, factors: FactorList | None) -> Approval:
    """Return what people of the institution approve before this release."""
    document = make_approval(
        order_sha256=question.order.sha256,
        factor_list_sha256=None if factors is None else factors.sha256,
        custodian=question.admitted.custodian,
        created=agent.clock.now_ms(),
    )
    return parse_approval(document)


def ask_for_approval(agent: Agent, job: Job) -> bytes:
    """Return the document that people of the institution sign to approve the release that a job asks for.

    The job is checked as for the release itself: nobody is asked to approve what the agent would refuse.

    Raises:
        RuleBroken, InvalidInput: As ``release``.
    """
    evidence = read_evidence(agent, job)
    question = read_order(agent, job, evidence)
    _checked_order(agent, question)
    factors = _factor_list(agent, job, evidence, question)
    _require_same_release(agent, question, factors)
    return approval_of(agent, question, factors).raw


def _checked_order(agent: Agent, question: Question) -> OpenOrder:
    """Return the order that was checked: this one, or the one whose station it replaces (S16)."""
    for doc in reversed(agent.state.orders(question.place)):
        checked = parse_order(doc)
        if agent.state.answer("check", question.place, checked.sha256) is None:
            continue
        if checked.sha256 == question.order.sha256:
            return checked
        if same_but_station(checked, question.order) and question.order.seq > checked.seq:
            return checked
    raise RuleBroken("release.unchecked", "SB1 S9.7", order_sha256=question.order.sha256)


def _factor_list(agent: Agent, job: Job, evidence: Evidence, question: Question) -> FactorList | None:
    if not question.policy.bidder_factor:
        _require_objections_over(agent, job, evidence, question)
        return None
    name = job.request["factor_list_sha256"]
    closed = list(evidence.of_kind("factor.closed", question.place))
    if name is None or not closed or closed[-1].body["factor_list_sha256"] != name:
        raise RuleBroken("release.factor_list", "SB1 S9.7", detail="not the list of the newest factor.closed")
    signed = job.document(name)
    agent.require_signers(signed, "agency", "supervisor")
    factors = parse_factor_list(signed.doc)
    _require_same_content(agent, job, question, factors)
    if not lists_exactly(question.order, factors):
        raise RuleBroken("release.subset", "SB1 S9.7", detail="the list has not exactly the bids of the order")
    return factors


def _require_same_content(agent: Agent, job: Job, question: Question, factors: FactorList) -> None:
    """A factor list stays valid for an order that differs from its own only in the station (S16)."""
    if factors.order_sha256 == question.order.sha256:
        return
    signed = job.document(factors.order_sha256)
    agent.require_signers(signed, "agency", "supervisor")
    if not same_but_station(parse_order(signed.doc), question.order):
        raise RuleBroken("release.factor_list", "SB1 S9.7", detail="the list is of another order")


def _require_objections_over(agent: Agent, job: Job, evidence: Evidence, question: Question) -> None:
    """With the factor off: the objection window, counted from the first order, is over by witnesses and own clock."""
    if job.request["factor_list_sha256"] is not None:
        raise RuleBroken("release.factor_list", "SB1 S9.7", detail="the policy has no factors")
    ordered = next(evidence.of_kind("open.ordered", question.place), None)
    if ordered is None:
        raise RuleBroken("order.not_included", "SB1 S9.7", detail="open.ordered")
    schedule = parse_schedule(job.document(question.order.schedule_sha256).doc)
    over = ordered.at + schedule.objection_ms
    if min(evidence.witnessed.low_ms, agent.clock.now_ms()) < over:
        raise RuleBroken("release.early", "SB1 S9.7", over=over)


def _require_same_release(agent: Agent, question: Question, factors: FactorList | None) -> None:
    """Whatever was released for this lot before may only be repeated, for another station (S13.4, S16)."""
    valid = question.order.bid_ids if factors is None else factors.valid_bids
    for doc in agent.state.orders(question.place):
        before = parse_order(doc)
        stored = agent.state.answer("release", question.place, before.sha256)
        if stored is None or before.sha256 == question.order.sha256:
            continue
        released = tuple(item.bid for item in parse_release(SignedDocument.from_wire(stored).doc).items)
        if not same_but_station(before, question.order) or released != valid:
            raise RuleBroken("order.equivocation", "SB1 S13.4", detail="shares were released for another content")


def _seal(agent: Agent, question: Question, checked: OpenOrder, bids: list[OrderedBid]) -> dict[str, bytes | None]:
    """Return each share sealed to the station, ``None`` where the share check was not ``ok``."""
    answer = agent.state.answer("check", question.place, checked.sha256)
    if answer is None:
        raise IntegrityFailure("an order is stored without its share check")
    codes = {item.bid: item.code for item in parse_share_check(SignedDocument.from_wire(answer).doc).items}
    own, index = agent.share_key(question.place), question.admitted.custodian
    order_sha256 = bytes.fromhex(question.order.sha256)
    sealed: dict[str, bytes | None] = {}
    for bid in bids:
        sealed[bid.bid] = None
        doc = agent.state.envelope(bid.envelope_sha256)
        if codes[bid.bid] is not Check.OK or doc is None:
            continue
        envelope = parse_envelope(doc)
        share = open_share(own, envelope.shares[index - 1], envelope.context).share
        if share is not None:
            info = release_info(index, order_sha256, bytes.fromhex(bid.envelope_sha256))
            sealed[bid.bid] = hpke_seal(question.order.station_pk, info, share)
    return sealed
