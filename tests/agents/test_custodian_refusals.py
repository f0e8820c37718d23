"""Every refusal of SB1 S9.3, each by changing one thing in a job that is otherwise accepted.

The control stands in ``refuses``: after the refusal the same agent accepts the right job, so nothing else was wrong and
the refusal left nothing behind.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agents.custodian import desk
from agents.custodian.agent import Agent, open_agent
from agents.custodian.state import Place
from tests.build.ceremony import CLOSE, LOT, SECOND, STAGE, TENDER, Bidder, World
from tests.build.recorded_log import Placed, RecordedLog
from trading.audit.rules.chain import record_commitment
from trading.crypto.signatures import Es256Signer, sign_document
from trading.custody.rules.jobs import read_job
from trading.kernel.canonical import dumps, loads_object
from trading.kernel.encoding import b64u
from trading.kernel.errors import InvalidInput, RuleBroken
from trading.kernel.signed import SignedDocument
from trading.openings.rules.decisions import make_objection_decision
from trading.openings.rules.orders import OrderedBid


def ask(agent: Agent, job: bytes) -> dict[str, Any]:
    said: list[str] = []
    return desk.answer(agent, read_job(job), said.append)


def code_of(agent: Agent, job: bytes) -> str:
    with pytest.raises((RuleBroken, InvalidInput)) as caught:
        ask(agent, job)
    assert isinstance(caught.value, RuleBroken | InvalidInput)
    return caught.value.code


def refuses(world: World, job: bytes, code: str) -> None:
    """Assert that the agent refuses the job, and accepts the right one."""
    agent = world.agents[0]
    assert code_of(agent, job) == code
    assert not agent.state.questions("check", _place(world))
    ask(agent, world.check_job(agent))


def _place(world: World) -> Place:
    return world.agents[0].state.policies()[0][0]


def published(tmp_path: Path, bids: int = 3, *, factor: bool = True) -> World:
    world = World(tmp_path, factor=factor).publish()
    ask(world.agents[0], world.admit_job(world.agents[0]))
    for total in range(bids):
        world.clock.ms += SECOND
        world.submit(100 + total)
    return world


@pytest.fixture
def world(tmp_path: Path) -> World:
    """An order is logged and right."""
    world = published(tmp_path)
    world.close()
    world.order()
    return world


# Item 1: who signed, which policy.


def _resigned(world: World, *signers: Es256Signer) -> SignedDocument:
    return sign_document(world.orders[0].doc, *signers)


STRANGER = Es256Signer.from_scalar(999)


@pytest.mark.parametrize("missing", ["agency", "supervisor"])
def test_both_signatures_are_needed(world: World, missing: str) -> None:
    signers = {"agency": world.agency, "supervisor": world.supervisor}
    del signers[missing]
    order = _resigned(world, *signers.values(), STRANGER)
    refuses(world, world.check_job(world.agents[0], order), "order.signature")


def test_a_signature_over_other_bytes_is_refused(world: World) -> None:
    other = world.order(record=False)
    order = SignedDocument(world.orders[0].doc, other.sigs)
    refuses(world, world.check_job(world.agents[0], order), "order.signature")


def test_another_agency_of_the_trust_file_cannot_order_this_lot(world: World) -> None:
    agent = world.agents[0]
    rows = loads_object(agent.trust.raw)
    other = {**rows["institutions"][0]}
    stranger = Es256Signer.from_scalar(998)
    other |= {"key": b64u(stranger.spki), "kid": stranger.kid, "name": "另一代理公司", "role": "agency"}
    rows["institutions"] = sorted([*rows["institutions"], other], key=lambda row: str(row["kid"]))
    (agent.directory / "trust.json").write_bytes(dumps(rows))
    world.agents[0] = open_agent(agent.directory, None, world.clock)
    refuses(world, world.check_job(world.agents[0], _resigned(world, stranger, world.supervisor)), "order.signature")


def test_another_policy_is_refused(world: World) -> None:
    order = world.order(record=False, change={"policy_sha256": "f" * 64})
    refuses(world, world.check_job(world.agents[0], order), "order.policy")


def test_an_agent_that_admitted_nothing_refuses(world: World) -> None:
    agent = world.agents[1]
    assert code_of(agent, world.check_job(agent)) == "policy.not_admitted"
    ask(agent, world.admit_job(agent))
    ask(agent, world.check_job(agent))


# Item 2: checkpoint, witnesses, clocks, consistency.


def test_a_checkpoint_without_quorum_is_refused(world: World) -> None:
    weak = world.log.note(world.clock.ms, witnesses=(1,)).decode()
    order = world.order(record=False, checkpoint=weak)
    refuses(world, world.check_job(world.agents[0], order), "order.checkpoint")


def test_a_job_checkpoint_without_quorum_is_refused(world: World) -> None:
    weak = world.log.note(world.clock.ms, witnesses=(3,))
    refuses(world, world.check_job(world.agents[0], note=weak), "order.checkpoint")


@pytest.mark.parametrize(("late", "is_refused"), [(-SECOND, True), (0, False), (SECOND, False)])
def test_witness_times_at_the_deadline(world: World, late: int, is_refused: bool) -> None:  # noqa: FBT001 - a case
    order = world.order(record=False, checkpoint=world.log.note(CLOSE + late).decode())
    agent = world.agents[0]
    if is_refused:
        refuses(world, world.check_job(agent, order), "order.early")
    else:
        ask(agent, world.check_job(agent, order))


def test_one_late_witness_does_not_make_a_quorum_after_the_deadline(world: World) -> None:
    early, late = world.log.note(CLOSE - SECOND, witnesses=(1, 2)), world.log.note(CLOSE, witnesses=(3,))
    mixed = early + late.split(b"\n\n", 1)[1].split(b"\n", 1)[1]
    order = world.order(record=False, checkpoint=mixed.decode())
    refuses(world, world.check_job(world.agents[0], order), "order.early")


@pytest.mark.parametrize(("own", "is_refused"), [(CLOSE - 1, True), (CLOSE, False), (CLOSE + 1, False)])
def test_the_own_clock_at_the_deadline(world: World, own: int, is_refused: bool) -> None:  # noqa: FBT001 - a case
    agent, job, now = world.agents[0], world.check_job(world.agents[0]), world.clock.ms
    world.clock.ms = own
    if is_refused:
        assert code_of(agent, job) == "order.early"
        world.clock.ms = now
    ask(agent, job)


def test_a_checkpoint_that_does_not_contain_the_close_entry_is_refused(world: World) -> None:
    short = world.log.note(world.clock.ms, size=world.closed.n).decode()
    order = world.order(record=False, checkpoint=short)
    refuses(world, world.check_job(world.agents[0], order), "order.checkpoint")


def test_a_log_key_that_is_not_pinned_is_refused(world: World) -> None:
    fork = RecordedLog("log.example/other")
    fork.add("log.pad", {}, at=1, procedure=None)
    note = fork.note(world.clock.ms)
    refuses(world, world.check_job(world.agents[0], note=note), "checkpoint.wrong_origin")


def test_a_forked_log_is_refused_for_ever(tmp_path: Path) -> None:
    world = published(tmp_path)
    agent = world.agents[0]
    fork = RecordedLog(world.log.origin, salt=b"fork")
    honest, world.log = world.log, fork
    assert isinstance(honest, RecordedLog)
    for _nonce, record in honest.records:
        told = loads_object(record)
        fork.add(told["kind"], told["body"], at=told["at"], procedure=told["procedure"])
    for bidder in world.bidders:
        where = next(n for n, (_x, r) in enumerate(fork.records) if bidder.done.envelope.sha256.encode() in r)
        bidder.received = Placed(where, record_commitment(*fork.records[where]).hex())
    world.close()
    world.order()
    assert code_of(agent, world.check_job(agent)) == "order.fork"
    # The control: an agent that never saw the honest log cannot know.
    other = world.agents[1]
    ask(other, world.admit_job(other))
    ask(other, world.check_job(other))


def test_the_consistency_proof_is_needed_and_must_be_right(world: World) -> None:
    agent = world.agents[0]
    assert code_of(agent, world.check_job(agent, consistency=False)) == "job.incomplete"
    ask(agent, world.check_job(agent))


def test_an_older_checkpoint_than_the_last_one_seen_is_refused(world: World) -> None:
    agent, old = world.agents[0], world.check_job(world.agents[0])
    world.record("factor.opened", {"ends_at": 1})
    ask(agent, world.admit_job(agent))
    assert code_of(agent, old) == "job.stale"
    ask(agent, world.check_job(agent))


# Item 3: what must be in the log.


@pytest.mark.parametrize("kind", ["tender.closed", "policy.fixed", "tender.published", "bid.received"])
def test_each_record_must_be_included(world: World, kind: str) -> None:
    job = world.check_job(world.agents[0], hide=lambda record: record["kind"] == kind)
    refuses(world, job, "order.not_included")


def test_a_proof_that_does_not_lead_to_the_root_is_refused(world: World) -> None:
    agent = world.agents[0]
    fork = RecordedLog(world.log.origin, salt=b"x")
    assert isinstance(world.log, RecordedLog)
    for _nonce, record in world.log.records:
        told = loads_object(record)
        fork.add(told["kind"], told["body"], at=told["at"], procedure=told["procedure"])
    job = world.check_job(agent, log=fork, note=world.log.note(world.clock.ms), consistency=False)
    assert code_of(agent, job) in {"proof.wrong_root", "job.incomplete"}
    ask(agent, world.check_job(agent))


@pytest.mark.parametrize(
    "change",
    [
        {"bids_root": "0" * 64},
        {"closed_h": "0" * 64},
        {"close": CLOSE + 60_000},
        {"close": CLOSE - 60_000},
        {"schedule_sha256": "0" * 64},
        {"seq": 1},
        {"supersedes": None},
        {"tender": "T-2026-other"},
    ],
)
def test_a_field_of_the_order_that_the_log_denies(world: World, change: dict[str, Any]) -> None:
    order = world.order(record=False, change=change)
    agent = world.agents[0]
    assert code_of(agent, world.check_job(agent, order)).startswith(("order.", "schedule.", "job."))
    ask(agent, world.check_job(agent))


def test_a_bid_left_out_of_the_order_is_refused(world: World) -> None:
    order = world.order(record=False, bids=world.ordered_bids()[1:])
    refuses(world, world.check_job(world.agents[0], order), "order.root")


def test_an_exchanged_envelope_is_refused(world: World) -> None:
    bids = world.ordered_bids()
    bids[0] = OrderedBid(**{**_fields(bids[0]), "envelope_sha256": bids[1].envelope_sha256})
    order = world.order(record=False, bids=bids)
    refuses(world, world.check_job(world.agents[0], order), "order.root")


def _fields(bid: OrderedBid) -> dict[str, Any]:
    return {name: getattr(bid, name) for name in OrderedBid.__dataclass_fields__}


def test_a_bid_after_the_close_entry_is_refused_even_with_a_decision(world: World) -> None:
    late = world.submit(1)
    bids, decided = _added(world, late)
    order = world.order(record=False, bids=bids)
    refuses(world, world.check_job(world.agents[0], order, extra=[decided]), "order.late_bid")


def _added(world: World, bidder: Bidder, **changes: Any) -> tuple[list[OrderedBid], SignedDocument]:  # noqa: ANN401 - fields
    """Return the bids of an order that an objection extends, and the decision; both are logged."""
    raised = {"bid": bidder.bid, "envelope_sha256": bidder.done.envelope.sha256, "order_sha256": world.orders[0].sha256}
    objection = world.record("objection.raised", raised)
    decision = make_objection_decision(
        **{
            "add": True,
            "envelope_sha256": bidder.done.envelope.sha256,
            "objection_h": objection.h,
            "order_sha256": world.orders[0].sha256,
            "created": world.clock.ms,
            **changes,
        }
    )
    signed = world.keep(sign_document(decision, world.supervisor))
    decided = world.record(
        "objection.decided", {"decision_sha256": signed.sha256, "order_sha256": world.orders[0].sha256}
    )
    bids = world.ordered_bids()
    return [
        bid if bid.bid != bidder.bid else OrderedBid(**{**_fields(bid), "objection_h": decided.h}) for bid in bids
    ], signed


def _omitted_from_manifest(tmp_path: Path) -> tuple[World, Bidder]:
    """A lot whose closer left out the last bid: the case for which objections exist."""
    world = published(tmp_path)
    hidden = world.bidders.pop()
    world.close()
    world.order()
    world.bidders.append(hidden)
    return world, hidden


def test_an_objection_adds_a_bid_and_the_order_grows(tmp_path: Path) -> None:
    world, hidden = _omitted_from_manifest(tmp_path)
    agent = world.agents[0]
    ask(agent, world.check_job(agent))
    bids, _decided = _added(world, hidden)
    second = world.order(bids=bids)
    answer = SignedDocument.from_wire(ask(agent, world.check_job(agent, second)))
    assert len(loads_object(answer.doc)["items"]) == 3


@pytest.mark.parametrize("change", [{"add": False}, {"envelope_sha256": "0" * 64}])
def test_a_decision_that_does_not_add_this_bid_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    world, hidden = _omitted_from_manifest(tmp_path)
    bids, _decided = _added(world, hidden, **change)
    agent = world.agents[0]
    assert code_of(agent, world.check_job(agent, world.order(bids=bids))) == "order.not_included"
    right, _decided = _added(world, hidden)
    ask(agent, world.check_job(agent, world.order(bids=right)))


def test_a_decision_must_be_in_the_log_and_signed_by_the_supervisor(tmp_path: Path) -> None:
    world, hidden = _omitted_from_manifest(tmp_path)
    bids, decided = _added(world, hidden)
    order, agent = world.order(bids=bids), world.agents[0]
    hide: Callable[[dict[str, Any]], bool] = lambda record: record["kind"] == "objection.decided"  # noqa: E731
    assert code_of(agent, world.check_job(agent, order, hide=hide)) == "order.not_included"
    forged = sign_document(decided.doc, world.agency)
    job = world.check_job(agent, order, without=frozenset({decided.sha256}), extra=[forged])
    assert code_of(agent, job) == "sig.missing"
    ask(agent, world.check_job(agent, order))


# The schedule: never earlier than the one first seen, extensions only by TE1 T2.


def test_an_earlier_schedule_than_the_one_first_seen_is_refused(tmp_path: Path) -> None:
    world = published(tmp_path)
    honest = world.schedules.pop()
    world.add_schedule(CLOSE - 3_600_000)
    world.record("tender.published", {"notice_sha256": "0" * 64, "schedule_sha256": world.schedule.sha256})
    world.close()
    world.order()
    assert code_of(world.agents[0], world.check_job(world.agents[0])) == "schedule.earlier"
    assert honest.sha256 != world.schedule.sha256
    # The control: an agent that first sees the lot now cannot know of the honest schedule.
    other = world.agents[1]
    ask(other, world.admit_job(other))
    ask(other, world.check_job(other))


def test_an_extension_is_followed(tmp_path: Path) -> None:
    world = published(tmp_path)
    world.extend(CLOSE + 7_200_000)
    world.close()
    world.order()
    ask(world.agents[0], world.check_job(world.agents[0]))


def _extended(tmp_path: Path, close: int, **changes: Any) -> World:  # noqa: ANN401 - fields of a schedule
    world = published(tmp_path)
    world.add_schedule(close, **changes)
    body: dict[str, Any] = {
        "cause": None,
        "evidence": [],
        "notice_sha256": "0" * 64,
        "schedule_sha256": world.schedule.sha256,
    }
    world.record("tender.changed", body)
    world.close()
    world.order()
    return world


@pytest.mark.parametrize(
    ("close", "changes", "code"),
    [
        (CLOSE - 60_000, {}, "schedule.earlier"),
        (CLOSE + 60_000, {"supersedes": "0" * 64}, "job.incomplete"),
        (CLOSE + 60_000, {"seq": 3}, "schedule.chain_broken"),
        (CLOSE + 60_000, {"cause": "outage", "evidence": ["0" * 64]}, "schedule.not_consented"),
        (CLOSE + 60_000, {"lot": "2"}, "schedule.chain_broken"),
    ],
)
def test_a_schedule_outside_the_rules(tmp_path: Path, close: int, changes: dict[str, Any], code: str) -> None:
    world = _extended(tmp_path, close, **changes)
    assert code_of(world.agents[0], world.check_job(world.agents[0])) == code


def test_an_unsigned_extension_is_refused(tmp_path: Path) -> None:
    world = published(tmp_path)
    world.extend(CLOSE + 7_200_000)
    world.close()
    world.order()
    forged = sign_document(world.schedule.doc, STRANGER)
    job = world.check_job(world.agents[0], without=frozenset({world.schedule.sha256}), extra=[forged])
    refuses(world, job, "sig.missing")


def test_an_extension_that_left_less_than_thirty_minutes_is_refused(tmp_path: Path) -> None:
    world = published(tmp_path)
    world.clock.ms = CLOSE - 60_000
    world.extend(CLOSE + 60_000)
    world.close()
    world.order()
    assert code_of(world.agents[0], world.check_job(world.agents[0])) == "schedule.too_soon"


# Item 4: one answer per question.


def test_a_repeated_question_gets_the_stored_answer(world: World) -> None:
    agent = world.agents[0]
    first = ask(agent, world.check_job(agent))
    world.clock.ms += 60_000
    assert ask(agent, world.check_job(agent)) == first


def test_a_second_different_order_is_refused(world: World) -> None:
    agent = world.agents[0]
    ask(agent, world.check_job(agent))
    other = world.order(record=False, previous=None, station_pk=world.agents[1].share_key(_place(world)).public.raw)
    assert code_of(agent, world.check_job(agent, other)) == "order.equivocation"
    # The control: the same content as the next order, for another station, is a legal successor (S16).
    successor = world.order(station_pk=world.agents[1].share_key(_place(world)).public.raw)
    ask(agent, world.check_job(agent, successor))


def test_an_order_that_drops_an_added_bid_again_is_refused(tmp_path: Path) -> None:
    world, hidden = _omitted_from_manifest(tmp_path)
    agent = world.agents[0]
    bids, _decided = _added(world, hidden)
    ask(agent, world.check_job(agent, world.order(bids=bids)))
    smaller = world.order(bids=[bid for bid in bids if bid.objection_h is None])
    assert code_of(agent, world.check_job(agent, smaller)) == "order.equivocation"


def test_a_job_of_another_lot_is_unknown(world: World) -> None:
    assert _place(world).row == (TENDER, LOT, STAGE)
    order = world.order(record=False, change={"lot": "2"})
    agent = world.agents[0]
    assert code_of(agent, world.check_job(agent, order)) == "order.policy"


# What is missing is the platform's doing and makes no envelope invalid.


@pytest.mark.parametrize("kind", ["key.registered"])
def test_a_missing_key_record_refuses_the_whole_job(world: World, kind: str) -> None:
    job = world.check_job(world.agents[0], hide=lambda record: record["kind"] == kind)
    refuses(world, job, "job.incomplete")


def test_a_missing_envelope_or_enrolment_refuses_the_whole_job(world: World) -> None:
    agent = world.agents[0]
    envelope = world.bidders[0].done.envelope.sha256
    assert code_of(agent, world.check_job(agent, without=frozenset({envelope}))) == "job.incomplete"
    enrolments = frozenset(name for name, doc in world.documents.items() if b"mb.key-enrol" in doc.doc)
    refuses(world, world.check_job(agent, without=enrolments), "job.incomplete")


def test_an_exchanged_signature_of_the_bidder_refuses_the_whole_job(world: World) -> None:
    envelope = world.bidders[0].done.envelope
    other = SignedDocument(envelope.doc, world.bidders[1].done.envelope.sigs)
    job = world.check_job(world.agents[0], without=frozenset({envelope.sha256}), extra=[other])
    refuses(world, job, "job.incomplete")
