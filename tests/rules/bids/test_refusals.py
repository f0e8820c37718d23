"""Which refusals are the platform's doing, which deadline judges them, what an agency settles (TE1 T4.3, T5)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.build.bid_documents import VECTORS
from trading.bids.model import require_in_time
from trading.bids.rules.derivation import Outage, by_outage, by_refusal
from trading.bids.rules.refusals import Deadline, Refusal, caused_by_platform, platform_caused, settled_until
from trading.kernel.errors import RuleBroken
from trading.procedures.rules.extension import ExtensionRule

CLOSE = 1_700_003_600_000
HOUR = 3_600_000
RULE = ExtensionRule(extend_ms=2 * HOUR, look_back_ms=2 * HOUR, min_outage_ms=600_000, triggers=("refusal",))
FIRST = Deadline(since=CLOSE - 24 * HOUR, close=CLOSE, signed=True)


def record(code: str, received_at: int, queue_ms: int = 0, h: str = "ab") -> dict[str, Any]:
    return {"h": h, "body": {"code": code, "received_at": received_at, "queue_ms": queue_ms, "envelope_sha256": ""}}


def arrivals(*records: dict[str, Any], deadlines: tuple[Deadline, ...] = (FIRST,)) -> list[int]:
    return [each.arrival for each in caused_by_platform(records, deadlines)]


@pytest.mark.parametrize("case", VECTORS["te1"]["refusals"])
def test_the_vectors_of_the_protocol(case: dict[str, Any]) -> None:
    code, hold = case["result"], case["result"] == "clock.hold"
    facts = {"received_at": case["received_at"], "close": case["close"]}
    if code == "accepted":
        require_in_time(**facts, phase="open", hold=False)
        return
    if code != "busy":
        with pytest.raises(RuleBroken, match=code.replace(".", r"\.")):
            require_in_time(**facts, phase=case.get("phase", "open"), hold=hold)
    caused = platform_caused(code, **facts, queue_ms=case["queue_ms"])
    assert caused is case["platform_caused"]


@pytest.mark.parametrize(
    ("told", "counts"),
    [
        (record("busy", CLOSE + 3_999, 4_000), True),
        (record("busy", CLOSE + 4_000, 4_000), False),
        (record("bid.late", CLOSE, 1), True),
        (record("bid.late", CLOSE, 0), False),
        (record("bid.late", CLOSE - 1, 1), False),  # not late by this deadline: refused by the one before
        (record("clock.hold", CLOSE), True),
        (record("bid.closed", CLOSE - 1), True),
        (record("sig.invalid", CLOSE - 1), False),
        (record("busy", FIRST.since - 1), False),  # before there was a deadline
        (record("busy", FIRST.since), True),
    ],
)
def test_only_the_platforms_own_fault_counts(told: dict[str, Any], *, counts: bool) -> None:
    assert bool(arrivals(told)) is counts


def test_each_is_judged_by_the_deadline_in_force_at_its_arrival() -> None:
    """Late by the old deadline is not in time by the new one, whoever is asked and whenever."""
    moved = Deadline(since=CLOSE + 6_000, close=CLOSE + 2 * HOUR, signed=False)
    both = (FIRST, moved)
    assert arrivals(record("bid.late", CLOSE + 5_999, 0), record("busy", CLOSE + 9_000, 4_000), deadlines=both) == []
    assert arrivals(record("bid.late", CLOSE + 6_000, 0), deadlines=both) == []  # the move had not been committed
    assert arrivals(record("busy", CLOSE + 10_000, 4_000), deadlines=both) == [CLOSE + 6_000]
    assert arrivals(record("bid.late", moved.close, 1), deadlines=both) == [moved.close - 1]


def test_the_last_arrival_moves_and_is_the_only_evidence() -> None:
    """Nobody learns from the evidence how many were refused (ADR 0052)."""
    refusals = [Refusal(h=str(number), arrival=CLOSE - after) for number, after in enumerate((5, 1, 3, 1, 4))]
    found = by_refusal(refusals, RULE, CLOSE)
    assert found is not None
    assert (found.until, found.evidence) == (CLOSE - 1, ("3",))  # of equals the last in log order
    assert by_refusal([], RULE, CLOSE) is None


@pytest.mark.parametrize(
    ("second", "settled"),
    [
        (Deadline(since=CLOSE, close=CLOSE + HOUR, signed=True), CLOSE),
        (Deadline(since=CLOSE - 1, close=CLOSE + HOUR, signed=True), 0),  # before the deadline nothing is settled
        (Deadline(since=CLOSE, close=CLOSE + HOUR, signed=False), 0),  # by rule
        (Deadline(since=CLOSE, close=CLOSE, signed=True), 0),  # a correction that does not touch the deadline
    ],
)
def test_what_the_agency_signed_after_a_deadline_settles_what_was_before(second: Deadline, settled: int) -> None:
    assert settled_until([FIRST, second]) == settled
    assert settled_until([FIRST]) == settled_until([]) == 0


@pytest.mark.parametrize(("arrival", "met"), [(CLOSE - 1, False), (CLOSE, True), (CLOSE + 1, True)])
def test_what_is_settled_moves_nothing_again(arrival: int, *, met: bool) -> None:
    later = CLOSE + HOUR
    assert (by_refusal([Refusal(h="ab", arrival=arrival)], RULE, later, settled=CLOSE) is not None) is met
    down = Outage(first=CLOSE - HOUR, last=arrival + 600_000, evidence=("ab",))
    assert (by_outage([down], RULE, later, settled=CLOSE) is not None) is met


codes = st.sampled_from(("bid.late", "busy", "bid.closed", "clock.hold", "sig.invalid", "policy.mismatch"))
instants = st.integers(CLOSE - 3 * HOUR, CLOSE + 10_000)


@given(told=st.lists(st.builds(record, codes, instants, st.integers(0, 10_000)), max_size=8), settled=instants)
def test_what_holds_of_every_set_of_refusals(told: list[dict[str, Any]], settled: int) -> None:
    """What is found is in the window, by the platform's fault, and no refusal of it came later."""
    found = by_refusal(caused_by_platform(told, [FIRST]), RULE, CLOSE, settled)
    met = {
        body["received_at"] - body["queue_ms"]
        for body in (each["body"] for each in told)
        if body["code"] in {"bid.closed", "clock.hold"}
        or (body["code"] == "busy" and body["received_at"] - body["queue_ms"] < CLOSE)
        or (body["code"] == "bid.late" and body["received_at"] - body["queue_ms"] < CLOSE <= body["received_at"])
    }
    inside = {each for each in met if max(settled, CLOSE - RULE.look_back_ms) <= each <= CLOSE + 5_000}
    assert (None if found is None else found.until) == max(inside, default=None)
    assert found is None or len(found.evidence) == 1
