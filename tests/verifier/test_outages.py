"""TE-02: a deadline that an outage moved is recomputed from the probes of both vantage points (TE1 T6)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.made_log import Entry
from tests.support.made_tender import MINUTE, Tender
from tests.verifier.test_extensions import RULE, found, move, until_bidding

BY_OUTAGE = {**RULE, "triggers": ["outage"]}
BOTH = ("operator", "supervisor")


def probe(tender: Tender, vantage: str, start: int, *, ok: bool) -> Entry:
    """Log a probe with its own instants, now."""
    body = {"from": start, "ms": 1_000, "ok": ok, "reason": None if ok else "timeout", "vantage": vantage}
    return tender.log.append("availability.state", body, at=tender.now, subject=f"vantage:{vantage}", procedure=None)


def down(tender: Tender, first: int, last: int, vantages: tuple[str, ...] = BOTH) -> list[str]:
    """Log after recovery, one vantage point after the other, that the platform was down; return the evidence."""
    tender.wait(max(tender.now, last + 5_000))
    hs = []
    for vantage in vantages:
        told = [(first, False), ((first + last) // 2, False), (last - 1_000, True)]
        probe(tender, vantage, first - 30_000, ok=True)
        hs += [probe(tender, vantage, start, ok=ok).h for start, ok in told]
    return hs


def moved_by(tender: Tender, until: int, hs: list[str]) -> None:
    tender.wait(tender.close + 5_000)
    earliest = max(until + RULE["extend_ms"], tender.now + 1_000 + 30 * MINUTE)
    close = -(-earliest // MINUTE) * MINUTE
    move(tender, hs, lambda _: {"cause": "outage", "close": close})


@pytest.mark.parametrize("kind", ["audit", "auditor", "public"])
@pytest.mark.parametrize(("first", "last"), [(-20, -10), (-2, 20), (0, 1)])
def test_an_outage_that_both_saw_moves_the_deadline(kind: str, first: int, last: int) -> None:
    """Long enough before it, in progress at it, or just beginning."""
    tender = until_bidding(BY_OUTAGE)
    until = tender.close + last * MINUTE
    moved_by(tender, until, down(tender, tender.close + first * MINUTE, until))
    assert found(tender, kind) == {}


def test_several_outages_add_up_and_all_are_evidence() -> None:
    tender = until_bidding(BY_OUTAGE)
    due = tender.close
    hs = down(tender, due - 30 * MINUTE, due - 24 * MINUTE) + down(tender, due - 10 * MINUTE, due - 6 * MINUTE)
    moved_by(tender, due - 6 * MINUTE, hs)
    assert found(tender) == {}


@pytest.mark.parametrize(
    ("first", "last", "vantages"),
    [
        (-20 * MINUTE, -10 * MINUTE - 1, BOTH),  # a millisecond too short
        (1, 20 * MINUTE, BOTH),  # after the deadline
        (-20 * MINUTE, 20 * MINUTE, BOTH[:1]),  # one vantage point alone proves nothing
        (-20 * MINUTE, 20 * MINUTE, ("operator", "elsewhere")),
    ],
)
def test_what_is_no_outage_at_the_deadline_moves_nothing(first: int, last: int, vantages: tuple[str, ...]) -> None:
    tender = until_bidding(BY_OUTAGE)
    until = tender.close + last
    moved_by(tender, until, down(tender, tender.close + first, until, vantages))
    assert any("does not move a deadline" in each for each in found(tender)["TE-02"])


@pytest.mark.parametrize("left_out", [0, 1, 2])
def test_one_failed_probe_is_no_failure_and_evidence_without_an_end_moves_nothing(left_out: int) -> None:
    """Of each vantage point a failed probe, the other one or the good one is left out of the evidence."""
    tender = until_bidding(BY_OUTAGE)
    until = tender.close + 20 * MINUTE
    hs = down(tender, tender.close - 20 * MINUTE, until)
    moved_by(tender, until, [h for place, h in enumerate(hs) if place % 3 != left_out])
    assert any("does not move a deadline" in each for each in found(tender)["TE-02"])


def test_an_invented_good_probe_and_one_that_was_left_out_are_found_in_the_whole_log() -> None:
    """The operator says nothing of a good probe in between, by which there was no outage at all."""
    tender = until_bidding(BY_OUTAGE)
    until = tender.close + 20 * MINUTE
    hs = down(tender, tender.close - 20 * MINUTE, until)
    good = probe(tender, "supervisor", tender.close - 15 * MINUTE, ok=True)
    assert good.h not in hs
    moved_by(tender, until, hs)
    assert any("not all that the log tells" in each for each in found(tender)["TE-02"])


@pytest.mark.parametrize(
    ("first", "last", "vantages", "lies"),
    [
        (-20 * MINUTE, -10 * MINUTE, BOTH, True),
        (-2 * MINUTE, 20 * MINUTE, BOTH, True),  # in progress at the deadline
        (-20 * MINUTE, -10 * MINUTE - 1, BOTH, False),  # a millisecond too short
        (-20 * MINUTE, 20 * MINUTE, BOTH[:1], False),  # one vantage point alone
    ],
)
@pytest.mark.parametrize("rule", [None, RULE, BY_OUTAGE])  # with and without consent
def test_a_lot_that_was_closed_over_an_outage_is_found(
    rule: dict[str, Any] | None, first: int, last: int, vantages: tuple[str, ...], *, lies: bool
) -> None:
    tender = until_bidding(rule)
    down(tender, tender.close + first, tender.close + last, vantages)
    tender.wait(max(tender.now, tender.close + 10_000))
    told = found(tender)
    assert any("closed although probes had told an outage" in each for each in told.get("TE-02", [])) is lies
    assert found(tender, "auditor") == {}  # only the whole log shows what the probes told


def test_a_hold_is_no_evidence_of_an_outage() -> None:
    tender = until_bidding(BY_OUTAGE)
    until = tender.close + 20 * MINUTE
    hs = down(tender, tender.close - 20 * MINUTE, until)
    held = tender.log.append(
        "clock.hold", {"host": "sequencer", "reason": "drill"}, at=tender.now, subject="host:sequencer", procedure=None
    )
    moved_by(tender, until, [*hs, held.h])
    assert any("is no evidence of outage" in each for each in found(tender)["TE-02"])
