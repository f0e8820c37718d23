"""Share checks, waivers, the seal, results, cancellations, attempts (ED1 D7, D10, D13)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.build.draws import PARTIES, POLICY, SEED, SPEC, contribution, settled, vector_pool
from trading.experts.rules import checks, results, seal, verdicts
from trading.experts.rules.checks import CheckCode, Checks
from trading.experts.rules.seal import Standing
from trading.experts.rules.verdicts import Effect, Verdict
from trading.experts.rules.walk import Entry, Facts, State, Walk
from trading.kernel.errors import InvalidInput, RuleBroken

DOC = "d0" * 32
OTHER = "d1" * 32
AT = 1_800_000_000_000


def said(custodian: int, codes: dict[str, CheckCode]) -> checks.ShareCheck:
    raw = checks.make_share_check(codes, custodian=custodian, draw="D-1", spec_sha256=SPEC.sha256, created=AT)
    return checks.parse_share_check(raw)


def all_ok(*but: int) -> Checks:
    found = Checks(codes={})
    for row in POLICY.custodians:
        if row.i not in but:
            found = found.add(said(row.i, {DOC: CheckCode.OK}))
    return found


def waiver(*custodians: int) -> checks.Waiver:
    return checks.parse_waiver(checks.make_waiver(custodians, draw="D-1", spec_sha256=SPEC.sha256, created=AT))


def standings(**changed: dict[str, Any]) -> list[Standing]:
    return [
        Standing(**{"party": party, "contribution_sha256": f"{j:02x}" * 32, **changed.get(party, {})})
        for j, party in enumerate(PARTIES)
    ]


def made_seal(found: list[Standing], at: int = AT, **more: Any) -> seal.Seal:  # noqa: ANN401
    return seal.make_seal(SPEC, found, specified_at=AT - SPEC.commit_ms, at=at, **more)


def test_accepted_needs_every_custodian_or_a_waiver() -> None:
    assert all_ok().lacking(DOC, POLICY) == ()
    assert all_ok(4).lacking(DOC, POLICY) == (4,)
    assert all_ok(4).waive(waiver(4)).lacking(DOC, POLICY) == ()
    bad = all_ok(4).add(said(4, {DOC: CheckCode.COMMIT_MISMATCH}))
    assert bad.lacking(DOC, POLICY) == (4,)
    assert checks.bad_documents(said(4, {DOC: CheckCode.COMMIT_MISMATCH, OTHER: CheckCode.DOC_INVALID})) == (DOC,)


def test_a_waiver_leaves_k_plus_one() -> None:
    checks.require_waiver(waiver(2), POLICY)
    with pytest.raises(RuleBroken, match=r"draw\.waiver_too_wide"):
        checks.require_waiver(waiver(2, 3), POLICY)
    with pytest.raises(RuleBroken, match=r"draw\.waiver_too_wide"):
        checks.require_waiver(waiver(9), POLICY)


def test_a_later_check_adds_and_never_contradicts() -> None:
    found = all_ok().add(said(1, {OTHER: CheckCode.OK, DOC: CheckCode.OK}))
    assert found.code(1, OTHER) is CheckCode.OK
    with pytest.raises(RuleBroken, match=r"draw\.check_contradicts"):
        found.add(said(1, {DOC: CheckCode.BAD_INDEX}))


def test_disclosure_keeps_below_the_threshold() -> None:
    assert checks.disclosure_allowed(k=3, held_by_auditor=1, disclosed_to_auditor=0)
    assert not checks.disclosure_allowed(k=3, held_by_auditor=1, disclosed_to_auditor=1)


def test_a_full_seal_may_come_at_once() -> None:
    made = made_seal(standings(), at=AT - SPEC.commit_ms)
    assert [item.party for item in made.contributions] == list(PARTIES)
    body = {**made.to_json(), "attempt": 1, "draw": "D-1"}
    assert seal.read_seal(body, SPEC) == made
    with pytest.raises(InvalidInput):
        seal.read_seal({**body, "contributions": body["contributions"][:3]}, SPEC)
    with pytest.raises(InvalidInput):
        seal.read_seal({**body, "attempt": 2}, SPEC)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"contribution_sha256": None}, "absent"),
        ({"malformed": True}, "malformed"),
        ({"dealt_bad": True}, "dealt_bad"),
    ],
)
def test_nobody_is_left_out_before_the_commit_phase_is_over(changed: dict[str, Any], reason: str) -> None:
    found = standings(notary=changed)
    made = made_seal(found)
    assert made.left_out == (seal.LeftOut(party="notary", reason=reason),)
    with pytest.raises(RuleBroken, match=r"draw\.seal_early"):
        made_seal(found, at=AT - 1)


def test_for_lack_of_ok_nobody_is_left_out() -> None:
    with pytest.raises(RuleBroken, match=r"draw\.unchecked") as caught:
        made_seal(standings(notary={"lacking": (4,)}))
    assert caught.value.facts["custodians"] == [4]
    with pytest.raises(RuleBroken, match=r"draw\.escrow_unchecked"):
        made_seal(standings(), escrows_lacking=[2])


def test_too_few_accepted() -> None:
    with pytest.raises(RuleBroken, match=r"draw\.too_few"):
        made_seal(standings(notary={"contribution_sha256": None}, agency={"malformed": True}))


def walked(*more: Entry) -> tuple[Walk, list[bytes]]:
    entrants = vector_pool().entrants
    walk = Walk(SPEC, SEED, Facts(excluded=lambda index: index == 2, entrant=entrants.__getitem__))
    at = AT
    trail: list[bytes] = []
    while not walk.finished:
        at += 1000
        step = walk.next_step()
        entry = (
            Entry(index=step.index, stratum=step.stratum, at=at, state=step.state)
            if step is not None
            else Entry(
                index=walk.pending[0],
                stratum="S07" if walk.pending[0] < 10 else "S11",
                at=at,
                state=State.SELECTED,
            )
        )
        walk.apply(entry)
        trail.append(at.to_bytes(32, "big"))
    for entry in more:
        walk.apply(entry)
        trail.append(entry.at.to_bytes(32, "big"))
    return walk, trail


def test_a_result_and_its_successor() -> None:
    walk, trail = walked()
    first = results.parse_result(results.make_result(walk, SEED, trail))
    assert (first.seq, first.supersedes) == (1, None)
    assert not results.is_incomplete(first, SPEC)
    gone = first.selected[0]
    walk.apply(Entry(index=gone.index, stratum=gone.stratum, at=AT, state=State.REPLACED, reason_commit=bytes(32)))
    with pytest.raises(RuleBroken, match=r"draw\.unfinished"):
        results.make_result(walk, SEED, trail, first)
    while not walk.finished:
        step = walk.next_step()
        entry = (
            Entry(index=step.index, stratum=step.stratum, at=AT, state=step.state)
            if step is not None
            else Entry(index=walk.pending[0], stratum=gone.stratum, at=AT, state=State.SELECTED)
        )
        walk.apply(entry)
        trail.append(bytes(32))
    second = results.parse_result(results.make_result(walk, SEED, trail, first))
    assert (second.seq, second.supersedes) == (2, first.sha256)
    assert gone not in second.selected


def test_cancellation_after_the_seal_needs_a_cause_that_holds() -> None:
    results.make_cancel(SPEC, "operator_error", created=AT, sealed=False)
    results.make_cancel(SPEC, "unrecoverable", created=AT, sealed=True, holds=True)
    for reason, holds in (("operator_error", True), ("unrecoverable", False)):
        with pytest.raises(RuleBroken, match=r"draw\.reroll"):
            results.make_cancel(SPEC, reason, created=AT, sealed=True, holds=holds)


def cancelled(reason: str) -> results.Cancel:
    return results.parse_cancel(
        results.CANCEL.write({"attempt": 1, "created": AT, "draw": "D-1", "reason": reason, "spec_sha256": SPEC.sha256})
    )


def test_attempts_follow_one_another() -> None:
    ended = cancelled("unrecoverable")
    second = replace(SPEC, attempt=2, previous=ended.sha256, raw=b"second")
    results.require_next_attempt(second, SPEC, ended, sealed=True)
    results.require_next_attempt(SPEC, None, None, sealed=False)
    with pytest.raises(RuleBroken, match=r"draw\.attempt_hidden"):
        results.require_next_attempt(replace(second, previous="00" * 32), SPEC, ended, sealed=True)
    with pytest.raises(RuleBroken, match=r"draw\.attempt_hidden"):
        results.require_next_attempt(replace(second, attempt=3), SPEC, ended, sealed=True)
    with pytest.raises(RuleBroken, match=r"draw\.attempt_hidden"):
        results.require_next_attempt(SPEC, SPEC, None, sealed=True)
    with pytest.raises(RuleBroken, match=r"draw\.spec_fork"):
        results.require_next_attempt(SPEC, None, None, sealed=False, specs={SPEC.sha256, "00" * 32})


@pytest.mark.parametrize(
    ("reason", "sealed", "allowed"),
    [
        ("operator_error", False, True),
        ("operator_error", True, False),
        ("stopped", True, False),
        ("too_few_valid", True, True),
    ],
)
def test_no_reroll(reason: str, *, sealed: bool, allowed: bool) -> None:
    ended = cancelled(reason)
    second = replace(SPEC, attempt=2, previous=ended.sha256)
    if allowed:
        results.require_next_attempt(second, SPEC, ended, sealed=sealed)
        return
    with pytest.raises(RuleBroken, match=r"draw\.reroll"):
        results.require_next_attempt(second, SPEC, ended, sealed=sealed)


def test_a_complete_result_allows_no_further_attempt_of_its_draw() -> None:
    walk, trail = walked()
    ended = results.parse_result(results.make_result(walk, SEED, trail))
    again = replace(SPEC, attempt=2, previous=ended.sha256)
    with pytest.raises(RuleBroken, match=r"draw\.reroll"):
        results.require_next_attempt(again, SPEC, ended, sealed=True)
    short = replace(ended, selected=ended.selected[:2])
    results.require_next_attempt(replace(again, previous=short.sha256), SPEC, short, sealed=True)
    other = replace(again, draw="D-2", attempt=1)
    results.require_next_attempt(other, SPEC, ended, sealed=True)


def test_what_parties_and_custodians_are_called() -> None:
    made = made_seal(standings(notary={"contribution_sha256": None}))
    outcome = settled(contribution("agency"))
    assert [(item.verdict, item.party) for item in verdicts.of_parties(made, [outcome])] == [
        (Verdict.PARTY_ABSENT, "notary"),
        (Verdict.PARTY_WITHHELD, "agency"),
    ]
    named = verdicts.of_custodians(DOC, all_ok(5), good={1, 2, 3}, answered={1, 2, 3, 4})
    assert [(item.verdict, item.custodian) for item in named] == [(Verdict.CUSTODIAN_BAD_SHARE, 4)]
    silent = verdicts.of_custodians(DOC, all_ok(), good={1, 2, 3}, answered={1, 2, 3, 4})
    assert (silent[-1].verdict, silent[-1].custodian) == (Verdict.CUSTODIAN_NO_RELEASE, 5)
    assert verdicts.EFFECTS.keys() == set(Verdict)
    assert verdicts.effect_of_early_share(sealed=False) is Effect.CANCELLED
    assert verdicts.effect_of_early_share(sealed=True) is Effect.GOES_ON


def test_suppression_is_proved_by_position_or_token_only() -> None:
    where = {"sealed_n": 100, "sealed_lower_ms": AT}
    assert verdicts.is_suppressed(receipt_n=99, stamped_ms=None, **where)
    assert not verdicts.is_suppressed(receipt_n=101, stamped_ms=None, **where)
    assert verdicts.is_suppressed(receipt_n=None, stamped_ms=AT - 1, **where)
    assert not verdicts.is_suppressed(receipt_n=None, stamped_ms=AT, **where)
    assert not verdicts.is_suppressed(receipt_n=None, stamped_ms=None, **where)
