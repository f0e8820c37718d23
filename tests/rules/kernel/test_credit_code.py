"""Unified social credit code: GB 32100 check character."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.kernel.credit_code import check_character, is_credit_code

ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
BODY = st.text(alphabet=ALPHABET, min_size=17, max_size=17)


@pytest.mark.parametrize("code", ["91350100M000100Y43", "91440300708461136T", "914403001922038216"])
def test_published_codes(code: str) -> None:
    assert is_credit_code(code)


@pytest.mark.parametrize(
    "code", ["", "91350100M000100Y4", "91350100M000100Y433", "91350100m000100y43", "91350100M000100Y44"]
)
def test_wrong_codes(code: str) -> None:
    assert not is_credit_code(code)


@given(BODY, st.integers(min_value=0, max_value=17), st.sampled_from(ALPHABET))
def test_any_single_wrong_character_is_found(body: str, place: int, wrong: str) -> None:
    code = body + check_character(body)
    changed = code[:place] + wrong + code[place + 1 :]
    assert is_credit_code(changed) == (changed == code)


@given(BODY, st.integers(min_value=0, max_value=16))
def test_swapped_neighbours_are_found(body: str, place: int) -> None:
    code = body + check_character(body)
    swapped = code[:place] + code[place + 1] + code[place] + code[place + 2 :]
    assert is_credit_code(swapped) == (swapped == code)


def test_letters_outside_the_alphabet_are_a_bug() -> None:
    with pytest.raises(ValueError, match="alphabet"):
        check_character("I" * 17)
