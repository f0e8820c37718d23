"""Disclosure of a share key to an auditor who adjudicates a BAD (SB1 S9.4): to one recipient, within the bound."""

from __future__ import annotations

from dataclasses import dataclass

from agents.custodian import words
from agents.custodian.admission import place_of
from agents.custodian.agent import Agent
from agents.custodian.draws import codes_of, known_attempt
from agents.custodian.evidence import Evidence, read_evidence
from agents.custodian.state import Place
from trading.bids.rules.policy import Policy
from trading.crypto.addressed import encrypt_to
from trading.custody.rules.jobs import Job
from trading.experts.rules.checks import disclosure_allowed as draw_disclosure_allowed
from trading.experts.rules.checks import make_disclosure as make_draw_disclosure
from trading.kernel.errors import RuleBroken
from trading.kernel.signed import SignedDocument
from trading.openings.rules.answers import make_disclosure, parse_share_check
from trading.openings.rules.decisions import bad_bids, disclosure_allowed


@dataclass(frozen=True, slots=True, kw_only=True)
class Disclosed:
    """The age file for the auditor and what the platform is told."""

    sealed: bytes
    auditor: str
    disclosure_sha256: str


def disclose(agent: Agent, job: Job, recipient: str, confirm: words.Confirm) -> Disclosed:
    """Disclose the seed of the share key for an answered order, encrypted to the auditor's age recipient.

    Raises:
        RuleBroken: ``disclose.nothing_bad`` (this agent reported no BAD for the order), ``disclose.bound``,
            ``policy.not_admitted``, ``key.unknown``.
        InvalidInput: ``age.bad_recipient``, or the job is not as it must be.
    """
    place, order_sha256 = place_of(job), job.request["order_sha256"]
    evidence = read_evidence(agent, job)
    policy, custodian = agent.policy_of(place), agent.custodian_of(place)
    check = agent.state.answer("check", place, order_sha256)
    if check is None or not bad_bids(parse_share_check(SignedDocument.from_wire(check).doc)):
        raise RuleBroken("disclose.nothing_bad", "SB1 S9.4", order_sha256=order_sha256)
    auditor: str = job.request["auditor"]
    _require_bound(evidence, policy, place, auditor=auditor, own=custodian)
    confirm(words.of_disclosure(place, auditor))
    signed = _signed(agent, place, order_sha256, auditor)
    return Disclosed(
        sealed=encrypt_to(recipient, signed.wire_bytes()), auditor=auditor, disclosure_sha256=signed.sha256
    )


def _require_bound(evidence: Evidence, policy: Policy, place: Place, *, auditor: str, own: int) -> None:
    """Check the bound of S9.4 from what the log shows; the party's own custodian keys count as known to it."""
    held = sum(row.name == auditor and row.i != own for row in policy.custodians)
    disclosed = {
        record.body["custodian"]
        for record in evidence.of_kind("custodian.key_disclosed", place)
        if record.body["auditor"] == auditor and record.body["custodian"] != own
    }
    completed = any(evidence.of_kind("opening.completed", place))
    if not disclosure_allowed(
        k=policy.k, held_by_auditor=held, disclosed_to_auditor=len(disclosed), completed=completed
    ):
        raise RuleBroken("disclose.bound", "SB1 S9.4", k=policy.k, known=held + len(disclosed))


def _signed(agent: Agent, place: Place, order_sha256: str, auditor: str) -> SignedDocument:
    """Return the disclosure. Only its instant is stored: a copy of the seed would outlive its destruction."""
    question = f"{order_sha256}:{auditor}"
    stored = agent.state.answer("disclose", place, question)
    created = agent.clock.now_ms() if stored is None else int(stored)
    seed, custodian = agent.share_key(place).seed, agent.custodian_of(place)
    signed = agent.sign(make_disclosure(order_sha256, custodian=custodian, seed=seed, created=created))
    if stored is None:
        with agent.state.transaction():
            agent.state.add_answer("disclose", place, question, str(created).encode(), created)
            agent.journal.write(created, "key.disclosed", place=str(place), auditor=auditor, disclosure=signed.sha256)
    return signed


def disclose_draw(agent: Agent, job: Job, recipient: str, auditor: str, confirm: words.Confirm) -> Disclosed:
    """Disclose the seed of a draw's share key to the auditor of a BAD that this agent reported (ED1 D7).

    The log of a draw does not say who disclosed what before, so beyond the keys that the auditor's party holds itself
    the bound of k − 1 is the person's to keep; the words say so. The next attempt of the draw needs a new policy.

    Args:
        agent: The agent.
        job: The job of kind ``draw-check`` of the attempt.
        recipient: The auditor's age recipient.
        auditor: Name of the auditor's organisation.
        confirm: Told what will be signed.

    Raises:
        RuleBroken: ``draw.unchecked``, ``disclose.nothing_bad``, ``disclose.bound``, ``key.unknown``.
        InvalidInput: ``age.bad_recipient``.
    """
    attempt = known_attempt(agent, job)
    if not any(code.is_bad for code in codes_of(agent, attempt).values()):
        raise RuleBroken("disclose.nothing_bad", "ED1 D7", spec_sha256=attempt.spec.sha256)
    held = sum(row.name == auditor and row.i != attempt.custodian for row in attempt.policy.custodians)
    if not draw_disclosure_allowed(k=attempt.policy.k, held_by_auditor=held, disclosed_to_auditor=0):
        raise RuleBroken("disclose.bound", "ED1 D7", k=attempt.policy.k, known=held)
    confirm(words.of_draw_disclosure(attempt.spec, auditor, attempt.policy.k - 1 - held))
    place, question = attempt.place, attempt.question(auditor)
    stored = agent.state.answer("draw-disclose", place, question)
    created = agent.clock.now_ms() if stored is None else int(stored)
    seed, spec_sha256 = agent.share_key(place).seed, attempt.spec.sha256
    signed = agent.sign(
        make_draw_disclosure(custodian=attempt.custodian, seed=seed, spec_sha256=spec_sha256, created=created)
    )
    if stored is None:
        with agent.state.transaction():
            agent.state.add_answer("draw-disclose", place, question, str(created).encode(), created)
            agent.journal.write(created, "key.disclosed", place=str(place), auditor=auditor, disclosure=signed.sha256)
    return Disclosed(
        sealed=encrypt_to(recipient, signed.wire_bytes()), auditor=auditor, disclosure_sha256=signed.sha256
    )
