"""TE-02: refusals by the platform's own fault move a deadline or block its close, and every lie is found (TE1 T6)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.made_bidding import report_clock
from tests.support.made_log import Entry
from tests.support.made_tender import MINUTE, TENDER, Tender
from tests.verifier.test_extensions import RULE, found, move, until_bidding

BY_REFUSAL = {**RULE, "triggers": ["refusal"]}
DRAIN_MS = 5_000
NOT_MOVED = "closed although the platform had refused"


def refused(tender: Tender, arrival: int, code: str = "busy", queue_ms: int = 4_000, subject: str = "lot:1") -> Entry:
    """Log a refusal of what arrived at ``arrival`` and waited for ``queue_ms``."""
    tender.wait(arrival + queue_ms)
    body = {"code": code, "envelope_sha256": "ab" * 32, "queue_ms": queue_ms, "received_at": arrival + queue_ms}
    return tender.record("bid.refused", body, subject, public=False)


def moved_by(tender: Tender, arrival: int, *hs: str, later: int = 0) -> None:
    """Move the deadline by what arrived at ``arrival``; ``later`` (ms) is a lie about it."""
    tender.wait(tender.close + DRAIN_MS)
    earliest = max(arrival + BY_REFUSAL["extend_ms"], tender.now + 1_000 + 30 * MINUTE)
    close = -(-earliest // MINUTE) * MINUTE + later
    move(tender, list(hs), lambda _: {"cause": "refusal", "close": close})


@pytest.mark.parametrize("kind", ["audit", "auditor", "public"])
@pytest.mark.parametrize(
    ("code", "queue_ms", "after"),
    [
        ("busy", 4_000, -1_300),
        ("bid.late", 1, -1),
        ("clock.hold", 0, DRAIN_MS),
        ("bid.closed", 0, -60 * MINUTE),
    ],
)
def test_what_the_platform_refused_in_time_moves_the_deadline(kind: str, code: str, queue_ms: int, after: int) -> None:
    tender = until_bidding(BY_REFUSAL)
    arrival = tender.close + after
    moved_by(tender, arrival, refused(tender, arrival, code, queue_ms).h)
    assert found(tender, kind) == {}


@pytest.mark.parametrize(
    ("code", "queue_ms", "after"),
    [
        ("bid.late", 0, 0),  # late by its own arrival
        ("bid.late", 100, 0),
        ("busy", 4_000, 0),
        ("sig.invalid", 4_000, -1_000),  # not for time
        ("clock.hold", 0, DRAIN_MS + 1),  # outside the window
    ],
)
def test_what_the_bidder_caused_or_nobody_counts_moves_nothing(code: str, queue_ms: int, after: int) -> None:
    tender = until_bidding(BY_REFUSAL)
    arrival = tender.close + after
    moved_by(tender, arrival, refused(tender, arrival, code, queue_ms).h)
    assert any("does not move a deadline" in each for each in found(tender)["TE-02"])


@pytest.mark.parametrize("subject", ["lot:1", "lot:2"])
def test_an_invented_refusal_and_one_of_another_lot_are_found(subject: str) -> None:
    tender = until_bidding(BY_REFUSAL)
    arrival = tender.close - 1_000
    logged = refused(tender, arrival, subject=subject)
    moved_by(tender, arrival, logged.h if subject == "lot:2" else "ab" * 32)
    assert any("no refusal of this lot" in each for each in found(tender)["TE-02"])


def test_the_last_refusal_counts_and_no_other_is_named() -> None:
    """Another that came later was left out; both named would tell how many there were."""
    for both, text in ((False, "not the last refusal"), (True, "more than the last refusal")):
        tender = until_bidding(BY_REFUSAL)
        arrivals = (tender.close - 3_000, tender.close - 2_000)
        first, last = (refused(tender, arrival).h for arrival in arrivals)
        moved_by(tender, arrivals[1 if both else 0], *((last, first) if both else (first,)))
        assert any(text in each for each in found(tender)["TE-02"])
        assert both == (found(tender, "public") != {})  # the public cannot know what was left out


@pytest.mark.parametrize("kind", ["audit", "public"])
def test_a_move_that_names_no_refusal_is_a_finding(kind: str) -> None:
    tender = until_bidding(BY_REFUSAL)
    arrival = tender.close - 1_000
    refused(tender, arrival)
    moved_by(tender, arrival)
    wrong = found(tender, kind)["TE-02"]
    assert any("than the last refusal" in each for each in wrong)
    assert not any("Error" in each for each in wrong), "the check has not broken down over it"


def test_a_refusal_that_the_closer_could_not_see_is_not_demanded() -> None:
    """It was logged while the extension was; a second earlier it would have counted."""
    tender = until_bidding(BY_REFUSAL)
    arrival = tender.close - 1_000
    named = refused(tender, arrival)
    tender.wait(tender.close + 20_000)
    unseen = {"code": "busy", "envelope_sha256": "cd" * 32, "queue_ms": 0, "received_at": arrival + 500}
    tender.record("bid.refused", unseen, "lot:1", public=False)
    moved_by(tender, arrival, named.h)
    assert found(tender) == {}


@pytest.mark.parametrize(("later", "bad"), [(-MINUTE, False), (2 * MINUTE, False), (3 * MINUTE, True), (-1_000, True)])
def test_the_public_sees_the_bounds_of_such_a_deadline(later: int, *, bad: bool) -> None:
    """Whose refusal it was stays hidden; which deadlines a refusal can give at all does not."""
    tender = until_bidding(BY_REFUSAL)
    arrival = tender.close - 60_500
    moved_by(tender, arrival, refused(tender, arrival).h, later=later)
    assert ("no refusal moves" in str(found(tender, "public"))) is bad
    assert any("that follows by rule" in each for each in found(tender, "auditor")["TE-02"])


def test_consent_to_another_cause_does_not_cover_refusals() -> None:
    tender = until_bidding()
    arrival = tender.close - 1_000
    moved_by(tender, arrival, refused(tender, arrival).h)
    assert any("did not consent" in each for each in found(tender)["TE-02"])


@pytest.mark.parametrize("rule", [None, RULE, BY_REFUSAL])
def test_no_lot_is_closed_over_such_a_refusal(rule: dict[str, Any] | None) -> None:
    tender = until_bidding(rule)
    refused(tender, tender.close - 1_000, "bid.late", 1_500)
    tender.wait(tender.close + 10_000)
    assert any(NOT_MOVED in each for each in found(tender)["TE-02"])


@pytest.mark.parametrize(("after", "moves"), [(-1, False), (0, False), (1, True)])
def test_a_refusal_so_early_that_nothing_moves_does_not_hold_up_the_close(after: int, *, moves: bool) -> None:
    tender = until_bidding({**BY_REFUSAL, "extend_ms": 30 * MINUTE})
    refused(tender, tender.close - 30 * MINUTE + after, queue_ms=0)
    assert (NOT_MOVED in str(found(tender))) is moves


def test_whoever_was_late_by_one_deadline_is_not_in_time_by_the_next() -> None:
    tender = until_bidding(BY_REFUSAL)
    arrival = tender.close - 1_000
    named = refused(tender, arrival)
    refused(tender, tender.close + 100, "bid.late", 0)
    refused(tender, tender.close + 200, "busy", 4_000)
    tender.wait(tender.close + 20_000)
    moved_by(tender, arrival, named.h)
    assert found(tender) == {}


@pytest.mark.parametrize("wait", [-50 * MINUTE + 10_000, 10_000])
def test_what_the_agency_decided_about_after_the_deadline_is_settled(wait: int) -> None:
    """An extension signed before the deadline decides nothing: it may know of no refusal."""
    tender = until_bidding({**BY_REFUSAL, "extend_ms": 240 * MINUTE})
    due = tender.close
    refused(tender, due - 50 * MINUTE)
    tender.wait(due + wait)
    tender.extend()
    assert (NOT_MOVED in str(found(tender))) is (wait < 0)


@pytest.mark.parametrize("reason", ["refusal", "clock"])
def test_agency_and_supervisor_may_confirm_the_deadline(reason: str) -> None:
    tender = until_bidding(None)
    refused(tender, tender.close - 1_000)
    report_clock(tender)
    tender.wait(tender.close + 2 * MINUTE)
    tender.record("closing.blocked", {"lot": "1", "reason": reason, "stage": "all"})
    place = {"lot": "1", "reason": reason, "stage": "all", "tender": TENDER}
    fields = {"close": tender.close, "created": tender.now, "typ": "mb.closing-confirmation", **place}
    digest = tender.document(fields, tender.agency, tender.supervisor)
    tender.record("closing.confirmed", {"doc_sha256": digest, "lot": "1", "reason": reason, "stage": "all"})
    assert (NOT_MOVED in str(found(tender))) is (reason == "clock")
