"""TE-07: what the whole log tells of the clocks around a deadline (TE1 T3)."""

from __future__ import annotations

import pytest

from tests.support import made_bidding
from tests.support.made_bidding import bid_round, close_bidding
from tests.support.made_tender import CLOSE, MINUTE, SCENARIOS, Tender, Twist
from tests.support.verifying import failures, told, verify_told


def until_bidding(twist: Twist | None = None) -> Tender:
    tender = Tender(SCENARIOS["clean"], twist)
    tender.register()
    tender.fix_policy()
    tender.publish()
    bid_round(tender)
    return tender


def found(tender: Tender) -> list[str]:
    """What an audit of the whole log says of the clocks."""
    tender.checkpoint = tender.log.witness(tender.now + 1000)
    return failures(verify_told(tender, "audit")).get("TE-07", [])


def record_of_clock(tender: Tender, kind: str, at: int) -> None:
    more = {"reason": "drill"} if kind == "clock.hold" else {"size": 1}
    tender.wait(at)
    body = {"host": "sequencer", **more}
    entry = tender.log.append(kind, body, at=at, subject="host:sequencer", procedure=None)
    tender.hidden.add(entry.n)


@pytest.mark.parametrize(
    ("begun", "ended", "void"),
    [
        (CLOSE - 10 * MINUTE, CLOSE - 2 * MINUTE - 1, False),
        (CLOSE - 10 * MINUTE, CLOSE - 2 * MINUTE, True),
        (CLOSE - 10 * MINUTE, None, True),
    ],
)
def test_a_deadline_inside_a_hold_is_not_closed(
    monkeypatch: pytest.MonkeyPatch, begun: int, ended: int | None, *, void: bool
) -> None:
    monkeypatch.setattr(made_bidding, "STATES_BEFORE_MS", (120_000, 60_000))
    tender = until_bidding()
    record_of_clock(tender, "clock.hold", begun)
    if ended is not None:
        record_of_clock(tender, "clock.released", ended)
    close_bidding(tender)
    assert any("on hold" in text for text in found(tender)) is void


@pytest.mark.parametrize(
    ("before", "gap"),
    [
        ((240_000, 120_000, 1), False),
        ((240_001, 119_999, 1), True),
        ((120_000, 0), False),
        ((125_000,), True),
        ((), True),
    ],
)
def test_the_database_clock_is_told_every_two_minutes_around_a_deadline(
    monkeypatch: pytest.MonkeyPatch, before: tuple[int, ...], *, gap: bool
) -> None:
    monkeypatch.setattr(made_bidding, "STATES_BEFORE_MS", before)
    tender = until_bidding()
    close_bidding(tender)
    assert any("no clock state" in text for text in found(tender)) is gap


@pytest.mark.parametrize(
    ("told_of_it", "text"),
    [
        ({"synchronised": False}, "not synchronised"),
        ({"offset_us": -499_101}, "wrong by 500001"),
        ({"offset_us": -499_100}, None),
        ({"host": "sequencer"}, "no clock state"),
    ],
)
def test_a_sick_clock_is_found(told_of_it: dict[str, object], text: str | None) -> None:
    tender = told("clean", lambda kind, fields: {**fields, **told_of_it} if kind == "clock.state" else fields)
    texts = failures(verify_told(tender, "audit")).get("TE-07", [])
    assert texts == [] if text is None else any(text in each for each in texts)


def test_a_bundle_of_one_procedure_says_nothing_of_clocks() -> None:
    """What is left out of it may be the record that matters."""
    tender = told("clean", lambda kind, fields: {**fields, "synchronised": False} if kind == "clock.state" else fields)
    assert "TE-07" not in failures(verify_told(tender))
