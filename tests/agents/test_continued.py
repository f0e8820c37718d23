"""Agents follow a closed log into the next one, and refuse whoever lies about the earlier one (AL1 L13, ADR 0047).

As among the other refusals, after each the same agent accepts the right job, so nothing else was wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from agents.custodian import desk
from agents.custodian.agent import Agent
from agents.history import origins, position_of, read_history, verify_logged
from agents.pinning import pin_trust
from agents.station import conduct
from agents.station.box import open_box
from agents.station.cli import main as station
from tests.build.ceremony import ORIGIN, SECOND, World
from tests.build.opening import Opening
from tests.build.recorded_log import ContinuedLog, RecordedLog, continue_log
from tests.build.signed_log import policy_text
from trading.bids.rules.trust import parse_trust
from trading.crypto.signatures import sign_document
from trading.custody.rules.jobs import read_job
from trading.kernel.canonical import dumps, loads_object
from trading.kernel.errors import InvalidInput, RuleBroken
from trading.kernel.signed import SignedDocument
from trading.openings.rules.answers import parse_release, parse_share_check

NEXT = f"{ORIGIN}-2"
Files = dict[str, bytes]


def ask(agent: Agent, job: bytes) -> dict[str, Any]:
    said: list[str] = []
    return desk.answer(agent, read_job(job), said.append)


def refusal(agent: Agent, job: bytes) -> tuple[str, str]:
    with pytest.raises((RuleBroken, InvalidInput)) as caught:
        ask(agent, job)
    assert isinstance(caught.value, RuleBroken | InvalidInput)
    return caught.value.code, str(caught.value.facts.get("detail", ""))


def told(tmp_path: Path) -> World:
    """Return a lot with two bids in a log that is still open; the first agent has admitted the policy."""
    world = World(tmp_path).publish()
    ask(world.agents[0], world.admit_job(world.agents[0]))
    for total in (100, 200):
        world.clock.ms += SECOND
        world.submit(total)
    return world


def ordered(world: World) -> World:
    world.close()
    world.order()
    return world


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Bids in the closed log; close and order in the next one."""
    world = told(tmp_path)
    world.move()
    return ordered(world)


def refuses(world: World, job: bytes, code: str, detail: str = "") -> None:
    agent = world.agents[0]
    found = refusal(agent, job)
    assert found[0] == code
    assert detail in found[1]
    ask(agent, world.check_job(agent))


def change_in(world: World, change: Callable[[Files], object]) -> bytes:
    return world.check_job(world.agents[0], change=change)


# What is right.


@pytest.mark.parametrize("when", ["after the bids", "after the close", "after the order", "twice"])
def test_an_agent_answers_whenever_the_log_was_continued(tmp_path: Path, when: str) -> None:
    world, agent = told(tmp_path), None
    if when in {"after the bids", "twice"}:
        world.move()
    world.close()
    if when in {"after the close", "twice"}:
        world.move()
    world.order()
    if when == "after the order":
        world.move()
    for agent in world.agents[:2]:
        if not agent.state.policies():
            ask(agent, world.admit_job(agent))  # it sees the logs for the first time
        check = parse_share_check(SignedDocument.from_wire(ask(agent, world.check_job(agent))).doc)
        assert [item.code.value for item in check.items] == ["ok", "ok"]
        assert len(origins(agent.trust)) == (3 if when == "twice" else 2)


def test_a_release_after_a_continuation_behind_the_check(tmp_path: Path) -> None:
    world = ordered(told(tmp_path))
    agent = world.agents[0]
    ask(agent, world.check_job(agent))
    world.move()
    factors = world.factor_list()
    release = parse_release(SignedDocument.from_wire(ask(agent, world.release_job(agent, factors))).doc)
    assert release.order_sha256 == world.newest_order.sha256


# Who lies about the earlier log.


def test_the_record_that_continues_is_needed(world: World) -> None:
    job = change_in(world, lambda files: files.pop("log/0.tlog-proof"))
    refuses(world, job, "log.not_continued", f"{NEXT} continues {ORIGIN}, and its entry 0 is missing")


def test_another_record_in_its_place_is_refused(world: World) -> None:
    job = change_in(world, lambda files: files.update({"log/0.tlog-proof": files["log/1.tlog-proof"]}))
    refuses(world, job, "log.not_continued", "its entry 0 does not say so")


def test_another_final_checkpoint_beside_the_record_is_refused(world: World) -> None:
    before = log_of(world).before
    other = before.note(world.clock.ms, log_of(world).base - 1)
    job = change_in(world, lambda files: files.update({"before/checkpoint": other}))
    refuses(world, job, "log.not_continued", "another checkpoint than the job holds")
    job = change_in(world, lambda files: files.pop("before/checkpoint"))
    assert refusal(world.agents[0], job)[0] == "job.incomplete"


def log_of(world: World) -> ContinuedLog:
    assert isinstance(world.log, ContinuedLog)
    return world.log


def twisted(world: World, final: bytes | None = None, **body: Any) -> bytes:  # noqa: ANN401 - any field
    """Return a check job of a platform whose next log says something else of the one before."""
    honest = log_of(world)
    false = continue_log(honest.before, final or honest.final, world.clock.ms, **body)
    for _nonce, record in honest.own.records[1:]:
        data = loads_object(record)
        false.add(data["kind"], data["body"], at=data["at"], procedure=data["procedure"])
    return world.check_job(world.agents[0], log=false, consistency=False)


def test_the_end_of_the_earlier_log_needs_a_quorum(world: World) -> None:
    weak = log_of(world).before.note(world.clock.ms, witnesses=(1,))
    refuses(world, twisted(world, weak), "order.checkpoint", f"no witness quorum for {ORIGIN}")


def test_the_record_must_name_the_log_before(world: World) -> None:
    other = twisted(world, old_origin="log.example/other")
    refuses(world, other, "log.not_continued", f"{NEXT} continues {ORIGIN}, not log.example/other")


def test_the_final_checkpoint_must_be_of_the_log_before(world: World) -> None:
    other = log_of(world).own.note(world.clock.ms)
    refuses(world, twisted(world, old_checkpoint=other.decode()), "checkpoint.wrong_origin")


def test_what_a_quorum_has_cosigned_cannot_be_cut_off(world: World) -> None:
    agent, before = world.agents[0], log_of(world).before
    seen = agent.state.seen(ORIGIN)
    assert seen is not None
    early = twisted(world, before.note(world.clock.ms, seen.size - 1))
    refuses(world, early, "log.not_continued", f"{ORIGIN} was closed at {seen.size - 1}")


def test_a_fork_of_the_earlier_log_is_refused(world: World) -> None:
    fork = RecordedLog(ORIGIN, salt=b"fork")
    for _ in range(log_of(world).base):
        fork.add("log.pad", {}, at=world.clock.ms, procedure=None)
    false = continue_log(fork, fork.note(world.clock.ms), world.clock.ms)
    job = world.check_job(world.agents[0], log=false)
    refuses(world, job, "order.fork")


def test_a_record_that_is_not_in_the_earlier_tree_is_refused(world: World) -> None:
    stranger = RecordedLog(ORIGIN, salt=b"stranger")
    for _nonce, record in log_of(world).before.records:  # type: ignore[union-attr]  # the first of two logs
        data = loads_object(record)
        stranger.add(data["kind"], data["body"], at=data["at"], procedure=data["procedure"])
    final = log_of(world).final
    false = stranger.receipt(2, final, stranger.size)
    job = change_in(world, lambda files: files.update({"before/log/2.tlog-proof": false}))
    refuses(world, job, "proof.wrong_root")


def test_a_record_that_stands_in_neither_log_is_missed(world: World) -> None:
    job = world.check_job(world.agents[0], hide=lambda record: record["kind"] == "policy.fixed")
    refuses(world, job, "order.not_included")


def test_numbers_that_do_not_count_on_are_refused(world: World) -> None:
    base = log_of(world).base
    right = world.newest_order.closed_n
    assert right >= base
    order = world.order(record=False, change={"closed_n": right - base, "seq": 1, "supersedes": None})
    refuses(world, world.check_job(world.agents[0], order), "order.not_included")


def test_a_log_is_continued_once_and_only_where_the_trust_file_says(world: World) -> None:
    log_of(world).add("log.continued", {"old_origin": ORIGIN}, at=world.clock.ms, procedure=None)
    found = refusal(world.agents[0], world.check_job(world.agents[0]))
    assert found[0] == "log.not_continued"
    assert f"{NEXT} continues another log in entry" in found[1]


def test_an_order_may_not_rest_on_what_was_cut_off(tmp_path: Path) -> None:
    world = ordered(told(tmp_path))
    beyond = world.newest_order.checkpoint
    world.move(final=world.log.note(world.clock.ms, world.log.place_of(beyond) - 1))
    code, detail = refusal(world.agents[0], world.check_job(world.agents[0]))
    assert code == "log.not_continued"
    assert "before the order's checkpoint" in detail


def test_an_order_may_not_rest_on_a_fork_of_the_closed_log(tmp_path: Path) -> None:
    world = ordered(told(tmp_path))
    size = world.log.place_of(world.newest_order.checkpoint)
    fork = RecordedLog(ORIGIN, salt=b"fork")
    for _ in range(size):
        fork.add("log.pad", {}, at=world.clock.ms, procedure=None)
    order = world.order(record=False, checkpoint=fork.note(world.clock.ms).decode(), previous=None)
    world.move()
    refuses(world, world.check_job(world.agents[0], order), "order.fork")


@pytest.mark.parametrize("index", [0, 1])
def test_only_the_first_entry_continues_a_log(world: World, index: int) -> None:
    """What custodians and stations ask of it: this kind, in entry 0, under the very note."""
    trust, log = world.agents[0].trust, log_of(world)
    data = loads_object(log.own.records[0][1])
    own = RecordedLog(NEXT, seed=log.own.seed)
    for n in range(2):
        kind = "log.continued" if n == 1 else "config.changed"
        own.add(kind, data["body"], at=world.clock.ms, procedure=None)
    note = own.note(world.clock.ms)
    with pytest.raises(RuleBroken, match=r"log\.not_continued") as caught:
        read_history(trust, note, [own.receipt(index, note, own.size)])
    assert "its entry 0 does not say so" in str(caught.value.facts["detail"])
    right = log.own.note(world.clock.ms)
    assert read_history(trust, right, log.continued(right))[1].base == log.base
    with pytest.raises(InvalidInput, match="uses another checkpoint"):
        read_history(trust, right, log.continued(log.own.note(world.clock.ms - SECOND)))


# Trust files.


def test_the_trust_file_of_the_next_log_is_needed(tmp_path: Path) -> None:
    world = told(tmp_path)
    agent, pinned = world.agents[0], world.agents[0].trust
    world.move()
    ordered(world)
    job = world.check_job(agent)
    (agent.directory / "trust.json").write_bytes(pinned.raw)
    assert refusal(agent, job)[0] == "checkpoint.wrong_origin"
    bare = world.later_trust(agent, log_policy=log_of(world).own.policy)
    (agent.directory / "trust.json").write_bytes(bare.doc)
    found = refusal(agent, job)
    assert found[0] == "log.not_continued"
    assert f"the trust file lists no log before {NEXT}" in found[1]


def test_only_a_trust_file_that_lists_the_pinned_log_before_its_own_replaces_it(tmp_path: Path) -> None:
    world = told(tmp_path)
    agent, before = world.agents[0], world.log
    world.log = continue_log(before, before.note(world.clock.ms), world.clock.ms)
    right, own = world.later_trust(agent), log_of(world).own
    demo = RecordedLog("demo.example/audit", seed=b"\x62" * 32)
    wrong = {
        "alone": world.later_trust(agent, log_policy=own.policy),
        "reversed": world.later_trust(agent, log_policy=policy_text(logs=[*own.keys, *before.keys])),
        "the same number": world.later_trust(agent, seq=1, supersedes=None),
        "demo": world.later_trust(agent, origin=demo.origin, log_policy=policy_text(logs=[*before.keys, *demo.keys])),
        "neither": world.later_trust(agent, origin="log.example/other"),
    }
    for name, signed in wrong.items():
        with pytest.raises(InvalidInput, match=r"trust\.not_newer"):
            pin_trust(agent.directory, signed)
        assert agent.trust.origin == ORIGIN, name
    with pytest.raises(InvalidInput, match=r"sig\.missing"):
        pin_trust(agent.directory, sign_document(right.doc, world.agency))
    back = SignedDocument(agent.trust.raw)
    assert pin_trust(agent.directory, right).origin == NEXT
    assert origins(agent.trust) == (ORIGIN, NEXT)
    with pytest.raises(InvalidInput, match=r"trust\.not_newer"):
        pin_trust(agent.directory, back)
    older = {**loads_object(right.doc), "origin": ORIGIN, "seq": 3}
    with pytest.raises(InvalidInput, match=r"trust\.not_newer"):
        pin_trust(agent.directory, sign_document(dumps(older), world.supervisor))


# Stations, and receipts as bidders and contributors hold them.


def test_a_station_drafts_over_both_logs(tmp_path: Path) -> None:
    world = told(tmp_path)
    world.move()
    world.close()
    stage = Opening(world, tmp_path)
    box, answer = stage.box(), stage.opening()
    assert conduct.draft_order(box, conduct.fetch(box, stage))  # type: ignore[arg-type]
    stage.opening = lambda: {**answer, "continued": []}  # type: ignore[method-assign]
    with pytest.raises(RuleBroken, match=r"log\.not_continued"):
        conduct.draft_order(box, conduct.fetch(box, stage))  # type: ignore[arg-type]
    note = log_of(world).own.note(world.clock.ms)
    too_many = log_of(world).continued(note) * 2
    with pytest.raises(RuleBroken, match=r"log\.not_continued"):
        read_history(box.trust, note, too_many)


def test_the_people_at_a_station_pin_a_later_trust_file(tmp_path: Path) -> None:
    world = told(tmp_path)
    box = Opening(world, tmp_path).box()
    world.log = continue_log(world.log, world.log.note(world.clock.ms), world.clock.ms)
    file = tmp_path / "later.json"
    words = ["--state", str(box.directory), "trust", "--file", str(file)]
    bare = world.later_trust(world.agents[0], log_policy=log_of(world).own.policy)
    for signed, code in ((bare, 1), (world.later_trust(world.agents[0]), 0)):
        file.write_bytes(signed.wire_bytes())
        assert CliRunner().invoke(station, words).exit_code == code
    assert open_box(box.directory, None).trust.origin == NEXT


def test_a_receipt_is_judged_by_the_keys_of_its_own_log(world: World) -> None:
    log, trust = log_of(world), world.agents[0].trust
    assert isinstance(log.before, RecordedLog)
    old = log.before.receipt(3, log.final, log.base)
    new = log.own.receipt(1, log.own.note(world.clock.ms), log.own.size)
    places = [position_of(trust, verify_logged(trust, proof)) for proof in (old, new)]
    assert places == [(0, 3), (1, 1)]
    alone = parse_trust(world.later_trust(world.agents[0], log_policy=log.own.policy).doc)
    with pytest.raises(InvalidInput, match=r"checkpoint\.wrong_origin"):
        verify_logged(alone, old)
    assert verify_logged(alone, new).receipt.entry.n == 1
    stranger = RecordedLog(ORIGIN, seed=b"\x63" * 32)
    stranger.add("log.pad", {}, at=1, procedure=None)
    with pytest.raises(InvalidInput, match=r"checkpoint\.not_signed"):
        verify_logged(trust, stranger.receipt(0, stranger.note(world.clock.ms), 1))
