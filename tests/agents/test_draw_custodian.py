"""The custodian's part in a draw: key, admission, check, recovery, keys for the auditor; one spec, one seal (D7)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyrage  # type: ignore[import-untyped]  # the package has no stubs
import pytest

from agents.contributor import acts
from agents.custodian import desk, disclosing, statements
from agents.custodian.agent import Agent
from agents.custodian.draw_answers import SEAL_FILE, seal_proofs
from agents.custodian.draws import make_draw_key
from agents.custodian.state import Place
from agents.seals import read_witnessed_seal
from tests.build.draw_world import BEGAN, CUSTODIANS, DRAW, K_DRAW, PARTIES, SECOND, DrawWorld
from trading.crypto import shares as shamir
from trading.crypto.keys import XWingPrivateKey, hpke_seal, pop_info, release_info
from trading.custody.rules.answers import read_answer
from trading.custody.rules.jobs import JobKind, build_job, read_job
from trading.experts.rules.checks import CheckCode, parse_disclosure, parse_share_check
from trading.experts.rules.contributions import Context, parse_contribution
from trading.experts.rules.fields import POOL_KEY
from trading.experts.rules.keys import make_key_order, parse_key_release
from trading.experts.rules.reveals import is_good, parse_recovery
from trading.kernel.encoding import b64u
from trading.kernel.errors import InvalidInput, RuleBroken
from trading.kernel.signed import SignedDocument


def ask(agent: Agent, job: bytes) -> dict[str, Any]:
    return desk.answer(agent, read_job(job), lambda _text: None)


def refused(agent: Agent, job: bytes) -> str:
    with pytest.raises((RuleBroken, InvalidInput)) as caught:
        ask(agent, job)
    assert isinstance(caught.value, RuleBroken | InvalidInput)
    return caught.value.code


@pytest.fixture
def world(tmp_path: Path) -> DrawWorld:
    """Admitted by the first agent; both keys escrowed, all three committed."""
    world = DrawWorld(tmp_path).set_up()
    ask(world.agents[0], world.admit_job(world.agents[0]))
    world.clock.ms += SECOND
    world.escrow()
    for party in PARTIES:
        world.commit(party)
    return world


def documents(world: DrawWorld) -> list[str]:
    return [name for name in world.placed if len(name) == 64] + [
        signed.sha256 for signed in world.documents.values() if b'"ed1.escrow"' in signed.doc
    ]


def contribution(world: DrawWorld, party: str) -> SignedDocument:
    return SignedDocument.from_wire(world.desks[party].state.contributions(DRAW, 1)[-1].wire)


def sealed(world: DrawWorld) -> DrawWorld:
    """Check, seal and let the reveal window pass, as the first agent sees it."""
    ask(world.agents[0], world.check_job(world.agents[0], documents(world)))
    world.clock.ms += SECOND
    world.seal({party: contribution(world, party) for party in PARTIES})
    return world


def test_the_key_of_a_draw_is_its_own(world: DrawWorld) -> None:
    agent = world.agents[0]
    assert make_draw_key(agent, DRAW).sha256 == world.keys[0].sha256
    assert make_draw_key(agent, "D-other").sha256 != world.keys[0].sha256
    challenge = b"\x07" * 32
    key = agent.share_key(Place.of_draw(DRAW)).public.raw
    ct = hpke_seal(key, pop_info(world.keys[0].doc), challenge)
    request = {"ct": b64u(ct), "custodian_key_sha256": world.keys[0].sha256}
    assert ask(agent, world.job(JobKind.DRAW_PROVE, agent, request, []))["challenge"] == challenge.hex()


def test_the_share_check_says_ok_of_everything(world: DrawWorld) -> None:
    agent = world.agents[0]
    job = world.check_job(agent, documents(world))
    answer = ask(agent, job)
    check = parse_share_check(SignedDocument.from_wire(answer).doc)
    assert [item.code for item in check.items] == [CheckCode.OK] * 5
    assert (check.custodian, check.draw, check.spec_sha256) == (1, DRAW, world.spec.sha256)
    assert ask(agent, world.check_job(agent, documents(world))) == answer
    assert read_answer(JobKind.DRAW_CHECK, {"answer": answer, "job": "j-1"}).document is not None


def test_a_contribution_under_a_false_name_is_invalid(world: DrawWorld) -> None:
    """Signed by the key of another party: everyone can see it, so it needs no adjudication."""
    agent = world.agents[0]
    genuine = contribution(world, "notary")
    signer = world.desks["agency"].signer
    false = SignedDocument(genuine.doc, (signer.sign(genuine.doc),))
    world.documents[false.sha256] = false
    check = parse_share_check(SignedDocument.from_wire(ask(agent, world.check_job(agent, [false.sha256]))).doc)
    assert [item.code for item in check.items] == [CheckCode.DOC_INVALID]


def test_a_bad_share_is_said_to_be_bad(world: DrawWorld) -> None:
    agent, other = world.agents[0], world.desks["notary"]
    genuine = contribution(world, "notary")
    wrong = parse_contribution(genuine.doc).shares[0].c.hex().encode()
    doc = genuine.doc.replace(wrong, b"00" * 32)
    bad = world.keep(SignedDocument(doc, (other.signer.sign(doc),)))
    world.log_contribution("notary", bad)
    check = parse_share_check(SignedDocument.from_wire(ask(agent, world.check_job(agent, [bad.sha256]))).doc)
    assert [item.code for item in check.items] == [CheckCode.COMMIT_MISMATCH]


def test_one_spec_per_attempt(world: DrawWorld) -> None:
    agent = world.agents[0]
    ask(agent, world.check_job(agent, documents(world)))
    world.spec_signed = world.both(world.spec_bytes(call_ms=1))
    world.placed["spec"] = world.record("draw.specified", {"spec_sha256": world.spec_signed.sha256})
    assert refused(agent, world.check_job(agent, documents(world))) == "draw.spec_fork"


def test_a_spec_without_both_signatures_is_refused(world: DrawWorld) -> None:
    agent = world.agents[0]
    doc = world.spec_signed.doc
    world.documents[world.spec_signed.sha256] = SignedDocument(doc, (world.centre.sign(doc),))
    assert refused(agent, world.check_job(agent, documents(world))) == "sig.missing"


def test_recovery_only_after_the_reveal_window(world: DrawWorld) -> None:
    agent = sealed(world).agents[0]
    assert refused(agent, world.recover_job(agent, ["notary"])) == "draw.recover_early"
    world.clock.ms += world.spec.reveal_ms + SECOND
    answer = ask(agent, world.recover_job(agent, ["notary"]))
    (wire,) = answer["recoveries"]
    recovery = parse_recovery(SignedDocument.from_wire(wire).doc)
    assert is_good(recovery, parse_contribution(contribution(world, "notary").doc), world.placed["seal"].h)
    assert recovery.custodian == 1
    assert ask(agent, world.recover_job(agent, ["notary"])) == answer
    read = read_answer(JobKind.DRAW_RECOVER, {"answer": answer, "job": "j-1"})
    assert read.documents == (SignedDocument.from_wire(wire),)


def test_the_receipt_of_the_seal_proves_when_it_was_witnessed(world: DrawWorld) -> None:
    """An agent that sees the seal late need not wait another window."""
    agent = sealed(world).agents[0]
    proof = world.receipt(world.placed["seal"])
    world.clock.ms += world.spec.reveal_ms + SECOND
    job = read_job(world.recover_job(agent, ["notary"]))
    again = build_job(
        JobKind.DRAW_RECOVER,
        {**{path: data for path, data in job.files.items() if path != "request.json"}, SEAL_FILE: proof},
        {**job.request, "parties": list(job.request["parties"])},
        origin=job.origin,
        checkpoint_size=world.log.size,
    )
    assert len(ask(agent, again)["recoveries"]) == 1


def test_no_share_before_a_quorum_has_signed(world: DrawWorld) -> None:
    agent = sealed(world).agents[0]
    world.clock.ms += world.spec.reveal_ms + SECOND
    world.note = lambda: world.log.note(world.clock.ms, witnesses=(1,))  # type: ignore[method-assign]
    assert refused(agent, world.recover_job(agent, ["notary"])) == "order.checkpoint"


def test_one_seal_per_attempt(world: DrawWorld) -> None:
    agent = sealed(world).agents[0]
    assert refused(agent, world.recover_job(agent, ["notary"])) == "draw.recover_early"
    first = world.placed["seal"]
    second = world.seal({party: contribution(world, party) for party in PARTIES[1:]}, left_out={"agency": "absent"})
    assert first != second
    world.clock.ms += world.spec.reveal_ms + SECOND
    assert refused(agent, world.recover_job(agent, ["notary"], second)) == "draw.seal_fork"
    assert len(ask(agent, world.recover_job(agent, ["notary"], first))["recoveries"]) == 1
    proofs = seal_proofs(agent, DRAW)
    assert list(proofs) == [f"1:{first.h}", f"1:{second.h}"]
    for placed, proof in zip((first, second), proofs.values(), strict=True):
        assert read_witnessed_seal(agent.trust, proof, world.spec).h == placed.h


def test_a_party_that_is_not_listed_is_not_recovered(world: DrawWorld) -> None:
    agent = world.agents[0]
    ask(agent, world.check_job(agent, documents(world)))
    world.seal({party: contribution(world, party) for party in PARTIES[1:]}, left_out={"agency": "absent"})
    ask_early = refused(agent, world.recover_job(agent, ["notary"]))
    assert ask_early == "draw.recover_early"
    world.clock.ms += world.spec.reveal_ms + SECOND
    assert refused(agent, world.recover_job(agent, ["agency"])) == "draw.not_listed"


def test_an_unchecked_draw_is_not_recovered(world: DrawWorld) -> None:
    world.seal({party: contribution(world, party) for party in PARTIES})
    assert refused(world.agents[0], world.recover_job(world.agents[0], ["notary"])) == "draw.unchecked"


def test_keys_for_the_auditor_after_the_end_only(world: DrawWorld) -> None:
    agent = sealed(world).agents[0]
    auditor = XWingPrivateKey.from_seed(b"\x09" * 32)
    raw = make_key_order(
        draw=DRAW, spec_sha256=world.spec.sha256, use=POOL_KEY, hpke_pk=auditor.public.raw, created=BEGAN
    )
    order = world.keep(SignedDocument(raw, (world.supervisor.sign(raw),)))
    ordered = world.record("draw.key_ordered", {"order_sha256": order.sha256, "use": POOL_KEY})
    request = {
        "attempt": 1,
        "order_sha256": order.sha256,
        "policy_sha256": world.policy_signed.sha256,
        "use": POOL_KEY,
    }

    def job(*placed: Any) -> bytes:  # noqa: ANN401
        return world.job(JobKind.DRAW_RELEASE_KEY, agent, request, [order.sha256], ordered, *placed)

    assert refused(agent, job()) == "draw.key_early"
    seeded = world.record("draw.seeded", {"seed": "00" * 32})
    assert refused(agent, job(seeded)) == "draw.key_early"
    result = world.record("draw.result", {"result_sha256": "00" * 32})
    release = parse_key_release(SignedDocument.from_wire(ask(agent, job(result))).doc)
    escrow = next(s for s in world.documents.values() if b'"use":"ed1.pool-key"' in s.doc and b"ed1.escrow" in s.doc)
    share = auditor.open(release_info(1, bytes.fromhex(order.sha256), bytes.fromhex(escrow.sha256)), release.ct)
    context = Context(draw=DRAW, holder="centre", spec_sha256=world.spec.sha256, use=POOL_KEY)
    assert share == shamir.deal(K_DRAW, context.bytes(), 3, 5).shares[0]


def test_after_a_day_the_seed_is_enough(world: DrawWorld) -> None:
    agent = sealed(world).agents[0]
    raw = make_key_order(
        draw=DRAW,
        spec_sha256=world.spec.sha256,
        use=POOL_KEY,
        hpke_pk=XWingPrivateKey.from_seed(b"\x09" * 32).public.raw,
        created=BEGAN,
    )
    order = world.keep(SignedDocument(raw, (world.supervisor.sign(raw),)))
    ordered = world.record("draw.key_ordered", {"order_sha256": order.sha256, "use": POOL_KEY})
    seeded = world.record("draw.seeded", {"seed": "00" * 32})
    request = {
        "attempt": 1,
        "order_sha256": order.sha256,
        "policy_sha256": world.policy_signed.sha256,
        "use": POOL_KEY,
    }
    world.clock.ms += 24 * 3600 * SECOND
    job = world.job(JobKind.DRAW_RELEASE_KEY, agent, request, [order.sha256], ordered, seeded)
    assert parse_key_release(SignedDocument.from_wire(ask(agent, job)).doc).custodian == 1


def test_a_destroyed_key_opens_nothing_more(world: DrawWorld) -> None:
    agent = sealed(world).agents[0]
    statements.destroy(agent, world.policy_signed.sha256, lambda _text: None)
    world.clock.ms += world.spec.reveal_ms + SECOND
    assert refused(agent, world.recover_job(agent, ["notary"])) == "key.unknown"
    with pytest.raises(RuleBroken, match=r"key\.destroyed"):
        make_draw_key(agent, DRAW)


def test_contributors_and_agents_agree_on_the_dealing(world: DrawWorld) -> None:
    assert acts.spec_of(world.desks["notary"], DRAW, 1).sha256 == world.spec.sha256


def test_a_key_is_disclosed_only_for_a_bad_that_was_reported(world: DrawWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    agent, other = world.agents[0], world.desks["notary"]
    job = world.check_job(agent, documents(world))
    ask(agent, job)
    identity = pyrage.x25519.Identity.generate()
    recipient, auditor = str(identity.to_public()), "某审计局"
    with pytest.raises(RuleBroken, match=r"disclose\.nothing_bad"):
        disclosing.disclose_draw(agent, read_job(job), recipient, auditor, lambda _text: None)
    genuine = contribution(world, "notary")
    doc = genuine.doc.replace(parse_contribution(genuine.doc).shares[0].c.hex().encode(), b"00" * 32)
    bad = world.keep(SignedDocument(doc, (other.signer.sign(doc),)))
    world.log_contribution("notary", bad)
    job = world.check_job(agent, [bad.sha256])
    ask(agent, job)
    said: list[str] = []
    made = disclosing.disclose_draw(agent, read_job(job), recipient, auditor, said.append)
    opened = parse_disclosure(SignedDocument.from_wire(pyrage.decrypt(made.sealed, [identity])).doc)
    assert opened.seed == agent.share_key(Place.of_draw(DRAW)).seed
    assert f"{auditor}；本次抽取中各方向其披露的密钥合计不得超过 2 个" in said[0]
    again = disclosing.disclose_draw(agent, read_job(job), recipient, auditor, said.append)
    assert again.disclosure_sha256 == made.disclosure_sha256
    disclosing.disclose_draw(agent, read_job(job), recipient, CUSTODIANS[2][0], said.append)
    assert "不得超过 1 个" in said[-1]  # it holds one key itself
