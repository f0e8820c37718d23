"""Keys, proofs, admission and statements of the agent (SB1 S3, S6.4, S9.4, S9.5, S12, S13.4)."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyrage  # type: ignore[import-untyped]  # a compiled module without stubs
import pytest

from agents.custodian import desk, disclosing, statements
from agents.custodian.admission import make_key, place_of
from agents.custodian.agent import Agent, create_agent, open_agent
from agents.custodian.state import DATABASE, Place
from agents.pinning import pin_trust
from agents.sealing import BidSecrets, build_rehearsal
from tests.build.ceremony import CUSTODIANS, LOT, SECOND, STAGE, TENDER, Bidder, World, enrolment
from trading.bids.rules.policy import parse_custodian_key
from trading.crypto.keys import hpke_seal, share_info, xwing_public_key
from trading.crypto.signatures import Es256Signer, sign_document, verify_es256
from trading.custody.rules.documents import parse_key_destroyed, parse_non_release
from trading.custody.rules.jobs import JobKind, build_job, read_job
from trading.kernel.canonical import dumps, loads_object
from trading.kernel.clock import FixedClock
from trading.kernel.encoding import b64u
from trading.kernel.errors import Conflict, IntegrityFailure, InvalidInput, RuleBroken
from trading.kernel.signed import SignedDocument
from trading.openings.rules.answers import parse_disclosure
from trading.openings.rules.factors import make_factor, parse_factor_ack

PLACE = Place(tender=TENDER, lot=LOT, stage=STAGE)


def silent(_text: str) -> None:
    """Confirm without a word."""


def ask(agent: Agent, job: bytes) -> dict[str, Any]:
    return desk.answer(agent, read_job(job), silent)


def code_of(agent: Agent, job: bytes) -> str:
    with pytest.raises((RuleBroken, InvalidInput)) as caught:
        ask(agent, job)
    assert isinstance(caught.value, RuleBroken | InvalidInput)
    return caught.value.code


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Published; nobody has admitted anything."""
    return World(tmp_path).publish()


@pytest.fixture
def ordered(world: World) -> World:
    """Two bids, ordered; the first agent has checked."""
    agent = world.agents[0]
    ask(agent, world.admit_job(agent))
    for total in (1, 2):
        world.submit(total)
    world.close()
    world.order()
    ask(agent, world.check_job(agent))
    return world


# Keys and proofs.


def test_a_key_request_gives_one_signed_key_for_ever(world: World) -> None:
    agent = world.agents[0]
    request = {"lot": "7", "stage": STAGE, "tender": TENDER, "title_en": "Works", "title_zh": "工程"}
    job = build_job(JobKind.KEY, {}, request, origin="log.example/audit")
    first = SignedDocument.from_wire(ask(agent, job))
    key = parse_custodian_key(first.doc)
    assert (key.tender, key.lot, key.stage, key.name, key.role) == (TENDER, "7", STAGE, "某代理公司", "agency")
    assert isinstance(agent.signer, Es256Signer)
    verify_es256(agent.signer.spki, first.doc, first.sigs[0])
    assert SignedDocument.from_wire(ask(agent, job)) == first


def test_two_lots_and_two_agents_have_different_keys(world: World) -> None:
    keys = {parse_custodian_key(make_key(agent, PLACE).doc).hpke_pk for agent in world.agents}
    keys.add(parse_custodian_key(make_key(world.agents[0], replace(PLACE, lot="2")).doc).hpke_pk)
    assert len(keys) == len(CUSTODIANS) + 1


def test_proof_of_possession(world: World) -> None:
    agent, key = world.agents[0], make_key(world.agents[0], PLACE)
    job = world.prove_job(agent, key, b"\x0a" * 32)
    assert ask(agent, job) == {"challenge": "0a" * 32, "custodian_key_sha256": key.sha256}
    assert ask(agent, job) == {"challenge": "0a" * 32, "custodian_key_sha256": key.sha256}
    assert code_of(agent, world.prove_job(agent, key, b"\x0b" * 32)) == "order.equivocation"
    other = make_key(world.agents[1], PLACE)
    assert code_of(agent, world.prove_job(agent, other, b"\x0a" * 32)) == "key.unknown"


def test_a_share_of_a_bid_cannot_be_opened_as_a_challenge(world: World) -> None:
    agent, key = world.agents[0], make_key(world.agents[0], PLACE)
    pk = parse_custodian_key(key.doc).hpke_pk
    ct = hpke_seal(pk, share_info(1, b"{}"), bytes(32))
    request = {"ct": b64u(ct), "custodian_key_sha256": key.sha256}
    assert code_of(agent, world.job(JobKind.PROVE, request, agent, evidence=False)) == "seal.open_failed"


# Admission (S3.1, S3.3, S3.4).


def test_admission_checks_the_package(world: World) -> None:
    agent = world.agents[0]
    answer = ask(agent, world.admit_job(agent))
    assert answer == {"policy_sha256": world.policy.sha256, "schedule_sha256": world.schedule.sha256}
    assert ask(agent, world.admit_job(agent)) == answer


def test_a_policy_that_is_not_in_the_log_or_not_signed_is_refused(world: World) -> None:
    agent = world.agents[0]
    hidden = world.admit_job(agent, hide=lambda record: record["kind"] == "policy.fixed")
    assert code_of(agent, hidden) == "order.not_included"
    forged = sign_document(world.policy.raw, Es256Signer.from_scalar(998))
    job = world.admit_job(agent, without=frozenset({world.policy.sha256}), extra=[forged])
    assert code_of(agent, job) == "sig.missing"
    ask(agent, world.admit_job(agent))


def test_a_key_that_its_institution_did_not_sign_is_refused(world: World) -> None:
    agent = world.agents[0]
    key = make_key(world.agents[2], PLACE)
    forged = sign_document(key.doc, Es256Signer.from_scalar(997))
    job = world.admit_job(agent, without=frozenset({key.sha256}), extra=[forged])
    assert code_of(agent, job) == "sig.missing"
    missing = world.admit_job(agent, without=frozenset({key.sha256}))
    assert code_of(agent, missing) == "job.incomplete"


def _second_policy(world: World, **changes: Any) -> SignedDocument:  # noqa: ANN401 - fields of a policy
    keys = [make_key(agent, PLACE) for agent in world.agents]
    policy = world.policy_of(keys, **changes)
    del world.documents[world.policy_document.sha256]
    world.keep(policy)
    world.record("policy.fixed", {"policy_sha256": policy.sha256, "schedule_sha256": world.schedule.sha256})
    return policy


@pytest.mark.parametrize(("changes", "code"), [({"k": 2}, "policy.too_close"), ({"k": 5}, "policy.threshold")])
def test_the_admission_rules(world: World, changes: dict[str, Any], code: str) -> None:
    _second_policy(world, **changes)
    agent = world.agents[0]
    assert code_of(agent, world.admit_job(agent)) == code


def test_another_policy_is_admitted_only_if_it_supersedes(world: World) -> None:
    agent, first = world.agents[0], world.policy.sha256
    ask(agent, world.admit_job(agent))
    _second_policy(world, price_bytes=8192)
    assert code_of(agent, world.admit_job(agent)) == "order.equivocation"
    second = _second_policy(world, price_bytes=8192, supersedes=first)
    assert ask(agent, world.admit_job(agent))["policy_sha256"] == second.sha256


def test_a_policy_after_an_answered_order_is_refused(ordered: World) -> None:
    agent = ordered.agents[0]
    _second_policy(ordered, price_bytes=8192, supersedes=ordered.policy.sha256)
    assert code_of(agent, ordered.admit_job(agent)) == "order.equivocation"


def test_an_earlier_schedule_is_refused_at_admission(world: World) -> None:
    agent = world.agents[0]
    ask(agent, world.admit_job(agent))
    world.schedules.clear()
    world.add_schedule(world.clock.ms + 24 * 3_600_000)
    world.record("tender.published", {"notice_sha256": "0" * 64, "schedule_sha256": world.schedule.sha256})
    assert code_of(agent, world.admit_job(agent)) == "schedule.earlier"


def test_a_policy_without_the_own_key_is_refused(world: World, tmp_path: Path) -> None:
    stranger = Es256Signer.from_scalar(996)
    create_agent(tmp_path / "x", name="某协会", role="association", passphrase=None, key=stranger)
    pin_trust(tmp_path / "x", SignedDocument(world.agents[0].trust.raw))
    agent = open_agent(tmp_path / "x", None, world.clock)
    make_key(agent, PLACE)
    assert code_of(agent, world.admit_job(agent)) == "policy.not_mine"


# Rehearsal (S6.4).


def _rehearsal(world: World, bidder: Bidder, *, sign_with: Es256Signer | None = None) -> tuple[bytes, SignedDocument]:
    policy = world.policy
    document = build_rehearsal(world.context_of(bidder), policy, BidSecrets.draw(policy), created=world.clock.ms)
    signed = sign_document(document, sign_with or bidder.signer)
    request = {"policy_sha256": policy.sha256, "rehearsal_sha256": signed.sha256}
    enrolled = enrolment(bidder.signer, bidder.code)
    job = world.job(JobKind.REHEARSE, request, world.agents[0], evidence=False, extra=[signed, enrolled])
    return job, signed


def _bidder() -> Bidder:
    return Bidder(code="91310000MA1K300077", bid="b-0077", signer=Es256Signer.from_scalar(377), total=1)


def test_a_rehearsal_is_answered_with_one_bit(world: World) -> None:
    agent = world.agents[0]
    job, signed = _rehearsal(world, _bidder())
    assert code_of(agent, job) == "policy.not_admitted"
    ask(agent, world.admit_job(agent))
    assert ask(agent, job) == {"bid": "b-0077", "ok": True, "rehearsal_sha256": signed.sha256}


def test_a_rehearsal_with_a_bad_share_and_one_by_another_signer(world: World) -> None:
    agent, bidder = world.agents[0], _bidder()
    ask(agent, world.admit_job(agent))
    _job, signed = _rehearsal(world, bidder)
    body = loads_object(signed.doc)
    body["shares"][0]["c"] = "0" * 64
    bad = sign_document(dumps(body), bidder.signer)
    request = {"policy_sha256": world.policy.sha256, "rehearsal_sha256": bad.sha256}
    enrolled = enrolment(bidder.signer, bidder.code)
    job = world.job(JobKind.REHEARSE, request, agent, evidence=False, extra=[bad, enrolled])
    assert ask(agent, job)["ok"] is False
    job, _signed = _rehearsal(world, bidder, sign_with=Es256Signer.from_scalar(378))
    assert code_of(agent, job) == "sig.missing"


# Factors handed to a custodian (S9.5).


def test_a_factor_is_acknowledged_and_kept_sealed(ordered: World) -> None:
    agent, bidder = ordered.agents[0], ordered.bidders[0]
    document = make_factor(bidder.bid, bidder.done.envelope.sha256, bidder.done.s_b)
    forwarded = statements.acknowledge(agent, document, silent)
    ack = parse_factor_ack(forwarded.ack.doc)
    assert (ack.bid, ack.envelope_sha256, ack.created) == (
        bidder.bid,
        bidder.done.envelope.sha256,
        ordered.clock.ms,
    )
    ordered.clock.ms += SECOND
    assert statements.acknowledge(agent, document, silent).ack == forwarded.ack
    assert [kept.factor.s_b for kept in statements.kept_factors(agent)] == [bidder.done.s_b]
    assert bidder.done.s_b.hex().encode() not in (agent.directory / DATABASE).read_bytes()


def test_a_wrong_factor_and_one_of_an_unknown_bid_are_refused(ordered: World) -> None:
    agent, bidder = ordered.agents[0], ordered.bidders[0]
    for bid, envelope, s_b, code in (
        (bidder.bid, bidder.done.envelope.sha256, b"\x01" * 32, "factor.mismatch"),
        ("b-0002", bidder.done.envelope.sha256, bidder.done.s_b, "factor.mismatch"),
        (bidder.bid, "0" * 64, bidder.done.s_b, "factor.unknown_bid"),
    ):
        with pytest.raises(RuleBroken, match=code.replace(".", r"\.")):
            statements.acknowledge(agent, make_factor(bid, envelope, s_b), silent)


def test_a_factor_before_the_order_is_not_taken(world: World) -> None:
    bidder = world.submit(1)
    document = make_factor(bidder.bid, bidder.done.envelope.sha256, bidder.done.s_b)
    with pytest.raises(RuleBroken, match=r"factor\.unknown_bid"):
        statements.acknowledge(world.agents[0], document, silent)


# Non-release and destruction (S12).


def _non_release_job(world: World, envelopes: list[str]) -> bytes:
    request = {"envelopes": sorted(envelopes), "policy_sha256": world.policy.sha256}
    return world.job(JobKind.NON_RELEASE, request, world.agents[0], evidence=False)


def test_a_statement_of_non_release_binds_the_agent(ordered: World) -> None:
    agent, names = ordered.agents[0], [bidder.done.envelope.sha256 for bidder in ordered.bidders]
    job = _non_release_job(ordered, names)
    statement = parse_non_release(SignedDocument.from_wire(ask(agent, job)).doc)
    assert (statement.envelopes, statement.custodian) == (tuple(sorted(names)), 1)
    assert ask(agent, job) == ask(agent, job)
    assert code_of(agent, ordered.release_job(agent, ordered.factor_list())) == "release.renounced"


def test_an_agent_does_not_lie_about_what_it_released(ordered: World) -> None:
    agent, bidders = ordered.agents[0], ordered.bidders
    ask(agent, ordered.release_job(agent, ordered.factor_list([bidders[0].bid])))
    assert code_of(agent, _non_release_job(ordered, [bidders[0].done.envelope.sha256])) == "non_release.released"
    ask(agent, _non_release_job(ordered, [bidders[1].done.envelope.sha256]))


def test_a_destroyed_key_is_gone(ordered: World) -> None:
    agent = ordered.agents[0]
    key = agent.state.key_of(PLACE)
    assert key is not None
    sealed = key.sealed_seed
    assert sealed is not None
    signed = statements.destroy(agent, ordered.policy.sha256, silent)
    assert parse_key_destroyed(signed.doc).policy_sha256 == ordered.policy.sha256
    assert statements.destroy(agent, ordered.policy.sha256, silent) == signed
    assert sealed not in (agent.directory / DATABASE).read_bytes()
    assert code_of(agent, ordered.release_job(agent, ordered.factor_list())) == "key.unknown"
    with pytest.raises(RuleBroken, match=r"key\.destroyed"):
        make_key(agent, PLACE)


# Disclosure to an auditor (S9.4).


def _reported_bad(tmp_path: Path) -> tuple[World, Agent]:
    world = World(tmp_path).publish()
    agent = world.agents[3]
    ask(agent, world.admit_job(agent))

    def change(bidder: Bidder) -> SignedDocument:
        body = loads_object(bidder.done.envelope.doc)
        body["shares"][3]["c"] = "0" * 64
        return sign_document(dumps(body), bidder.signer)

    world.submit(1, replace=change)
    world.close()
    world.order()
    ask(agent, world.check_job(agent))
    return world, agent


def _disclose_job(world: World, agent: Agent, auditor: str) -> bytes:
    order = world.orders[-1].sha256
    request = {"auditor": auditor, "order_sha256": order, "policy_sha256": world.policy.sha256}
    return world.job(JobKind.DISCLOSE, request, agent)


def _disclosed(world: World, auditor: str, custodian: int) -> None:
    body = {"auditor": auditor, "custodian": custodian, "disclosure_sha256": "0" * 64}
    world.record("custodian.key_disclosed", body)


def test_a_disclosure_opens_for_the_auditor_only_and_gives_the_policy_key(tmp_path: Path) -> None:
    world, agent = _reported_bad(tmp_path)
    auditor = pyrage.x25519.Identity.generate()
    job = read_job(_disclose_job(world, agent, "某监督局"))
    told = disclosing.disclose(agent, job, str(auditor.to_public()), silent)
    signed = SignedDocument.from_wire(pyrage.decrypt(told.sealed, [auditor]))
    disclosure = parse_disclosure(signed.doc)
    assert xwing_public_key(disclosure.seed) == world.policy.custodians[3].hpke_pk
    assert signed.sha256 == told.disclosure_sha256
    world.clock.ms += SECOND
    again = disclosing.disclose(
        agent, read_job(_disclose_job(world, agent, "某监督局")), str(auditor.to_public()), silent
    )
    assert again.disclosure_sha256 == told.disclosure_sha256
    with pytest.raises(InvalidInput, match=r"job\.other_kind"):
        desk.answer(agent, job, silent)
    with pytest.raises(InvalidInput, match=r"age\.bad_recipient"):
        disclosing.disclose(agent, job, "age1x", silent)


@pytest.mark.parametrize(
    ("auditor", "others", "is_allowed"),
    [
        ("法院专家", (), True),
        ("法院专家", (1,), True),
        ("法院专家", (1, 2), False),
        ("某监督局", (), True),  # the supervisor holds one key itself
        ("某监督局", (1,), False),
        ("法院专家", (4,), True),  # the own earlier disclosure does not count twice
    ],
)
def test_the_disclosure_bound_of_k_minus_1_keys(
    tmp_path: Path,
    auditor: str,
    others: tuple[int, ...],
    is_allowed: bool,  # noqa: FBT001 - a case
) -> None:
    world, agent = _reported_bad(tmp_path)
    recipient = str(pyrage.x25519.Identity.generate().to_public())
    for custodian in others:
        _disclosed(world, auditor, custodian)
    job = read_job(_disclose_job(world, agent, auditor))
    if is_allowed:
        disclosing.disclose(agent, job, recipient, silent)
        return
    with pytest.raises(RuleBroken, match=r"disclose\.bound"):
        disclosing.disclose(agent, job, recipient, silent)
    world.record("opening.completed", {"transcript_sha256s": []})
    disclosing.disclose(agent, read_job(_disclose_job(world, agent, auditor)), recipient, silent)


def test_nothing_is_disclosed_for_an_order_without_a_bad(ordered: World) -> None:
    agent = ordered.agents[0]
    recipient = str(pyrage.x25519.Identity.generate().to_public())
    with pytest.raises(RuleBroken, match=r"disclose\.nothing_bad"):
        disclosing.disclose(agent, read_job(_disclose_job(ordered, agent, "某监督局")), recipient, silent)


# State, rate limit, journal.


def test_the_rate_limit_counts_every_job_of_a_minute(world: World, tmp_path: Path) -> None:
    create_agent(tmp_path / "slow", name="某协会", role="association", passphrase=None, jobs_per_minute=2)
    pin_trust(tmp_path / "slow", SignedDocument(world.agents[0].trust.raw))
    agent = open_agent(tmp_path / "slow", None, world.clock)
    request = {"lot": "7", "stage": STAGE, "tender": TENDER, "title_en": "x", "title_zh": "x"}
    job = build_job(JobKind.KEY, {}, request, origin="log.example/audit")
    ask(agent, job)
    ask(agent, job)
    assert code_of(agent, job) == "busy"
    world.clock.ms += 60_000
    ask(agent, job)


def test_the_journal_is_a_chain(ordered: World) -> None:
    agent = ordered.agents[0]
    assert agent.journal.check() >= 3
    path = agent.directory / "journal.jsonl"
    acts = [json.loads(line)["act"] for line in path.read_text().splitlines()]
    assert acts == ["key.made", "policy.admitted", "order.checked"]
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], lines[2]]))
    with pytest.raises(IntegrityFailure):
        agent.journal.check()


def test_an_agent_survives_a_restart_and_never_starts_with_an_empty_memory(ordered: World) -> None:
    agent = ordered.agents[0]
    again = open_agent(agent.directory, None, ordered.clock)
    assert ask(again, ordered.check_job(again)) == ask(agent, ordered.check_job(agent))
    (agent.directory / DATABASE).unlink()
    with pytest.raises(IntegrityFailure):
        open_agent(agent.directory, None, ordered.clock)
    with pytest.raises(Conflict):
        create_agent(agent.directory, name="x", role="agency", passphrase=None)


def test_an_agent_under_a_passphrase(tmp_path: Path) -> None:
    words = "correct horse battery"
    create_agent(tmp_path / "a", name="某协会", role="association", passphrase=words)
    agent = open_agent(tmp_path / "a", words, FixedClock(1))
    signed = make_key(agent, PLACE)
    assert make_key(open_agent(tmp_path / "a", words, FixedClock(2)), PLACE) == signed
    with pytest.raises(InvalidInput, match=r"key\.wrong_passphrase"):
        open_agent(tmp_path / "a", "another passphrase", FixedClock(1))
    with pytest.raises(RuleBroken, match=r"trust\.missing"):
        agent.log_policy  # noqa: B018 - the property raises


def test_a_later_trust_file_needs_the_pinned_supervisor(world: World) -> None:
    agent, pinned = world.agents[0], world.agents[0].trust
    body = {**loads_object(pinned.raw), "seq": 2, "supersedes": pinned.sha256}
    with pytest.raises(InvalidInput, match=r"sig\.missing"):
        pin_trust(agent.directory, sign_document(dumps(body), world.agency))
    later = pin_trust(agent.directory, sign_document(dumps(body), world.supervisor))
    assert agent.trust.sha256 == later.sha256
    with pytest.raises(InvalidInput, match=r"trust\.not_newer"):
        pin_trust(agent.directory, SignedDocument(pinned.raw))


def test_the_place_of_a_job(world: World) -> None:
    assert place_of(read_job(world.admit_job(world.agents[0]))) == PLACE
