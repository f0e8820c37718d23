"""Until when questions are taken, and what gives their asker away (DOC-17, NOT-36)."""

from __future__ import annotations

import pytest

from tests.build.tenders import ms
from trading.clarifications.rules import asking
from trading.kernel.errors import RuleBroken

CLOSE = ms("2026-03-31 10:00:00")
CUTOFF = ms("2026-03-21 10:00:00")
OWN = ("91310000MA1K3YJ123", "临江康达医疗器械有限公司", "Linjiang Kangda Medical Devices Co., Ltd.")


def test_questions_end_when_the_notice_says_and_with_the_first_deadline_at_the_latest() -> None:
    assert asking.cutoff(CUTOFF, [CLOSE + 1, CLOSE, None]) == CUTOFF
    assert asking.cutoff(None, [CLOSE + 1, CLOSE]) == CLOSE
    assert asking.cutoff(CLOSE + 1, [CLOSE]) == CLOSE
    assert asking.cutoff(CUTOFF, [None]) is None


def test_the_last_millisecond_counts_and_the_cutoff_does_not() -> None:
    asking.require_open(CUTOFF - 1, CUTOFF)
    for at, until in ((CUTOFF, CUTOFF), (CUTOFF + 1, CUTOFF), (0, None)):
        with pytest.raises(RuleBroken, match=r"question\.late"):
            asking.require_open(at, until)


@pytest.mark.parametrize(
    ("text", "kept"), [("  质保期多久？\n", "质保期多久？"), ("五字的问题", "五字的问题"), ("x" * 2000, "x" * 2000)]
)
def test_a_question_is_kept_without_blank_ends(text: str, kept: str) -> None:
    assert asking.require_question(text) == kept


@pytest.mark.parametrize("text", ["", "   ", "四字问题", "a b c d", "x" * 2001])
def test_too_short_and_too_long(text: str) -> None:
    with pytest.raises(RuleBroken, match=r"question\.length"):
        asking.require_question(text)


@pytest.mark.parametrize(
    "text",
    [
        "我们临江康达医疗器械有限公司想问",
        "临江 康达（医疗）器械，有限公司 想问",
        "LINJIANG KANGDA medical devices co ltd asks",
        "代码 91310000MA1K3YJ123 想问",
        "代码９１３１００００ＭＡ１Ｋ３ＹＪ１２３想问",
        "另一家 91330000MA27XYH12X 想问",
    ],
)
def test_a_question_that_names_its_asker_is_refused(text: str) -> None:
    with pytest.raises(RuleBroken, match=r"question\.names_asker"):
        asking.require_nameless(text, OWN)


def test_other_names_and_numbers_are_no_reason() -> None:
    asking.require_nameless("临江市医疗器械的质保期是 36 个月还是 24 个月？合同编号 2026-000000000000", OWN)
