"""Share keys, proof of possession, admission of a policy (SB1 S3.2, S3.3, S3.4)."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from agents.custodian.agent import Agent
from agents.custodian.evidence import Evidence, read_evidence
from agents.custodian.state import Admitted, Place, ShareKey
from trading.bids.rules.fields import SUITE
from trading.bids.rules.policy import (
    CUSTODIAN_KEY,
    CheckedPackage,
    PolicyPackage,
    check_package,
    parse_custodian_key,
    parse_policy,
)
from trading.bids.rules.schedule import MIN_NOTICE_MS, Schedule, parse_schedule, require_chain
from trading.crypto.keys import SEED_BYTES, XWingPrivateKey, pop_info
from trading.crypto.signatures import verify_signature
from trading.custody.rules.jobs import Job
from trading.kernel.digests import sha256_hex
from trading.kernel.encoding import b64u
from trading.kernel.errors import Conflict, InvalidInput, RuleBroken
from trading.kernel.ids import is_practice
from trading.kernel.signed import SignedDocument

_MAX_DERIVED = 3  # TE1 T6: after three derived extensions the agency decides
_CHALLENGE_BYTES = 32


def place_of(job: Job) -> Place:
    """Return the lot and stage, or the draw, that a job is about."""
    tender, lot, stage = job.place
    return Place(tender=tender, lot=lot, stage=stage)


def make_key(agent: Agent, place: Place) -> SignedDocument:
    """Make the share key of a lot and stage and return its signed document.

    Raises:
        RuleBroken: ``key.destroyed``: there was one; nobody may think that it still exists.
    """
    names = {"lot": place.lot, "stage": place.stage, "tender": place.tender}
    return make_share_key(agent, place, lambda common: CUSTODIAN_KEY.write({**common, **names}))


def make_share_key(agent: Agent, place: Place, document_of: Callable[[dict[str, object]], bytes]) -> SignedDocument:
    """Make the share key of a place; a place has one key, so a repetition returns it.

    Args:
        agent: The agent.
        place: A lot and stage, or a draw.
        document_of: Completes the fields that every custodian key has and returns the document.

    Raises:
        RuleBroken: ``key.destroyed``.
    """
    existing = agent.state.key_of(place)
    if existing is not None:
        return SignedDocument.from_wire(existing.wire)
    if agent.state.answer("key", place, str(place)) is not None:
        raise RuleBroken("key.destroyed", "SB1 S12", place=str(place))
    key, now = XWingPrivateKey.from_seed(secrets.token_bytes(SEED_BYTES)), agent.clock.now_ms()
    common = {"created": now, "hpke_pk": b64u(key.public.raw), "name": agent.name, "role": agent.role, "suite": SUITE}
    signed = agent.sign(document_of(common))
    sealed = agent.vault.seal(f"seed:{signed.sha256}", key.seed)
    with agent.state.transaction():
        if agent.state.key_of(place) is not None:
            raise Conflict(f"another process made the key of {place}; ask again")
        agent.state.add_key(place, ShareKey(sha256=signed.sha256, wire=signed.wire_bytes(), sealed_seed=sealed))
        agent.state.add_answer("key", place, str(place), signed.wire_bytes(), now)
        agent.journal.write(now, "key.made", place=str(place), custodian_key_sha256=signed.sha256)
    return signed


def prove(agent: Agent, job: Job) -> dict[str, str]:
    """Answer a proof-of-possession challenge (S3.2). The info names the key document, so no share opens here.

    Raises:
        RuleBroken: ``key.unknown`` or ``order.equivocation`` (another challenge for the same key).
        InvalidInput: ``seal.open_failed``.
    """
    place, sha256 = place_of(job), job.request["custodian_key_sha256"]
    key = agent.state.key_of(place)
    if key is None or key.sha256 != sha256:
        raise RuleBroken("key.unknown", "SB1 S3.2", custodian_key_sha256=sha256)
    ct: bytes = job.request["ct"]
    question = f"{sha256}:{sha256_hex(ct)}"
    stored = agent.state.answer("prove", place, question)
    if stored is not None:
        return {"challenge": stored.hex(), "custodian_key_sha256": sha256}
    document = SignedDocument.from_wire(key.wire).doc
    challenge = agent.share_key(place).open(pop_info(document), ct)
    if len(challenge) != _CHALLENGE_BYTES:
        raise InvalidInput("job.malformed", "a challenge has 32 bytes")
    now = agent.clock.now_ms()
    with agent.state.transaction():
        if any(asked.startswith(f"{sha256}:") for asked in agent.state.questions("prove", place)):
            raise RuleBroken("order.equivocation", "SB1 S13.4", detail="another challenge for the same key")
        agent.state.add_answer("prove", place, question, challenge, now)
        agent.journal.write(now, "key.proved", place=str(place), custodian_key_sha256=sha256)
    return {"challenge": challenge.hex(), "custodian_key_sha256": sha256}


def read_package(agent: Agent, job: Job) -> CheckedPackage:
    """Check the policy package of a job against the trust file (S3.3).

    Raises:
        InvalidInput: ``job.incomplete``, ``policy.…``, ``sig.…`` or ``doc.…``.
        RuleBroken: ``policy.…`` (S3.1).
    """
    signed_policy = job.document(job.request["policy_sha256"])
    offered = {parse_custodian_key(signed.doc).hpke_pk: signed for signed in job.of_type("sb1.custodian-key")}
    rows = parse_policy(signed_policy.doc).custodians
    missing = [row.i for row in rows if row.hpke_pk not in offered]
    if missing:
        raise InvalidInput("job.incomplete", f"the signed key of custodian {missing[0]} is missing")
    package = PolicyPackage(
        policy=signed_policy,
        custodian_keys=tuple(offered[row.hpke_pk] for row in rows),
        schedule=job.document(job.request["schedule_sha256"]),
    )
    return check_package(package, agent.trust, verify_signature)


def read_schedules(agent: Agent, job: Job, evidence: Evidence, place: Place, *, before: int | None = None) -> Schedule:
    """Return the newest schedule of the job after checking its whole chain (TE1 T2, SB1 S9.3 item 3).

    Every schedule is signed by the agency, or derived under a rule that the first one consents to; every one is logged
    by its own ``tender.published`` or ``tender.changed``, at an index below ``before`` (the close entry) if that is
    given; a change leaves at least 30 minutes.

    Raises:
        RuleBroken: ``schedule.…`` or ``order.not_included``.
        InvalidInput: ``job.incomplete``, ``sig.…``, ``doc.…``.
    """
    chain: list[Schedule] = []
    name: str | None = job.request["schedule_sha256"]
    while name is not None:
        signed = job.document(name)
        schedule = parse_schedule(signed.doc)
        if schedule.place != place.row:
            raise RuleBroken("schedule.chain_broken", "TE1 T2", detail="a schedule of another lot")
        if schedule.cause is None:
            agent.require_signers(signed, "agency")
        chain.insert(0, schedule)
        name = schedule.supersedes
    newest = require_chain(tuple(chain))
    _require_consent(chain)
    # A practice tender is published nowhere; nothing but its opening offers its schedule (ADR 0061).
    offer = "practice.opened" if is_practice(place.tender) else "tender.published"
    published = {record.body["schedule_sha256"]: record for record in evidence.of_kind(offer, place)}
    changed = {record.body["schedule_sha256"]: record for record in evidence.of_kind("tender.changed", place)}
    for schedule in chain:
        record = (published if schedule.seq == 1 else changed).get(schedule.sha256)
        if record is None or (before is not None and record.n >= before):
            raise RuleBroken("order.not_included", "SB1 S9.3", detail=f"schedule {schedule.seq} is not logged in time")
        if schedule.seq > 1 and schedule.close < record.at + MIN_NOTICE_MS:
            raise RuleBroken("schedule.too_soon", "TE1 T2", seq=schedule.seq)
    return newest


def _require_consent(chain: list[Schedule]) -> None:
    derived = [schedule for schedule in chain if schedule.cause is not None]
    rule = chain[0].extension_rule
    if len(derived) > _MAX_DERIVED or (derived and rule is None):
        raise RuleBroken("schedule.not_consented", "TE1 T6")
    if rule is not None and any(schedule.cause not in rule.triggers for schedule in derived):
        raise RuleBroken("schedule.not_consented", "TE1 T6")


def admit(agent: Agent, job: Job) -> dict[str, str]:
    """Check and store the policy of a lot and stage with its schedule (S3.3); later the agent acts under no other.

    Another policy is admitted only if it supersedes the stored one and nothing was answered under that (S3.4).

    Raises:
        RuleBroken: ``policy.…``, ``schedule.…``, ``order.…``, ``key.unknown``.
        InvalidInput: The job or a document in it is not as it must be.
    """
    place, evidence = place_of(job), read_evidence(agent, job)
    package = read_package(agent, job)
    policy = package.policy
    if policy.place != place.row:
        raise RuleBroken("policy.mismatch", "SB1 S3.3", detail="the policy is of another lot")
    custodian = _own_index(agent, package, place)
    newest = read_schedules(agent, job, evidence, place)
    logged = [record.body["policy_sha256"] for record in evidence.of_kind("policy.fixed", place)]
    if policy.sha256 not in logged:
        raise RuleBroken("order.not_included", "SB1 S3.3", detail="policy.fixed")
    signers = agent.require_signers(job.document(policy.sha256), "agency")
    admitted = Admitted(
        policy_sha256=policy.sha256,
        policy=policy.raw,
        custodian=custodian,
        agency=signers["agency"],
        first_close=newest.close,
    )
    now = agent.clock.now_ms()
    with agent.state.transaction():
        before = agent.state.admitted(place)
        if before is not None:
            _require_continuation(agent, place, before, admitted, policy.supersedes)
        agent.state.admit(place, admitted)
        agent.journal.write(now, "policy.admitted", place=str(place), policy_sha256=policy.sha256, close=newest.close)
    return {"policy_sha256": policy.sha256, "schedule_sha256": newest.sha256}


def _own_index(agent: Agent, package: CheckedPackage, place: Place) -> int:
    own = agent.share_key(place).public.raw
    for row in package.policy.custodians:
        if row.hpke_pk == own and row.kid == agent.signer.kid:
            return row.i
    raise RuleBroken("policy.not_mine", "SB1 S9.3", place=str(place))


def _require_continuation(
    agent: Agent, place: Place, before: Admitted, after: Admitted, supersedes: str | None
) -> None:
    if after.first_close < before.first_close:
        raise RuleBroken("schedule.earlier", "SB1 S3.3", first=before.first_close, close=after.first_close)
    if after.policy_sha256 == before.policy_sha256:
        return
    if supersedes != before.policy_sha256 or agent.state.orders(place):
        raise RuleBroken("order.equivocation", "SB1 S3.4", detail="another policy for the same lot and stage")
