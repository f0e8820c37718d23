"""What an agent says outside the ceremony: rehearsals, factors received, non-release, destruction (S6.4, S9.5, S12)."""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from agents.custodian import words
from agents.custodian.admission import place_of
from agents.custodian.agent import Agent
from agents.custodian.shares import bidder_keys, open_share
from agents.custodian.state import Place
from trading.bids.rules.envelope import Envelope, parse_envelope, parse_rehearsal, require_policy
from trading.crypto.shares import commit_factor
from trading.crypto.signatures import verify_signature
from trading.custody.rules.documents import make_key_destroyed, make_non_release
from trading.custody.rules.jobs import Job
from trading.kernel.errors import InvalidInput, RuleBroken
from trading.kernel.signed import SignedDocument
from trading.openings.rules.factors import Factor, make_factor_ack, parse_factor
from trading.openings.rules.verdicts import Check


def rehearse(agent: Agent, job: Job) -> dict[str, object]:
    """Open the own share of a rehearsal and answer with one bit (S6.4). Its ctx can open no share of a real bid.

    Raises:
        RuleBroken: ``policy.not_admitted``, ``key.unknown``.
        InvalidInput: The rehearsal is malformed, not under the admitted policy, or not signed by its bidder.
    """
    place, signed = place_of(job), job.document(job.request["rehearsal_sha256"])
    policy, rehearsal = agent.policy_of(place), parse_rehearsal(signed.doc)
    require_policy(rehearsal, policy)
    key = bidder_keys(job).get(rehearsal.bidder_kid)
    if key is None:
        raise InvalidInput("job.incomplete", "the bidder's key is missing")
    signature = next((sig for sig in signed.sigs if sig["kid"] == key.kid), None)
    if signature is None:
        raise InvalidInput("sig.missing", "the rehearsal is not signed by its bidder")
    verify_signature(key.alg, key.key, signed.doc, signature)
    index = agent.custodian_of(place)
    opened = open_share(agent.share_key(place), rehearsal.shares[index - 1], rehearsal.context)
    is_ok = opened.code is Check.OK
    agent.journal.write(agent.clock.now_ms(), "rehearsal.checked", rehearsal=rehearsal.sha256, ok=is_ok)
    return {"bid": rehearsal.bid, "ok": is_ok, "rehearsal_sha256": rehearsal.sha256}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Forwarded:
    """A factor with the acknowledgement given for it, ready for the platform. No ``repr``: it holds ``s_b``."""

    factor: Factor
    ack: SignedDocument


def acknowledge(agent: Agent, document: bytes, confirm: words.Confirm) -> Forwarded:
    """Acknowledge a factor that a bidder handed to this custodian, and keep it for forwarding (S9.5).

    Only for a bid of a checked order: before that the agent could not know what it holds, and a factor must never be
    with a custodian while the order is still secret.

    Raises:
        RuleBroken: ``factor.unknown_bid`` or ``factor.mismatch``.
        InvalidInput: ``doc.…``.
    """
    factor = parse_factor(document)
    envelope = _ordered_envelope(agent, factor)
    ctx = envelope.context.bytes()
    if envelope.factor_commit is None or not hmac.compare_digest(
        commit_factor(factor.s_b, ctx), envelope.factor_commit
    ):
        raise RuleBroken("factor.mismatch", "SB1 S9.5", bid=factor.bid)
    kept = agent.state.factor(factor.sha256)
    if kept is not None:
        return Forwarded(factor=factor, ack=SignedDocument.from_wire(kept[1]))
    confirm(words.of_factor_ack(factor.bid))
    now = agent.clock.now_ms()
    ack = agent.sign(make_factor_ack(factor, created=now))
    sealed = agent.vault.seal(f"factor:{factor.sha256}", factor.raw)
    with agent.state.transaction():
        agent.state.add_factor(factor.sha256, factor.bid, sealed, ack.wire_bytes())
        agent.journal.write(now, "factor.acknowledged", bid=factor.bid, envelope_sha256=factor.envelope_sha256)
    return Forwarded(factor=factor, ack=ack)


def _ordered_envelope(agent: Agent, factor: Factor) -> Envelope:
    doc = agent.state.envelope(factor.envelope_sha256)
    if doc is None:
        raise RuleBroken("factor.unknown_bid", "SB1 S9.5", bid=factor.bid)
    envelope = parse_envelope(doc)
    if envelope.bid != factor.bid:
        raise RuleBroken("factor.mismatch", "SB1 S9.5", bid=factor.bid)
    return envelope


def kept_factors(agent: Agent) -> list[Forwarded]:
    """Return every factor handed to this agent, opened from the vault, for forwarding."""
    result = []
    for sha256, _bid in agent.state.factors():
        kept = agent.state.factor(sha256)
        if kept is not None:
            factor = parse_factor(agent.vault.unseal(f"factor:{sha256}", kept[0]))
            result.append(Forwarded(factor=factor, ack=SignedDocument.from_wire(kept[1])))
    return result


def state_non_release(agent: Agent, job: Job, confirm: words.Confirm) -> SignedDocument:
    """Sign that no share of the envelopes was released; from then on none will be (S12).

    Raises:
        RuleBroken: ``non_release.released``: that would be a lie; ``policy.not_admitted``; ``order.policy``.
    """
    place, envelopes = place_of(job), job.request["envelopes"]
    policy = agent.policy_of(place)
    if policy.sha256 != job.request["policy_sha256"]:
        raise RuleBroken("order.policy", "SB1 S12", detail="not the policy that was admitted")
    question = ",".join(envelopes)
    stored = agent.state.answer("non-release", place, question)
    if stored is not None:
        return SignedDocument.from_wire(stored)
    confirm(words.of_non_release(place, len(envelopes)))
    now = agent.clock.now_ms()
    custodian, named = agent.custodian_of(place), policy.sha256
    document = make_non_release(
        place.lot, place.stage, envelopes, policy_sha256=named, custodian=custodian, created=now
    )
    signed = agent.sign(document)
    with agent.state.transaction():
        if any(agent.state.was_released(envelope) for envelope in envelopes):
            raise RuleBroken("non_release.released", "SB1 S12")
        for envelope in envelopes:
            agent.state.renounce(envelope)
        agent.state.add_answer("non-release", place, question, signed.wire_bytes(), now)
        agent.journal.write(now, "non_release.stated", place=str(place), statement=signed.sha256)
    return signed


def destroy(agent: Agent, policy_sha256: str, confirm: words.Confirm) -> SignedDocument:
    """Destroy the share key of a policy for ever and sign that it is gone (S12); a repetition returns the statement.

    When it may be done is the institution's decision: at once if no bid of the policy is opened, otherwise after the
    dispute period.

    Raises:
        RuleBroken: ``policy.not_admitted``.
    """
    place = _place_of_policy(agent, policy_sha256)
    stored = agent.state.answer("destroy", place, policy_sha256)
    if stored is not None:
        return SignedDocument.from_wire(stored)
    released = any(agent.state.questions(kind, place) for kind in ("release", "draw-recover"))
    confirm(words.of_destruction(place, released=released))
    now = agent.clock.now_ms()
    signed = agent.sign(make_key_destroyed(policy_sha256, custodian=agent.custodian_of(place), created=now))
    with agent.state.transaction():
        agent.state.destroy_seed(place)
        agent.state.add_answer("destroy", place, policy_sha256, signed.wire_bytes(), now)
        agent.journal.write(now, "key.destroyed", place=str(place), policy_sha256=policy_sha256)
    return signed


def _place_of_policy(agent: Agent, policy_sha256: str) -> Place:
    for place, admitted in agent.state.policies():
        if admitted.policy_sha256 == policy_sha256:
            return place
    raise RuleBroken("policy.not_admitted", "SB1 S12", policy_sha256=policy_sha256)
