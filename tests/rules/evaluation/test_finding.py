"""Words in pages: found across line breaks and cases, told with what stands around them."""

from __future__ import annotations

import pytest

from trading.evaluation.rules.finding import AROUND, LONGEST_WORDS, Hit, hit_of, packed


def test_a_hit_across_a_line_break() -> None:
    text = "三、供货与安\r\n装方案：四十五日内供货。再说一遍供货与安装。"
    assert hit_of(text, "供货与安装") == Hit(
        before="三、", found="供货与安 装", after="方案：四十五日内供货。再说一遍供货与安装。", times=2
    )


@pytest.mark.parametrize("words", ["", "  \n", "nowhere", "%"])
def test_nothing_is_found(words: str) -> None:
    assert hit_of("some words", words) is None


def test_case_and_blanks_do_not_count() -> None:
    found = hit_of("The Delivery  PLAN of March", "deliveryplan")
    assert found is not None
    assert (found.before, found.found, found.after) == ("The ", "Delivery PLAN", " of March")


def test_what_stands_around_is_cut() -> None:
    found = hit_of("a" * 100 + "x" + "b" * 100, "x")
    assert found is not None
    assert (found.before, found.after) == ("…" + "a" * AROUND, "b" * AROUND + "…")


def test_letters_that_grow_in_lower_case_keep_their_places() -> None:
    found = hit_of("\u0130\u0130 plan", "plan")
    assert found is not None
    assert found.found == "plan"


def test_long_words_are_cut() -> None:
    assert packed(" A b\n") == "ab"
    assert hit_of("a" * LONGEST_WORDS, "a" * (LONGEST_WORDS + 50)) is not None
