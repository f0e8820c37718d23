"""Draws of experts: honest ones pass whatever their people do, every lie is found by the check for it (ED1 D15)."""

from __future__ import annotations

import copy
import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.support.made_bids import XWing
from tests.support.made_draw import (
    SECOND,
    STORIES,
    DrawStory,
    MadeDraw,
    Twist,
    finish,
    fork,
    go_on,
    play,
    seal_share,
    tell_draw,
    verify_draw,
)
from tests.support.made_log import sha256
from tests.support.verifying import failures, state_of
from trading.crypto import shares as shamir
from trading.experts.rules import checks, contributions, results, reveals
from trading.experts.rules.tickets import order
from trading.experts.rules.walk import State
from trading.kernel.canonical import dumps, loads_object
from verifier.report import STATE_ABSENT, STATE_OK, Report

Fields = dict[str, Any]
TIERS = (("draw", "public"), ("draw", "audit"), ("audit", "audit"))
AUDITOR_ONLY = ("ED-09", "ED-10", "ED-11")
ALL = tuple(f"ED-{number:02}" for number in range(1, 14))


def notes(report: Report) -> str:
    return "; ".join(text for check in report.checks for _, text in check.notes)


def found(report: Report) -> str:
    return "; ".join(text for texts in failures(report).values() for text in texts)


def begun() -> MadeDraw:
    """A draw with register, policy and spec."""
    made = MadeDraw(DrawStory())
    made.fill_register()
    made.fix_policy()
    made.log.witness(made.now)
    made.specify()
    return made


def lie(subject: str, change: Callable[[Fields], None], *, number: int = 1) -> Twist:
    """Change the ``number``-th record or document of one kind."""
    seen = 0

    def twist(kind: str, fields: Fields) -> Fields:
        nonlocal seen
        if kind != subject:
            return fields
        seen += 1
        if seen != number:
            return fields
        changed = copy.deepcopy(fields)
        change(changed)
        return changed

    return twist


@pytest.mark.parametrize("name", sorted(STORIES))
@pytest.mark.parametrize(("kind", "tier"), TIERS)
def test_honest_draws_pass(name: str, kind: str, tier: str) -> None:
    report = verify_draw(tell_draw(STORIES[name]), tier, kind)
    assert (failures(report), report.exit_code) == ({}, 0)
    for check_id in ALL:
        expected = STATE_ABSENT if tier == "public" and check_id in AUDITOR_ONLY else STATE_OK
        assert state_of(report, check_id) == expected


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("absent", "PARTY_ABSENT"),
        ("withheld", "PARTY_WITHHELD: recovered from custodians [1, 2, 3]"),
        ("withheld_thrice", "recovered from custodians [1, 3, 5]"),
        ("withheld_thrice", "CUSTODIAN_NO_RELEASE(4)"),
        ("void", "CONTRIBUTION_VOID"),
        ("exhausted", "incomplete"),
    ],
)
def test_people_are_named(name: str, told: str) -> None:
    assert told in notes(verify_draw(tell_draw(STORIES[name]), "public"))


def test_withholding_gives_the_same_panel() -> None:
    """From one seal: revealed by everybody, or withheld and recovered; seed and seats are the same."""
    made = begun()
    made.collect()
    made.seal()
    panels = []
    for withheld in (frozenset[str](), frozenset({"agency"}), frozenset({"agency", "notary", "supervisor"})):
        twin = fork(made, replace(made.story, withheld=withheld))
        go_on(twin)
        assert failures(verify_draw(finish(twin))) == {}
        assert twin.result is not None
        panels.append((twin.seed, twin.result.selected))
    assert panels[0] == panels[1] == panels[2]


def test_void_whether_revealed_or_hidden() -> None:
    made = MadeDraw(DrawStory(void=frozenset({"notary"})))
    made.fill_register()
    made.fix_policy()
    made.specify()
    made.collect()
    made.seal()
    seeds = set()
    for withheld in (frozenset[str](), frozenset({"notary"})):
        twin = fork(made, replace(made.story, withheld=withheld))
        go_on(twin)
        assert failures(verify_draw(finish(twin))) == {}
        seeds.add(twin.seed)
    assert len(seeds) == 1


# --- lies of one field --------------------------------------------------------------------------------------------


def drop_listed(fields: Fields) -> None:
    row = fields["contributions"].pop()
    fields["left_out"].append({"party": row["party"], "reason": "absent"})


LIES: dict[str, tuple[str, Callable[[Fields], None], int, str]] = {
    "strata": ("ed1.spec", lambda f: f.update(pool_size=f["pool_size"] + 1), 1, "ED-02"),
    "representatives": ("ed1.spec", lambda f: f["committee"].update(representatives=4), 1, "ED-02"),
    "party": ("ed1.spec", lambda f: f["parties"][0].update(kid="00" * 32), 1, "ED-02"),
    "policy of another draw": ("ed1.policy", lambda f: f.update(draw="D-other"), 1, "ED-01"),
    "threshold": ("ed1.policy", lambda f: f.update(k=5), 1, "ED-01"),
    "seal of another spec": ("draw.sealed", lambda f: f.update(spec_sha256="00" * 32), 1, "ED-03"),
    "suppressed": ("draw.sealed", drop_listed, 1, "ED-04"),
    "check of another": ("ed1.share-check", lambda f: f.update(custodian=3), 2, "ED-04"),
    "bad share": ("ed1.share-check", lambda f: f["items"][1].update(code="commit_mismatch"), 2, "ED-04"),
    "escrow": ("ed1.escrow", lambda f: f.update(commit="00" * 32), 1, "ED-04"),
    "reveal of another seal": ("ed1.reveal", lambda f: f.update(sealed_h="00" * 32), 1, "ED-05"),
    "wrong r": ("ed1.reveal", lambda f: f.update(r="00" * 32), 1, "ED-05"),
    "void": ("draw.seeded", lambda f: f.update(void=["agency"]), 1, "ED-05"),
    "seed": ("draw.seeded", lambda f: f.update(seed="00" * 32), 1, "ED-06"),
    "beacon": ("draw.seeded", lambda f: f.update(beacon="00"), 1, "ED-06"),
    "final": ("ed1.final", lambda f: f["commits"].pop(), 1, "AL-08"),
    "trail root": ("ed1.result", lambda f: f.update(trail_root="00" * 32), 1, "ED-13"),
    "seats": ("ed1.result", lambda f: f["selected"].pop(), 1, "ED-13"),
    "supersedes": ("ed1.result", lambda f: f.update(supersedes=None), 2, "ED-13"),
    "seed of the result": ("ed1.result", lambda f: f.update(seed="00" * 32), 1, "ED-13"),
    "leaf": ("mb.draw-leaves", lambda f: f["leaves"][0].update(salt="00" * 32), 1, "ED-08"),
    "leaf of a friend": (
        "mb.draw-leaves",
        lambda f: f["leaves"][0].update(attrs='{"id":"E9999","stratum":"S07-LOCAL","unit":""}'),
        1,
        "ED-08",
    ),
    "leaf elsewhere": ("mb.draw-leaves", lambda f: f["leaves"][0].update(index=f["leaves"][0]["index"] ^ 1), 1, ""),
    "pool key": ("mb.draw-keys", lambda f: f.update(k_draw="00" * 32), 1, "ED-09"),
    "exclusion key": ("mb.draw-keys", lambda f: f.update(k_x="00" * 32), 1, "ED-10"),
    "exclusion dropped": ("mb.draw-keys", lambda f: f["exclusions"].pop(), 1, "ED-10"),
    "excluded count": ("ed1.spec", lambda f: f["excluded"][0].update(count=0), 1, "ED-10"),
    "reason": ("mb.draw-keys", lambda f: f["reasons"][0].update(reason="asleep"), 1, "ED-11"),
    "another procedure": ("draw.disclosed", lambda f: f.update(procedure="T-2026-other"), 1, "ED-12"),
    "old register": ("ed1.spec", lambda f: f.update(register_size=0), 1, "ED-09"),
    "register of the future": ("ed1.spec", lambda f: f.update(register_size=999), 1, "ED-09"),
}


@pytest.mark.parametrize("name", sorted(LIES))
def test_lies_are_found(name: str) -> None:
    subject, change, number, check_id = LIES[name]
    story = DrawStory(refusing=frozenset({1, 3}), unreachable=frozenset())
    made = tell_draw(story, lie(subject, change, number=number))
    report = verify_draw(made)
    assert report.exit_code != 0
    if check_id:
        assert check_id in failures(report), failures(report)


# --- lies that need more than a field -------------------------------------------------------------------------------


def test_a_second_seal_is_a_fork() -> None:
    made = begun()
    made.collect()
    first = made.seal()
    made.record("sealed", {**first.value["body"], "contributions": first.value["body"]["contributions"]})
    made.sealed = first
    go_on(made)
    assert "SEAL_FORK: a second seal" in found(verify_draw(finish(made)))


def test_an_answer_to_another_seal_is_a_fork() -> None:
    made = begun()
    made.collect()
    made.seal()
    contribution = made.contributions["notary"]
    other = made.put(reveals.make_reveal(contribution, made.rs["notary"], "ab" * 32), made.contributors["notary"])
    made.record("revealed", {"party": "notary", "reveal_sha256": sha256(other).hex(), "via": "custodian"})
    go_on(made)
    assert "SEAL_FORK: answers a seal" in found(verify_draw(finish(made)))


def test_a_second_spec_is_a_fork() -> None:
    made = begun()
    spec = made.spec
    made.record("specified", {"spec_sha256": made_spec_again(made)})
    made.spec = spec
    play(made)
    assert "SPEC_FORK" in found(verify_draw(finish(made)))


def made_spec_again(made: MadeDraw) -> str:
    value = loads_object(made.spec.raw)
    return sha256(made.both(dumps({**value, "call_ms": value["call_ms"] + 1}))).hex()


def test_answers_before_the_seal_is_witnessed() -> None:
    made = begun()
    made.collect()
    made.log.witness, witness = lambda *_args, **_more: "", made.log.witness  # type: ignore[method-assign]
    made.seal()
    made.log.witness = witness  # type: ignore[method-assign]
    go_on(made)
    assert "no witnessed checkpoint between" in found(verify_draw(finish(made)))


def test_a_seal_before_the_commit_phase_is_over() -> None:
    made = MadeDraw(DrawStory(absent=frozenset({"notary"})))
    made.fill_register()
    made.fix_policy()
    made.specify()
    made.collect()
    made.now -= 10 * 60 * SECOND
    made.seal()
    go_on(made)
    assert "commit_ms" in found(verify_draw(finish(made)))


def test_a_contribution_by_another_key() -> None:
    made = begun()
    agency = made.contributors["agency"]
    made.contributors["notary"], notary = agency, made.contributors["notary"]
    made.collect()
    made.contributors["notary"] = notary
    made.seal()
    go_on(made)
    assert "not signed by the key that the spec gives" in found(verify_draw(finish(made)))


def test_a_reroll_after_the_seal() -> None:
    """The centre dislikes the seed, cancels with both signatures, and draws again."""
    made = begun()
    made.collect()
    made.seal()
    made.open_up()
    made.cancel("operator_error")
    made.specify()
    play(made)
    report = verify_draw(finish(made), "public")
    assert "REROLL: cancelled after the seal for operator_error" in found(report)
    assert "REROLL: another attempt" in found(report)


@pytest.mark.parametrize("reason", ["too_few_valid", "unrecoverable"])
def test_a_false_cause_of_cancellation(reason: str) -> None:
    made = begun()
    made.collect()
    made.seal()
    made.open_up()
    made.cancel(reason)
    made.specify()
    play(made)
    assert f"REROLL: cancelled as {reason}" in found(verify_draw(finish(made)))


def test_an_unrecoverable_attempt_may_be_repeated() -> None:
    """Three custodians fail after saying ok: a day later the attempt is cancelled with their names."""
    made = begun()
    made.collect()
    made.seal()
    made.now += 24 * 3600 * SECOND
    made.cancel("unrecoverable")
    made.specify()
    play(made)
    report = verify_draw(finish(made))
    assert (failures(report), report.exit_code) == ({}, 0)
    assert "DRAW_UNRECOVERABLE: custodians [1, 2, 3, 4, 5]" in notes(report)


def test_a_hidden_attempt() -> None:
    """The second attempt does not say what it follows, or the first is not shown."""
    made = begun()
    made.cancel("operator_error")
    made.previous = "12" * 32
    made.specify()
    play(made)
    assert "ATTEMPT_HIDDEN: previous" in found(verify_draw(finish(made)))
    alone = MadeDraw(DrawStory())
    alone.fill_register()
    alone.fix_policy()
    alone.attempt, alone.previous = 2, "12" * 32
    alone.specify()
    play(alone)
    assert "ATTEMPT_HIDDEN: attempt 1 is not shown" in found(verify_draw(finish(alone)))


def test_a_late_exclusion() -> None:
    """Somebody who is not in the vector is skipped as excluded after the seed is known."""
    made = begun()
    made.collect()
    made.seal()
    made.open_up()
    made.begin_walk()
    step = made.walk.next_step()
    while step is not None and step.state is not None:
        made.step(step.state, step.index, step.stratum)
        step = made.walk.next_step()
    assert step is not None
    made.reasons[step.index] = "conflict"
    made.step(State.EXCLUDED, step.index, step.stratum)
    made.walk_on()
    made.conclude()
    made.disclose()
    report = verify_draw(finish(made))
    assert {"ED-10"} <= failures(report).keys()
    assert "the exclusion vector is not the one committed to" in found(report)


def test_an_exclusion_that_the_vector_does_not_know() -> None:
    made = walked_to_first_call()
    step = made.walk.next_step()
    assert step is not None
    kept = dict(made.reasons)
    made.reasons[step.index] = "conflict"
    made.step(State.EXCLUDED, step.index, step.stratum)
    made.walk_on()
    made.conclude()
    made.reasons = kept
    made.disclose()
    report = verify_draw(finish(made))
    assert "EXCLUDED, but the vector does not exclude the index" in found(report)
    assert "is EXCLUDED instead of called" in found(report)
    assert "ED-07" not in failures(report)  # the public cannot see it: the trail itself is in order


def walked_to_first_call() -> MadeDraw:
    made = begun()
    made.collect()
    made.seal()
    made.open_up()
    made.begin_walk()
    step = made.walk.next_step()
    while step is not None and step.state is not None:
        made.step(step.state, step.index, step.stratum)
        step = made.walk.next_step()
    return made


def test_a_call_out_of_order() -> None:
    made = walked_to_first_call()
    step = made.walk.next_step()
    assert step is not None
    stratum = made.spec.stratum(step.stratum)
    assert stratum is not None
    other = next(index for index in range(stratum.a, stratum.b) if index != step.index)
    made.record("called", {"index": other, "stratum": step.stratum})
    made.walk_on()
    made.conclude()
    made.disclose()
    report = verify_draw(finish(made), "public")
    assert f"TRAIL_BROKEN: index {other}" in found(report)
    assert "ED-07" in failures(report)


def test_a_skipped_index() -> None:
    """The next in order is left out without any disposition."""
    made = walked_to_first_call()
    step = made.walk.next_step()
    assert step is not None
    stratum = made.spec.stratum(step.stratum)
    assert stratum is not None
    ordered = order(made.seed, stratum.id, stratum.a, stratum.b)
    after = ordered[ordered.index(step.index) + 1]
    made.record("called", {"index": after, "stratum": stratum.id})
    made.record("disposed", {"index": after, "reason_commit": None, "state": "SELECTED", "stratum": stratum.id})
    text = found(verify_draw(finish(made), "public"))
    assert f"TRAIL_BROKEN: index {after} of {stratum.id} where index {step.index}" in text
    assert f"TRAIL_BROKEN: index {after} of {stratum.id} is SELECTED without a call" in text


def test_the_frontier_may_not_be_chosen() -> None:
    made = walked_to_first_call()
    last = made.spec.strata[-1]
    made.record("called", {"index": last.a, "stratum": last.id})
    made.walk_on()
    made.conclude()
    made.disclose()
    assert f"TRAIL_BROKEN: index {last.a} of {last.id}" in found(verify_draw(finish(made), "public"))


def test_a_limit_that_was_ignored() -> None:
    """More people of one employer than may sit; only who knows the pool can see it."""
    made = MadeDraw(DrawStory(units=2, replaced=False))
    made.fill_register()
    made.fix_policy()
    made.specify()
    made.collect()
    made.seal()
    made.open_up()
    made.begin_walk()
    made.walk.spec = replace(made.spec, limits=())
    made.walk_on()
    made.conclude()
    made.disclose()
    report = verify_draw(finish(made))
    assert "LIMIT_BROKEN" in found(report)
    assert failures(report).keys() == {"ED-11"}


def test_unreachable_too_early() -> None:
    made = walked_to_first_call()
    made.story = replace(made.story, refusing=frozenset(), unreachable=frozenset())
    step = made.walk.next_step()
    assert step is not None
    made.step(None, step.index, step.stratum)
    made.record(
        "disposed", {"index": step.index, "reason_commit": None, "state": "UNREACHABLE", "stratum": step.stratum}
    )
    assert "TRAIL_BROKEN: index" in found(verify_draw(finish(made), "public"))


def test_a_result_with_an_open_stratum() -> None:
    made = walked_to_first_call()
    made.walk_on()
    made.step(State.REPLACED, made.walk.selected[0].index, made.walk.selected[0].stratum, "ill")
    raw = results.RESULT.write(
        {
            "attempt": 1,
            "draw": made.spec.draw,
            "selected": [seat.to_json() for seat in made.walk.selected],
            "seed": made.seed.hex(),
            "seq": 1,
            "spec_sha256": made.spec.sha256,
            "supersedes": None,
            "trail_root": "00" * 32,
        }
    )
    made.record("result", {"result_sha256": sha256(made.both(raw)).hex()})
    assert "a stratum is open or a call pending" in found(verify_draw(finish(made), "public"))


def test_replaced_for_no_lawful_ground() -> None:
    made = begun()
    made.story = replace(made.story, replaced=False)
    made.collect()
    made.seal()
    made.open_up()
    made.begin_walk()
    made.walk_on()
    made.conclude()
    seat = made.walk.selected[0]
    made.step(State.REPLACED, seat.index, seat.stratum, "unliked")
    made.walk_on()
    made.conclude()
    made.disclose()
    report = verify_draw(finish(made))
    assert "replaced for unliked" in found(report)
    assert failures(report).keys() == {"ED-11"}


def test_a_member_whom_the_regulator_never_admitted() -> None:
    """The keeper of the pool adds a friend to the snapshot."""
    made = MadeDraw(DrawStory())
    made.fill_register()
    made.fix_policy()
    genuine = made.register
    friend = next(iter(genuine.experts.values()))
    made.register = replace(genuine, experts={**genuine.experts, "E9999": replace(friend, id="E9999", unit="")})
    made.specify()
    play(made)
    assert "POOL_MISMATCH" in found(verify_draw(finish(made)))


def test_a_suspended_expert_who_was_not_excluded() -> None:
    made = MadeDraw(DrawStory())
    made.fill_register()
    made.fix_policy()
    genuine, made.register = made.register, replace(made.register, suspended=frozenset())
    made.specify()
    play(made)
    assert genuine.suspended
    assert "suspended experts are not excluded" in found(verify_draw(finish(made)))


def test_a_change_of_the_register_that_the_centre_signed() -> None:
    made = MadeDraw(DrawStory())
    made.supervisor, supervisor = made.centre, made.supervisor
    made.fill_register()
    made.supervisor = supervisor
    made.fix_policy()
    made.specify()
    play(made)
    assert "not signed by the regulator" in found(verify_draw(finish(made)))


def test_a_bad_recovery_is_named_and_harmless() -> None:
    made = begun()
    made.story = replace(made.story, withheld=frozenset({"notary"}), no_recovery=frozenset({1}))
    made.collect()
    made.seal()
    contribution, signer = made.contributions["notary"], made.institutions[0]
    raw = reveals.make_recovery(contribution, bytes(32) + b"\1", made.sealed.h, custodian=1)
    body = {"custodian": 1, "party": "notary", "via": "platform"}
    made.record("recovered", {**body, "recovery_sha256": sha256(made.put(raw, signer)).hex()})
    go_on(made)
    report = verify_draw(finish(made))
    assert failures(report) == {}
    assert "CUSTODIAN_BAD_SHARE(1)" in notes(report)
    assert "CUSTODIAN_EARLY(1)" in notes(report)


def test_an_adjudication_against_a_party_is_recomputed() -> None:
    """A share that does not fit is called bad; with the disclosed key the auditor finds who is at fault."""
    for finding, spoiled in (("dealt_bad", True), ("custodian_fault", True), ("dealt_bad", False)):
        report = adjudicated(finding, spoiled=spoiled)
        assert ("finding" in found(report)) == ((finding == "dealt_bad") != spoiled), found(report)


def adjudicated(finding: str, *, spoiled: bool) -> Report:
    made = MadeDraw(DrawStory(absent=frozenset({"notary"})))
    made.fill_register()
    made.fix_policy()
    made.specify()
    raw = contributions.make_contribution(
        made.spec, made.policy, "notary", bytes(32), deal=shamir.deal, seal=seal_share
    )
    value = loads_object(raw)
    if spoiled:
        value["shares"][0]["c"] = "00" * 32
    data = made.put(dumps(value), made.contributors["notary"])
    named = sha256(data).hex()
    made.record("committed", {"contribution_sha256": named, "party": "notary", "via": "platform"})
    check = checks.make_share_check(
        {named: checks.CheckCode.COMMIT_MISMATCH},
        custodian=1,
        draw=made.spec.draw,
        spec_sha256=made.spec.sha256,
        created=made.now,
    )
    check_name = sha256(made.put(check, made.institutions[0])).hex()
    made.record("share_checked", {"check_sha256": check_name, "custodian": 1})
    disclosure = checks.make_disclosure(
        custodian=1, seed=made.keys[0].seed, spec_sha256=made.spec.sha256, created=made.now
    )
    made.put(disclosure, made.institutions[0], secret=True)
    decided = checks.make_adjudication(
        {named: checks.Finding(finding)}, custodian=1, spec_sha256=made.spec.sha256, created=made.now
    )
    decided_name = sha256(made.put(decided, made.supervisor)).hex()
    made.record("adjudicated", {"adjudication_sha256": decided_name, "custodian": 1})
    made.collect()
    made.story = replace(made.story, absent=frozenset())
    made.contributions.pop("notary", None)
    left_out = [{"party": "notary", "reason": "dealt_bad"}]
    made.now += 10 * 60 * SECOND
    body = {
        "contributions": [
            {"contribution_sha256": made.contributions[party].sha256, "party": party}
            for party in sorted(made.contributions)
        ],
        "left_out": left_out,
        "spec_sha256": made.spec.sha256,
    }
    made.sealed = made.record("sealed", body)
    made.log.witness(made.now)
    go_on(made)
    return verify_draw(finish(made))


def test_a_draw_under_way_is_not_wrong() -> None:
    """The auditor sees the records as they happen; nothing that is still to come is missed."""
    made = begun()
    report = verify_draw(finish(fork(made, made.story)))
    assert failures(report) == {}
    made.collect()
    assert failures(verify_draw(finish(fork(made, made.story)))) == {}
    made.seal()
    assert failures(verify_draw(finish(fork(made, made.story)))) == {}
    made.open_up()
    assert failures(verify_draw(finish(fork(made, made.story)))) == {}


def test_withheld_keys_and_leaves_leave_the_result_incomplete() -> None:
    made = tell_draw()
    for name, (data, _) in list(made.documents.items()):
        if b'"mb.draw-keys"' in data or b'"mb.draw-leaves"' in data:
            del made.documents[name]
    report = verify_draw(made)
    assert (failures(report), report.exit_code) == ({}, 2)


@pytest.mark.parametrize("told", [True, False])
def test_a_second_draw_of_the_procedure_says_what_it_follows(*, told: bool) -> None:
    """A replica shows both draws; the second committee's must name the last result of the first."""
    made = begun()
    play(made)
    assert made.result is not None
    made.previous = made.result.sha256 if told else None
    made.keys = [XWing(secrets.token_bytes(32)) for _ in made.keys]
    made.draw, made.attempt, made.result, made.seated, made.openings = "D-second", 1, None, set(), []
    made.fix_policy()
    made.specify()
    play(made)
    report = verify_draw(finish(made), "audit", "audit")
    assert ("ATTEMPT_HIDDEN: a second draw of the procedure" in found(report)) != told
    assert failures(report).keys() <= {"ED-12"}


def test_a_pool_beyond_all_measure_ends_at_once() -> None:
    """A hostile spec with a pool of 2^53 is refused by its form, before a single ticket is hashed."""
    made = begun()
    play(made)
    value = loads_object(made.spec.raw)
    strata = [{**value["strata"][0], "b": 2**53 - 1}]
    huge = dumps({**value, "attempt": 2, "pool_size": 2**53 - 1, "strata": strata})
    made.attempt = 2
    made.record("specified", {"spec_sha256": sha256(made.both(huge)).hex()})
    made.record("seeded", {"beacon": None, "final_sha256": "00" * 32, "seed": "00" * 32, "void": []})
    assert "pool_size" in found(verify_draw(finish(made)))


def test_a_reveal_before_the_seal() -> None:
    made = begun()
    made.collect()
    contribution = made.contributions["notary"]
    raw = reveals.make_reveal(contribution, made.rs["notary"], "cd" * 32)
    named = sha256(made.put(raw, made.contributors["notary"])).hex()
    made.record("revealed", {"party": "notary", "reveal_sha256": named, "via": "platform"})
    made.seal()
    go_on(made)
    assert "draw.revealed not between seal and seed" in found(verify_draw(finish(made)))


def test_a_spec_that_was_changed_after_the_commitments() -> None:
    """The centre logs another spec after seeing that the notary contributes, and seals under it."""
    made = begun()
    made.collect()
    value = loads_object(made.spec.raw)
    data = made.both(dumps({**value, "call_ms": value["call_ms"] + 1}))
    made.spec = replace(made.spec, raw=data)
    made.record("specified", {"spec_sha256": made.spec.sha256})
    made.seal()
    go_on(made)
    text = found(verify_draw(finish(made)))
    assert "SPEC_FORK" in text
    assert "the seal does not follow and name the spec" in text


def test_an_excluded_index_that_was_called() -> None:
    """Somebody who must not sit is called and selected; the public sees an orderly trail, the auditor does not."""
    made = MadeDraw(DrawStory(suspended=20, replaced=False, refusing=frozenset(), unreachable=frozenset()))
    made.fill_register()
    made.fix_policy()
    made.specify()
    made.collect()
    made.seal()
    made.open_up()
    genuine, made.reasons = made.reasons, {}
    made.begin_walk()
    made.walk_on()
    made.conclude()
    made.reasons = genuine
    made.disclose()
    report = verify_draw(finish(made))
    assert "EXCLUSION_IGNORED: an excluded index was called" in found(report)
    assert {"ED-10", "ED-11"} <= failures(report).keys()
    assert "ED-07" not in failures(report)


@pytest.mark.parametrize("shown", [None, "ab"])
def test_a_beacon_is_mandatory_if_named(shown: str | None) -> None:
    """Never "if reachable"; and its bytes enter the seed."""
    made = MadeDraw(DrawStory(), lie("ed1.spec", lambda f: f.update(beacon={"name": "drand", "round": 7})))
    made.fill_register()
    made.fix_policy()
    made.specify()
    made.spec = replace(made.spec, beacon=None)
    made.twist = lie("draw.seeded", lambda f: f.update(beacon=shown))
    made.collect()
    made.seal()
    made.open_up()
    report = verify_draw(finish(made))
    assert ("a beacon exactly if the spec names one" in found(report)) == (shown is None)
    assert "the seed is" in found(report) or shown is None
    assert "ED-06" in failures(report)
