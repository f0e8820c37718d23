"""TE-02: a deadline that moved by rule is recomputed from its evidence, and every lie about it is found (TE1 T6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.made_bidding import bid_round, close_bidding, report_clock
from tests.support.made_log import Entry
from tests.support.made_tender import CLOSE, LOT, MINUTE, SCENARIOS, TENDER, Tender, Twist
from tests.support.verifying import failures, state_of, verify_told
from verifier.report import STATE_OK

RULE: dict[str, Any] = {
    "extend_ms": 120 * MINUTE,
    "look_back_ms": 120 * MINUTE,
    "min_outage_ms": 10 * MINUTE,
    "triggers": ["clock"],
}
Lie = Callable[[dict[str, Any]], dict[str, Any]]


def with_rule(rule: dict[str, Any] | None) -> Twist:
    return lambda kind, fields: {**fields, "extension_rule": rule} if kind == "mb.schedule" else fields


def until_bidding(rule: dict[str, Any] | None = RULE) -> Tender:
    tender = Tender(SCENARIOS["clean"], with_rule(rule))
    tender.register()
    tender.fix_policy()
    tender.publish()
    bid_round(tender)
    return tender


def clock(tender: Tender, kind: str, at: int, host: str = "database") -> Entry:
    tender.wait(at)
    body = {"host": host, **({"reason": "drill"} if kind == "clock.hold" else {"size": 1})}
    return tender.log.append(kind, body, at=at, subject=f"host:{host}", procedure=None)


def held(tender: Tender) -> list[str]:
    """A hold from a minute before the deadline to a minute after; its evidence."""
    begun = clock(tender, "clock.hold", tender.close - MINUTE)
    return [begun.h, clock(tender, "clock.released", tender.close + MINUTE).h]


def move(tender: Tender, hs: list[str], lie: Lie | None = None, **told: Any) -> None:  # noqa: ANN401 - body fields
    """Log the derived schedule, with a lie about it if one is given."""
    following = {
        **tender.schedule,
        "cause": "clock",
        "close": tender.close + MINUTE + 120 * MINUTE,
        "evidence": hs,
        "seq": tender.schedule["seq"] + 1,
        "supersedes": tender.schedule_sha256,
    }
    tender.schedule = following if lie is None else {**following, **lie(following)}
    tender.schedule_sha256 = tender.document(tender.schedule)
    tender.close = tender.schedule["close"]
    named = {"notice_sha256": tender.notice_sha256, "schedule_sha256": tender.schedule_sha256}
    told = {"cause": tender.schedule["cause"], "evidence": tender.schedule["evidence"], **told}
    tender.record("tender.changed", {**named, **told, **LOT})


def found(tender: Tender, kind: str = "audit") -> dict[str, list[str]]:
    """What fails after the close."""
    if not hasattr(tender, "closed"):
        close_bidding(tender)
    tender.checkpoint = tender.log.witness(tender.now + 1000)
    report = verify_told(tender, kind, "bidders" if kind == "public" else "audit")
    if not failures(report):
        assert state_of(report, "TE-02") == STATE_OK
    return failures(report)


@pytest.mark.parametrize("kind", ["audit", "auditor", "public"])
@pytest.mark.parametrize("times", [1, 3])
def test_a_deadline_that_moved_by_rule_is_recomputed(kind: str, times: int) -> None:
    tender = until_bidding()
    for _ in range(times):
        move(tender, held(tender))
    assert found(tender, kind) == {}


def test_a_late_extension_leaves_half_an_hour() -> None:
    tender = until_bidding()
    evidence = held(tender)
    tender.wait(tender.close + 100 * MINUTE + 10_000)
    move(tender, evidence, lambda told: {"close": told["close"] + 10 * MINUTE})  # at + 30 min, the next full minute
    assert found(tender) == {}


@pytest.mark.parametrize(
    ("lie", "text"),
    [
        (lambda told: {"close": told["close"] + MINUTE}, "that follows by rule"),
        (lambda told: {"close": told["close"] - MINUTE}, "that follows by rule"),
        (lambda told: {"evidence": told["evidence"][:1]}, "does not move a deadline"),
        (lambda told: {"evidence": told["evidence"][::-1]}, "out of log order"),
        (lambda told: {"evidence": [*told["evidence"], "ab" * 32]}, "not in the bundle"),
        (lambda _: {"cause": "outage"}, "did not consent"),
    ],
)
def test_a_lie_in_the_schedule_is_found(lie: Lie, text: str) -> None:
    tender = until_bidding()
    move(tender, held(tender), lie)
    assert any(text in each for each in found(tender)["TE-02"])


def test_without_consent_no_deadline_moves() -> None:
    for rule in (None, {**RULE, "triggers": ["outage"]}):
        tender = until_bidding(rule)
        move(tender, held(tender))
        assert any("did not consent" in each for each in found(tender)["TE-02"])


def test_a_fourth_time_is_too_often() -> None:
    tender = until_bidding()
    for _ in range(4):
        move(tender, held(tender))
    assert any("only three" in each for each in found(tender)["TE-02"])


def test_a_hold_elsewhere_is_no_evidence() -> None:
    """It was over two minutes before the deadline; a millisecond later it would have counted."""
    tender = until_bidding()
    begun = clock(tender, "clock.hold", tender.close - 10 * MINUTE)
    ended = clock(tender, "clock.released", tender.close - 2 * MINUTE - 1)
    tender.wait(tender.close)
    move(tender, [begun.h, ended.h])
    assert any("does not move a deadline" in each for each in found(tender)["TE-02"])


def test_evidence_that_was_left_out_is_found_in_the_whole_log() -> None:
    """A later end of another hold would have moved the deadline further; a bundle of one procedure cannot know."""
    tender = until_bidding()
    other = clock(tender, "clock.hold", tender.close - MINUTE, "sequencer")
    evidence = held(tender)
    clock(tender, "clock.released", tender.close + 5 * MINUTE, "sequencer")
    move(tender, evidence)
    assert other.h not in evidence
    assert any("not all that the log tells" in each for each in found(tender)["TE-02"])


def test_the_record_tells_what_the_schedule_tells() -> None:
    tender = until_bidding()
    move(tender, held(tender), cause="outage")
    assert any("another cause" in each for each in found(tender)["TE-02"])


def test_a_decision_of_the_agency_names_no_evidence() -> None:
    tender = until_bidding()
    move(tender, held(tender), lambda _: {"cause": None, "evidence": []}, evidence=["ab" * 32])
    assert any("no rule moved" in each for each in found(tender)["TE-02"])


def test_the_notice_in_force_stays() -> None:
    tender = until_bidding()
    move(tender, held(tender), notice_sha256="ab" * 32)
    assert any("another notice" in each for each in found(tender)["RK-03"])


def test_nobody_signs_what_follows_by_rule() -> None:
    tender = until_bidding()
    move(tender, held(tender))
    raw, _ = tender.documents[tender.schedule_sha256]
    tender.documents[tender.schedule_sha256] = (raw, [tender.agency.sign(raw)])
    assert any("is not signed" in each for each in found(tender)["AL-07"])


def confirmed(tender: Tender, *, blocked: bool = True, both: bool = True, reason: str = "clock", **lies: Any) -> None:  # noqa: ANN401
    """Block the close of a deadline inside a hold, and confirm the deadline, with lies about it."""
    report_clock(tender)
    held(tender)
    tender.wait(tender.close + 2 * MINUTE)
    if blocked:
        tender.record("closing.blocked", {"reason": "clock", **LOT})
    fields = {"close": tender.close, "created": tender.now, "reason": reason, "tender": TENDER, **LOT, **lies}
    signers = (tender.agency, tender.supervisor) if both else (tender.agency,)
    digest = tender.document({**fields, "typ": "mb.closing-confirmation"}, *signers)
    tender.record("closing.confirmed", {"doc_sha256": digest, "reason": reason, **LOT})


def test_a_deadline_inside_a_hold_counts_if_agency_and_supervisor_sign_so() -> None:
    tender = until_bidding(None)
    confirmed(tender)
    assert found(tender) == {}


@pytest.mark.parametrize(
    ("lies", "check", "text"),
    [
        ({"blocked": False}, "TE-02", "not blocked"),
        ({"reason": "refusal"}, "TE-02", "not blocked"),
        ({"reason": "refusal"}, "TE-07", "on hold"),
        ({"lot": "2"}, "TE-02", "another lot"),
        ({"lot": "2"}, "TE-07", "on hold"),
        ({"close": CLOSE + 1}, "TE-02", "another deadline"),
        ({"close": CLOSE + 1}, "TE-07", "on hold"),
    ],
)
def test_a_confirmation_of_something_else_is_found(lies: dict[str, Any], check: str, text: str) -> None:
    tender = until_bidding(None)
    confirmed(tender, **lies)
    assert any(text in each for each in found(tender)[check])


def test_one_signature_confirms_nothing() -> None:
    tender = until_bidding(None)
    confirmed(tender, both=False)
    assert {"AL-07", "TE-07"} <= found(tender).keys()
