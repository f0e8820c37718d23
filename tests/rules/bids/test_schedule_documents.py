from __future__ import annotations

from typing import Any

import pytest

from tests.build.bid_documents import SCHEDULE, raw, without
from trading.bids.rules.schedule import MIN_NOTICE_MS, Schedule, parse_schedule, require_chain, require_successor
from trading.kernel.errors import InvalidInput, RuleBroken

FIRST = parse_schedule(raw(SCHEDULE))
CLOSE = FIRST.close


def after(**changes: Any) -> Schedule:  # noqa: ANN401 - any field
    return parse_schedule(
        raw({**SCHEDULE, "seq": 2, "supersedes": FIRST.sha256, "close": CLOSE + 3_600_000}, **changes)
    )


@pytest.mark.parametrize("name", sorted(set(SCHEDULE)))
def test_every_field_is_required(name: str) -> None:
    with pytest.raises(InvalidInput, match=r"doc\.bad_field"):
        parse_schedule(without(SCHEDULE, name))


@pytest.mark.parametrize(
    "changes",
    [
        {"close": CLOSE + 1},
        {"close": -1000},
        {"close": "1"},
        {"close": "2026-05-12T09:30:00Z"},  # instants are integers: no text is read, whatever its offset
        {"cause": "weather"},
        {"cause": "clock"},
        {"evidence": ["ab" * 32]},
        {"evidence": ["zz"]},
        {"seq": 0},
        {"seq": 2},
        {"supersedes": "ab" * 32},
        {"cause": "clock", "evidence": ["ab" * 32]},
        {"factor_window_ms": -1},
        {"rescue_ms": None},
        {"intake": {"origin": "x"}},
        {"extension_rule": {**SCHEDULE["extension_rule"], "extend_ms": 1_799_999}},
        {"extension_rule": {**SCHEDULE["extension_rule"], "triggers": ["refusal", "clock"]}},
        {"extension_rule": {**SCHEDULE["extension_rule"], "triggers": ["strike"]}},
    ],
)
def test_malformed_schedules(changes: dict[str, object]) -> None:
    with pytest.raises(InvalidInput, match=r"doc\."):
        parse_schedule(raw(SCHEDULE, **changes))


def test_forms_that_are_allowed() -> None:
    intake = parse_schedule(raw(SCHEDULE, intake={"origin": "intake.example", "vkey": "k"}, extension_rule=None)).intake
    assert intake is not None
    assert intake.origin == "intake.example"
    assert after(cause="outage", evidence=["ab" * 32, "01" * 32]).evidence == ("ab" * 32, "01" * 32)
    assert FIRST.place == ("T-1", "1", "price")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, None),
        ({"close": CLOSE, "factor_window_ms": 60_000}, None),
        ({"close": CLOSE - 1000}, "schedule.earlier_close"),
        ({"seq": 3}, "schedule.chain_broken"),
        ({"supersedes": "ab" * 32}, "schedule.chain_broken"),
        ({"tender": "T-2"}, "schedule.field_changed"),
        ({"lot": "2"}, "schedule.field_changed"),
        ({"stage": "all"}, "schedule.field_changed"),
        ({"extension_rule": None}, "schedule.field_changed"),
        ({"intake": {"origin": "o", "vkey": "k"}}, "schedule.field_changed"),
    ],
)
def test_what_may_follow_a_schedule(changes: dict[str, Any], code: str | None) -> None:
    if code is None:
        require_successor(FIRST, after(**changes))
        return
    with pytest.raises(RuleBroken) as caught:
        require_successor(FIRST, after(**changes))
    assert caught.value.code == code


@pytest.mark.parametrize(("early", "refused"), [(0, False), (1, True), (-1, False)])
def test_a_change_leaves_thirty_minutes(early: int, refused: bool) -> None:  # noqa: FBT001 - table
    changed_at = after().close - MIN_NOTICE_MS + early
    if not refused:
        require_successor(FIRST, after(), changed_at)
        return
    with pytest.raises(RuleBroken, match=r"schedule\.too_soon"):
        require_successor(FIRST, after(), changed_at)


def test_a_chain_starts_at_the_first_and_is_unbroken() -> None:
    second = after()
    third = after(seq=3, supersedes=second.sha256, close=second.close + 1000)
    assert require_chain((FIRST, second, third)) is third
    for broken in ((), (second, third), (FIRST, third)):
        with pytest.raises(RuleBroken, match=r"schedule\.chain_broken"):
            require_chain(broken)
