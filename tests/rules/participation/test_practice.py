"""How much practice there may be, at each bound: before, at and after it (ADR 0061)."""

from __future__ import annotations

import pytest

from trading.kernel.credit_code import is_credit_code
from trading.kernel.errors import InvalidInput, RuleBroken
from trading.kernel.ids import is_practice, new_practice_reference, new_procedure_reference
from trading.participation.rules.commands import PRACTICE_TRUST, Case, commands
from trading.participation.rules.practice import (
    DAY_MS,
    ENDS_MS,
    MINUTE_MS,
    MINUTES,
    MOST_A_DAY,
    MOST_AT_ONCE,
    MOST_HERE,
    MOST_TODAY,
    PARTIES,
    Held,
    deadline,
    leaves_time,
    require_room,
    specification,
)
from trading.procedures.rules.spec import parse_spec

NOW = 1_778_551_200_000
OPEN = Held(asked_at=NOW - 1, phase="open", close_at=NOW + MINUTE_MS)


def refusal(**values: list[int] | list[Held]) -> str | None:
    given: dict[str, list[int] | list[Held]] = {"asked_at": [], "today": [], "own": [], "everybody": []}
    try:
        require_room(NOW, **{**given, **values})  # type: ignore[arg-type]  # each has the type of its name
    except RuleBroken as error:
        return error.code
    return None


@pytest.mark.parametrize(
    ("name", "one", "most", "code"),
    [
        ("asked_at", NOW - DAY_MS + 1, MOST_A_DAY, "practice.many_today"),
        ("own", OPEN, MOST_AT_ONCE, "practice.many_open"),
        ("everybody", OPEN, MOST_HERE, "practice.full"),
        ("today", NOW - DAY_MS + 1, MOST_TODAY, "practice.full"),
    ],
)
def test_there_may_be_so_many_and_not_one_more(name: str, one: int | Held, most: int, code: str) -> None:
    assert refusal(**{name: [one] * (most - 1)}) is None  # type: ignore[arg-type]
    assert refusal(**{name: [one] * most}) == code  # type: ignore[arg-type]


def test_what_was_asked_for_a_day_ago_counts_no_more() -> None:
    assert refusal(asked_at=[NOW - DAY_MS] * MOST_A_DAY, today=[NOW - DAY_MS] * MOST_TODAY) is None


@pytest.mark.parametrize(
    ("held", "over"),
    [
        (Held(asked_at=NOW, phase="open", close_at=NOW - ENDS_MS + 1), False),
        (Held(asked_at=NOW, phase="opening", close_at=NOW - ENDS_MS), True),
        (Held(asked_at=NOW - ENDS_MS + 1, phase="draft", close_at=None), False),
        (Held(asked_at=NOW - ENDS_MS, phase="draft", close_at=None), True),
        (Held(asked_at=NOW, phase="opened", close_at=NOW), True),
        (Held(asked_at=NOW, phase="failed", close_at=NOW), True),
    ],
)
def test_a_practice_tender_is_over_when_it_has_ended_or_after_an_hour(*, held: Held, over: bool) -> None:
    assert held.is_over(NOW) is over
    assert (refusal(own=[held] * MOST_AT_ONCE) is None) is over


def test_the_deadline_is_the_first_full_minute_after_the_chosen_time() -> None:
    assert deadline(NOW, 10) == NOW + 11 * MINUTE_MS
    assert deadline(NOW + MINUTE_MS - 1, 10) == NOW + 11 * MINUTE_MS
    with pytest.raises(InvalidInput):
        deadline(NOW, 11)


def test_what_is_opened_too_late_leaves_no_time() -> None:
    assert leaves_time(NOW, NOW + 5 * MINUTE_MS)
    assert not leaves_time(NOW + 1, NOW + 5 * MINUTE_MS)


@pytest.mark.parametrize("minutes", MINUTES)
def test_what_is_asked_for_is_a_specification_that_says_what_it_is(minutes: int) -> None:
    spec = parse_spec(specification(deadline(NOW, minutes)))
    assert (spec.jurisdiction, spec.sealing.k, spec.sealing.n) == ("practice", 2, 3)
    for title, mark in ((spec.title_zh, "模拟"), (spec.title_en, "PRACTICE"), (spec.lots[0].title_zh, "模拟")):
        assert mark in title
    for party in PARTIES:
        assert is_credit_code(party.code)
        assert "模拟" in party.name_zh
        assert "平台" in party.name_zh


def test_no_real_reference_reads_like_one_of_practice() -> None:
    assert is_practice(new_practice_reference(2026))
    assert not is_practice(new_procedure_reference(2026))


def test_the_commands_of_practice_name_the_trust_file_of_practice_alone() -> None:
    case = {"api": "https://a.example", "lot": "1", "stage": "all", "organisation": "x"}
    practising, real = (commands(Case(tender=each, **case)) for each in ("PRACTICE-2026-7k3m9q2d", "T-2026-7k3m9q2d"))
    assert PRACTICE_TRUST in practising["start"]
    assert "PRACTICE-2026-7k3m9q2d" in practising["seal"]
    assert PRACTICE_TRUST not in real["start"]
