"""What an answer may be (DOC-18, NOT-05)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.build.tenders import CALENDAR, NATIONAL, ms
from trading.clarifications.rules import answering
from trading.clarifications.rules.answering import Content, Effect
from trading.kernel.errors import RuleBroken
from trading.rulebook.keys import Key, Regime

CLOSE = ms("2026-03-31 10:00:00")
CONTENT = Content(
    question_zh="质保期多久？",
    question_en="",
    answer_zh="三十六个月。",
    answer_en="",
    effect=Effect.EXPLAINS,
    notice=None,
)
AMENDS = replace(CONTENT, effect=Effect.AMENDS, notice=2)


def test_chinese_texts_are_needed_and_have_a_bound() -> None:
    answering.require_content(CONTENT)
    answering.require_content(replace(CONTENT, answer_zh="长" * 4000))
    wrong: tuple[dict[str, Any], ...] = ({"question_zh": " "}, {"answer_zh": ""}, {"answer_en": "x" * 4001})
    for bad in wrong:
        with pytest.raises(RuleBroken, match=r"answer\.incomplete"):
            answering.require_content(replace(CONTENT, **bad))


def test_exactly_an_answer_that_amends_names_a_notice() -> None:
    answering.require_content(AMENDS)
    for bad in (replace(AMENDS, notice=None), replace(CONTENT, notice=2)):
        with pytest.raises(RuleBroken, match=r"answer\.needs_amendment"):
            answering.require_content(bad)


def test_the_correction_is_published_and_later_than_the_question() -> None:
    answering.require_amendment(CONTENT, asked_at=100, corrections={})
    answering.require_amendment(AMENDS, asked_at=100, corrections={2: 100})
    for corrections in ({}, {3: 200}, {2: 99}):
        with pytest.raises(RuleBroken, match=r"answer\.needs_amendment"):
            answering.require_amendment(AMENDS, asked_at=100, corrections=corrections)


def test_no_answer_at_the_deadline() -> None:
    answering.require_open(CLOSE - 1, CLOSE)
    for at in (CLOSE, CLOSE + 1):
        with pytest.raises(RuleBroken, match=r"answer\.late"):
            answering.require_open(at, CLOSE)


@pytest.mark.parametrize("effect", Effect)
def test_what_may_affect_bids_is_published_fifteen_days_before(effect: Effect) -> None:
    content = replace(CONTENT, effect=effect, notice=2 if effect is Effect.AMENDS else None)
    rules = {"edition": NATIONAL, "regime": Regime.GP, "calendar": CALENDAR, "lead": Key.CLARIFICATION_LEAD}
    answering.require_lead(content, at=ms("2026-03-16 23:59:59"), closes_at=CLOSE, **rules)  # type: ignore[arg-type]
    late = ms("2026-03-17 00:00:00")
    if effect is not Effect.AFFECTS:
        answering.require_lead(content, at=late, closes_at=CLOSE, **rules)  # type: ignore[arg-type]
        return
    with pytest.raises(RuleBroken, match=r"answer\.too_late") as caught:
        answering.require_lead(content, at=late, closes_at=CLOSE, **rules)  # type: ignore[arg-type]
    assert caught.value.facts["earliest"] == ms("2026-04-01 10:00:00")
