"""A draw over two logs: what was committed or sealed in the closed one counts in the next (AL1 L13, ED1 D7)."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.contributor import acts
from agents.custodian import desk
from agents.custodian.agent import Agent
from agents.custodian.draw_answers import SEAL_FILE, seal_proofs
from agents.seals import read_witnessed_seal
from tests.build.draw_world import DRAW, PARTIES, SECOND, DrawWorld
from tests.build.recorded_log import ContinuedLog
from trading.custody.rules.jobs import JobKind, build_job, read_job
from trading.kernel.canonical import dumps
from trading.kernel.errors import InvalidInput, RuleBroken
from trading.kernel.signed import SignedDocument


@pytest.fixture
def world(tmp_path: Path) -> DrawWorld:
    """The policy is admitted by the first agent; everybody has committed in a log that is still open."""
    world = DrawWorld(tmp_path).set_up()
    desk.answer(world.agents[0], read_job(world.admit_job(world.agents[0])), lambda _text: None)
    world.escrow()
    for party in PARTIES:
        world.commit(party)
    return world


def contributions(world: DrawWorld) -> dict[str, SignedDocument]:
    names = {party: world.desks[party].state.contributions(DRAW, 1)[-1].sha256 for party in PARTIES}
    return {party: world.documents[name] for party, name in names.items()}


def check(world: DrawWorld) -> Agent:
    agent = world.agents[0]
    names = [signed.sha256 for signed in contributions(world).values()]
    desk.answer(agent, read_job(world.check_job(agent, names)), lambda _text: None)
    return agent


def with_receipt(world: DrawWorld, agent: Agent, proof: bytes, *without: str) -> bytes:
    """Return a recovery job with the receipt under which the seal was witnessed first."""
    job = read_job(world.recover_job(agent, ["notary"]))
    files = {path: data for path, data in job.files.items() if path not in {"request.json", *without}}
    request = {**job.request, "parties": list(job.request["parties"])}
    size = world.log.size
    return build_job(
        JobKind.DRAW_RECOVER, {**files, SEAL_FILE: proof}, request, origin=job.origin, checkpoint_size=size
    )


def test_a_seal_of_the_next_log_is_answered(world: DrawWorld) -> None:
    world.move()
    agent = check(world)  # escrows and contributions stand in the closed log
    world.seal(contributions(world))
    seal = world.receipt(world.placed["seal"])
    assert acts.reveal(world.desks["notary"], DRAW, 1, seal).sigs
    world.clock.ms += world.spec.reveal_ms + SECOND
    answer = desk.answer(agent, read_job(with_receipt(world, agent, seal)), lambda _text: None)
    assert len(answer["recoveries"]) == 1


def test_a_seal_of_the_closed_log_keeps_its_time(world: DrawWorld) -> None:
    agent = check(world)
    first = world.seal(contributions(world))
    seal = world.receipt(first)
    world.move()
    world.clock.ms += world.spec.reveal_ms + SECOND
    with pytest.raises(RuleBroken, match=r"log\.not_continued"):
        desk.answer(agent, read_job(with_receipt(world, agent, seal, "log/0.tlog-proof")), lambda _text: None)
    other = world.receipt(world.record("draw.sealed", {"contributions": [], "left_out": []}))
    with pytest.raises(InvalidInput):
        desk.answer(agent, read_job(with_receipt(world, agent, other)), lambda _text: None)
    answer = desk.answer(agent, read_job(with_receipt(world, agent, seal)), lambda _text: None)
    assert len(answer["recoveries"]) == 1
    (proof,) = seal_proofs(agent, DRAW).values()
    kept = read_witnessed_seal(agent.trust, proof, world.spec)
    assert (kept.h, kept.position) == (first.h, (0, first.n))


def test_the_same_seal_at_another_place_is_not_its_receipt(world: DrawWorld) -> None:
    """A record in both logs has two receipts; only that of the one which the job proves counts."""
    agent = check(world)
    first, at = world.seal(contributions(world)), world.clock.ms
    old = world.receipt(first)
    world.move()
    assert isinstance(world.log, ContinuedLog)
    while world.log.own.size < first.n:  # where its nonce is the same
        world.record("log.pad", {})
    world.clock.ms = at
    twin = world.seal(contributions(world))
    assert (twin.h, twin.n) == (first.h, world.log.base + first.n)
    new = world.receipt(twin)
    world.clock.ms += world.spec.reveal_ms + SECOND
    with pytest.raises(InvalidInput, match="another seal"):
        desk.answer(agent, read_job(with_receipt(world, agent, old)), lambda _text: None)
    assert desk.answer(agent, read_job(with_receipt(world, agent, new)), lambda _text: None)["recoveries"]


def test_a_receipt_of_the_closed_log_proves_suppression(world: DrawWorld) -> None:
    committed = contributions(world)
    notary = world.desks["notary"]
    world.move()
    proof = world.receipt(world.placed[committed["notary"].sha256])
    notary.state.set_answer(committed["notary"].sha256, dumps({"receipt": proof.decode()}))
    listed = {party: signed for party, signed in committed.items() if party != "notary"}
    world.seal(listed, {"notary": "absent"})
    with pytest.raises(RuleBroken, match=r"draw\.suppressed"):
        acts.reveal(notary, DRAW, 1, world.receipt(world.placed["seal"]))


def test_what_came_in_the_next_log_was_not_there_before_the_seal(world: DrawWorld) -> None:
    committed = contributions(world)
    notary = world.desks["notary"]
    listed = {party: signed for party, signed in committed.items() if party != "notary"}
    world.seal(listed, {"notary": "absent"})
    world.move()
    late = world.log_contribution("notary", committed["notary"])
    notary.state.set_answer(committed["notary"].sha256, dumps({"receipt": world.receipt(late).decode()}))
    with pytest.raises(RuleBroken, match=r"draw\.left_out"):
        acts.reveal(notary, DRAW, 1, world.receipt(world.placed["seal"]))
