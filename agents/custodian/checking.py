"""The share check (SB1 S9.3): one answer per order, per bid, before anyone's factor is revealed."""

from __future__ import annotations

from agents.custodian import words
from agents.custodian.agent import Agent
from agents.custodian.evidence import Evidence, read_evidence
from agents.custodian.orders import Question, check_history, check_inclusion, read_order
from agents.custodian.shares import OpenedShare, bidder_keys, open_share, valid_envelope
from trading.custody.rules.jobs import Job
from trading.kernel.signed import SignedDocument
from trading.openings.rules.answers import make_share_check
from trading.openings.rules.verdicts import Check


def check(agent: Agent, job: Job, confirm: words.Confirm) -> SignedDocument:
    """Check an order whole and answer it; the same order again gets the stored answer.

    Args:
        agent: The agent.
        job: A job of kind ``check``.
        confirm: Told in plain words what will be signed; it may raise to stop.

    Raises:
        RuleBroken: The order is refused (S9.3); nothing is signed.
        InvalidInput: The job or a document in it is not as it must be; nothing is signed.
    """
    evidence = read_evidence(agent, job)
    question = read_order(agent, job, evidence)
    order, place = question.order, question.place
    stored = agent.state.answer("check", place, order.sha256)
    if stored is not None:
        return SignedDocument.from_wire(stored)
    check_inclusion(agent, job, evidence, question)
    check_history(agent, question)
    codes = _codes(agent, job, evidence, question)
    confirm(words.of_check(question, evidence, codes))
    now = agent.clock.now_ms()
    document = make_share_check(order, codes, custodian=question.admitted.custodian, created=now)
    signed = agent.sign(document)
    with agent.state.transaction():
        check_history(agent, question)  # again under the lock: another process may have answered meanwhile
        agent.state.add_order(place, order.sha256, order.seq, order.raw)
        for bid in order.bids:
            agent.state.add_envelope(bid.envelope_sha256, job.document(bid.envelope_sha256).doc)
        agent.state.add_answer("check", place, order.sha256, signed.wire_bytes(), now)
        agent.journal.write(now, "order.checked", place=str(place), order_sha256=order.sha256, check=signed.sha256)
    return signed


def _codes(agent: Agent, job: Job, evidence: Evidence, question: Question) -> dict[str, Check]:
    keys, own = bidder_keys(job), agent.share_key(question.place)
    index = question.admitted.custodian
    codes: dict[str, Check] = {}
    for bid in question.order.bids:
        envelope = valid_envelope(job, evidence, question, bid, keys)
        if envelope is None:
            codes[bid.bid] = Check.ENVELOPE_INVALID
            continue
        opened: OpenedShare = open_share(own, envelope.shares[index - 1], envelope.context)
        codes[bid.bid] = opened.code
    return codes
