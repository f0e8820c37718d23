"""The custodian's part in a draw before its seal: key, admission of the policy, share check (ED1 D1, D7)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from agents.custodian import words
from agents.custodian.admission import make_share_key, place_of
from agents.custodian.agent import Agent
from agents.custodian.evidence import Evidence, Logged, read_evidence
from agents.custodian.shares import open_share
from agents.custodian.state import Admitted, Place
from trading.crypto.signatures import verify_signature
from trading.custody.rules.jobs import Job
from trading.experts.rules.checks import CheckCode, make_share_check
from trading.experts.rules.contributions import (
    Contribution,
    Escrow,
    parse_contribution,
    parse_escrow,
    require_of_spec,
)
from trading.experts.rules.policy import (
    Policy,
    check_policy,
    parse_custodian_key,
    parse_policy,
    require_signature_of,
    write_custodian_key,
)
from trading.experts.rules.spec import Spec, check_spec, parse_spec
from trading.kernel.errors import InvalidInput, RuleBroken
from trading.kernel.fields import type_of
from trading.kernel.signed import SignedDocument

_PARSERS: Final[Mapping[str, Callable[[bytes], Contribution | Escrow]]] = {
    "ed1.contribution": parse_contribution,
    "ed1.escrow": parse_escrow,
}


def make_draw_key(agent: Agent, draw: str) -> SignedDocument:
    """Make the share key of a draw; a repetition returns the same one.

    Raises:
        RuleBroken: ``key.destroyed``.
    """
    return make_share_key(agent, Place.of_draw(draw), lambda common: write_custodian_key({**common, "draw": draw}))


def logged_of(evidence: Evidence, kind: str, draw: str, attempt: int | None = None) -> Iterator[Logged]:
    """Yield the records of a kind about a draw, or about one attempt of it, in log order."""
    for record in evidence.records:
        told = (record.kind, record.body.get("draw"))
        if told == (kind, draw) and (attempt is None or record.body.get("attempt") == attempt):
            yield record


def _require_logged(evidence: Evidence, kind: str, draw: str, attempt: int | None, field: str, sha256: str) -> None:
    if not any(record.body.get(field) == sha256 for record in logged_of(evidence, kind, draw, attempt)):
        raise RuleBroken("order.not_included", "ED1 D2", kind=kind)


def admit_draw(agent: Agent, job: Job) -> dict[str, str]:
    """Check and store the policy of a draw; a later attempt may have another one only if that supersedes it.

    Raises:
        RuleBroken: ``policy.…``, ``order.not_included``, ``order.equivocation``, ``key.unknown``.
        InvalidInput: The job or a document in it is not as it must be.
    """
    place, evidence = place_of(job), read_evidence(agent, job)
    signed = job.document(job.request["policy_sha256"])
    rows = parse_policy(signed.doc).custodians
    offered = {parse_custodian_key(key.doc).hpke_pk: key for key in job.of_type("ed1.custodian-key")}
    missing = [row.i for row in rows if row.hpke_pk not in offered]
    if missing:
        raise InvalidInput("job.incomplete", f"the signed key of custodian {missing[0]} is missing")
    policy = check_policy(signed, [offered[row.hpke_pk] for row in rows], agent.trust, verify_signature)
    if policy.draw != place.tender:
        raise RuleBroken("policy.mismatch", "ED1 D1", detail="the policy is of another draw")
    _require_logged(evidence, "draw.policy_fixed", policy.draw, None, "policy_sha256", policy.sha256)
    admitted = Admitted(
        policy_sha256=policy.sha256, policy=policy.raw, custodian=_own(agent, policy), agency="", first_close=0
    )
    now = agent.clock.now_ms()
    with agent.state.transaction():
        before = agent.state.admitted(place)
        if before is not None and before.policy_sha256 not in (policy.sha256, policy.supersedes):
            raise RuleBroken("order.equivocation", "ED1 D1", detail="another policy for the same draw")
        agent.state.admit(place, admitted)
        if agent.state.answer("draw-policy", place, policy.sha256) is None:
            agent.state.add_answer("draw-policy", place, policy.sha256, policy.raw, now)
        agent.journal.write(now, "policy.admitted", place=str(place), policy_sha256=policy.sha256)
    return {"policy_sha256": policy.sha256}


def _own(agent: Agent, policy: Policy) -> int:
    own = agent.share_key(Place.of_draw(policy.draw)).public.raw
    for row in policy.custodians:
        if row.hpke_pk == own and row.kid == agent.signer.kid:
            return row.i
    raise RuleBroken("policy.not_mine", "ED1 D1", draw=policy.draw)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """The attempt that a job is about: its spec, the policy it names, the own index in that."""

    spec: Spec
    policy: Policy
    custodian: int

    @property
    def place(self) -> Place:
        """Return where the agent keeps what it knows of the draw."""
        return Place.of_draw(self.spec.draw)

    def question(self, *parts: str) -> str:
        """Return the name of something about this attempt in the agent's memory."""
        return ":".join((str(self.spec.attempt), *parts))


def known_attempt(agent: Agent, job: Job) -> Attempt:
    """Return an attempt whose spec this agent has checked.

    Raises:
        RuleBroken: ``draw.unchecked``: it has not; ``draw.spec_fork``: the job names another spec; ``policy.…``.
    """
    place = place_of(job)
    stored = agent.state.answer("draw-spec", place, str(job.request["attempt"]))
    if stored is None:
        raise RuleBroken("draw.unchecked", "ED1 D7", draw=place.tender)
    return _attempt(agent, job, parse_spec(SignedDocument.from_wire(stored).doc))


def _attempt(agent: Agent, job: Job, spec: Spec) -> Attempt:
    request, place = job.request, place_of(job)
    raw = agent.state.answer("draw-policy", place, spec.policy_sha256)
    if raw is None or spec.policy_sha256 != request["policy_sha256"]:
        raise RuleBroken("policy.not_admitted", "ED1 D1", draw=place.tender)
    if (spec.draw, spec.attempt) != (place.tender, request["attempt"]):
        raise RuleBroken("draw.other_spec", "ED1 D5", draw=place.tender)
    if request.get("spec_sha256", spec.sha256) != spec.sha256:
        raise RuleBroken("draw.spec_fork", "ED1 D13", draw=place.tender)
    policy = parse_policy(raw)
    return Attempt(spec=spec, policy=policy, custodian=_own(agent, policy))


def check_draw(agent: Agent, job: Job, confirm: words.Confirm) -> SignedDocument:
    """Open the own share of every named document and say how it went (D7); what was said of one never changes.

    Raises:
        RuleBroken: ``draw.spec_fork`` (another spec of this attempt was checked), ``policy.…``, ``order.not_included``.
        InvalidInput: The job or the spec is not as it must be; nothing is signed.
    """
    evidence, names = read_evidence(agent, job), job.request["documents"]
    signed_spec = job.document(job.request["spec_sha256"])
    attempt = _attempt(agent, job, check_spec(signed_spec, agent.trust, verify_signature))
    _require_one_spec(agent, attempt)
    question = attempt.question(*names)
    stored = agent.state.answer("draw-check", attempt.place, question)
    if stored is not None:
        return SignedDocument.from_wire(stored)
    spec = attempt.spec
    _require_logged(evidence, "draw.specified", spec.draw, spec.attempt, "spec_sha256", spec.sha256)
    codes = {name: _code(agent, job, evidence, attempt, name) for name in names}
    confirm(words.of_draw_check(attempt.spec, codes))
    now = agent.clock.now_ms()
    signed = agent.sign(
        make_share_check(codes, custodian=attempt.custodian, draw=spec.draw, spec_sha256=spec.sha256, created=now)
    )
    with agent.state.transaction():
        _remember(agent, job, attempt, signed_spec, codes, now)
        agent.state.add_answer("draw-check", attempt.place, question, signed.wire_bytes(), now)
        agent.journal.write(now, "draw.checked", draw=spec.draw, attempt=spec.attempt, check=signed.sha256)
    return signed


def _require_one_spec(agent: Agent, attempt: Attempt) -> None:
    stored = agent.state.answer("draw-spec", attempt.place, attempt.question())
    if stored is not None and SignedDocument.from_wire(stored).sha256 != attempt.spec.sha256:
        raise RuleBroken("draw.spec_fork", "ED1 D13", draw=attempt.spec.draw)


def _code(agent: Agent, job: Job, evidence: Evidence, attempt: Attempt, name: str) -> CheckCode:
    before = agent.state.answer("draw-code", attempt.place, attempt.question(name))
    if before is not None:
        return CheckCode(before.decode())
    document = _valid(agent, job.document(name), attempt)
    if document is None:
        return CheckCode.DOC_INVALID
    kind, field = (
        ("draw.committed", "contribution_sha256")
        if isinstance(document, Contribution)
        else ("draw.escrowed", "escrow_sha256")
    )
    _require_logged(evidence, kind, attempt.spec.draw, attempt.spec.attempt, field, name)
    own = agent.share_key(attempt.place)
    opened = open_share(own, document.shares[attempt.custodian - 1], document.context)
    return CheckCode(opened.code.value)


def _valid(agent: Agent, signed: SignedDocument, attempt: Attempt) -> Contribution | Escrow | None:
    """Return the parsed document, or ``None`` if it fails what anyone can check: fields, spec, signature."""
    try:
        document = _PARSERS[type_of(signed.doc)](signed.doc)
        require_of_spec(document, attempt.spec, attempt.policy)
        if isinstance(document, Escrow):
            agent.require_signers(signed, "centre")
            return document
        party = attempt.spec.party(document.party)
        require_signature_of("" if party is None else party.kid, signed, agent.trust, verify_signature)
    except (InvalidInput, KeyError):
        return None
    return document


def codes_of(agent: Agent, attempt: Attempt) -> dict[str, CheckCode]:
    """Return what this agent said of every document of an attempt."""
    prefix = attempt.question("")
    told = {}
    for question in agent.state.questions("draw-code", attempt.place):
        code = agent.state.answer("draw-code", attempt.place, question)
        if question.startswith(prefix) and code is not None:
            told[question.removeprefix(prefix)] = CheckCode(code.decode())
    return told


def _remember(
    agent: Agent, job: Job, attempt: Attempt, spec: SignedDocument, codes: Mapping[str, CheckCode], now: int
) -> None:
    """Store spec, codes and good documents; under the lock, so that another process cannot have said otherwise."""
    _require_one_spec(agent, attempt)
    place = attempt.place
    if agent.state.answer("draw-spec", place, attempt.question()) is None:
        agent.state.add_answer("draw-spec", place, attempt.question(), spec.wire_bytes(), now)
    for name, code in codes.items():
        if agent.state.answer("draw-code", place, attempt.question(name)) is None:
            agent.state.add_answer("draw-code", place, attempt.question(name), code.value.encode(), now)
        if code is CheckCode.OK:
            agent.state.add_envelope(name, job.document(name).doc)
