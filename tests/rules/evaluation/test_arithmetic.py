"""Arithmetic correction in the order of 87-59 (B10.2)."""
# ruff: noqa: ANN401 - a builder takes any field

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.evaluation.rules.arithmetic import Correction, Ground, Quote, QuotedItem, amount_of, correct


def line(quantity: str, unit_price: str, amount: int, code: str = "1") -> QuotedItem:
    return QuotedItem(code=code, quantity=Fraction(quantity), unit_price=Fraction(unit_price), amount=amount)


def quote(*items: QuotedItem, total: int, **others: Any) -> Quote:
    return Quote(currency="CNY", items=items, total=total, **others)


def change(ground: Ground, item: str | None, field: str, old: str, new: str) -> Correction:
    return Correction(ground=ground, item=item, field=field, old=Fraction(old), new=Fraction(new))


def test_a_consistent_quote_is_left_alone() -> None:
    stated = quote(
        line("3", "10.01", 3003), line("0.5", "1", 50, "2"), total=3053, content_total=3053, words_total=3053
    )
    found = correct(stated)
    assert (found.corrections, found.items, found.total) == ((), stated.items, 3053)


def test_the_price_table_prevails_over_the_content() -> None:  # B10.2 (1)
    found = correct(quote(line("1", "10", 1000), total=1000, content_total=999))
    assert found.corrections == (change(Ground.PRICE_TABLE, None, "total", "999", "1000"),)
    assert found.total == 1000


def test_words_prevail_over_figures() -> None:  # B10.2 (2)
    found = correct(quote(total=1000, words_total=1100))
    assert found.corrections == (change(Ground.WORDS, None, "total", "1000", "1100"),)
    assert found.total == 1100


@pytest.mark.parametrize(("unit_price", "changed"), [("1", "10"), ("100", "10"), ("0.0001", "10"), ("10", None)])
def test_a_misplaced_point_changes_the_unit_price(unit_price: str, changed: str | None) -> None:  # B10.2 (3)
    found = correct(quote(line("5", unit_price, 5000), line("1", "2", 200, "2"), total=5200))
    expected = () if changed is None else (change(Ground.MISPLACED_POINT, "1", "unit_price", unit_price, changed),)
    assert (found.corrections, found.total) == (expected, 5200)
    assert found.items[0].unit_price == 10


def test_unit_prices_prevail_over_the_total() -> None:  # B10.2 (4)
    found = correct(quote(line("5", "10", 5000), line("1", "3", 200, "2"), total=5200))
    assert found.corrections == (
        change(Ground.UNIT_PRICES, "2", "amount", "200", "300"),
        change(Ground.UNIT_PRICES, None, "total", "5200", "5300"),
    )
    assert (found.total, found.items[1].amount) == (5300, 300)


def test_a_slip_is_not_assumed_where_the_amounts_do_not_add_up() -> None:  # B10.2 (3) needs the total of the table
    found = correct(quote(line("5", "1", 5000), total=4999))
    assert [entry.ground for entry in found.corrections] == [Ground.UNIT_PRICES, Ground.UNIT_PRICES]
    assert found.total == 500


def test_several_contradictions_in_the_legal_order() -> None:  # B10.2, last sentence
    found = correct(
        quote(line("5", "1", 5000), line("1", "3", 200, "2"), total=5000, content_total=1, words_total=5200)
    )
    assert [entry.ground for entry in found.corrections] == [
        Ground.PRICE_TABLE,
        Ground.WORDS,
        Ground.MISPLACED_POINT,
        Ground.UNIT_PRICES,
        Ground.UNIT_PRICES,
    ]
    assert found.total == 5300


@pytest.mark.parametrize(("unit_price", "amount"), [("0.3349", 33), ("0.335", 34), ("0.3351", 34)])
def test_amounts_round_half_up(unit_price: str, amount: int) -> None:
    assert amount_of(Fraction(1), Fraction(unit_price), "CNY") == amount


def test_of_a_price_document() -> None:  # SB1 S5.1
    document = {
        "currency": "JPY",
        "items": [{"amount": 30, "code": "1", "quantity": "2.5", "unit_price": "12"}],
        "total": 30,
    }
    assert correct(Quote.of_price(document)).corrections == ()


ITEMS = st.lists(
    st.tuples(st.integers(1, 999), st.integers(1, 99_999), st.integers(0, 10**8)).map(
        lambda raw: QuotedItem(code="1", quantity=Fraction(raw[0], 10), unit_price=Fraction(raw[1], 100), amount=raw[2])
    ),
    max_size=5,
)


@given(ITEMS, st.integers(0, 10**9), st.none() | st.integers(0, 10**9))
@settings(deadline=None)
def test_a_corrected_quote_is_consistent(items: list[QuotedItem], total: int, words: int | None) -> None:
    found = correct(quote(*items, total=total, words_total=words))
    if items:
        assert found.total == sum(item.amount for item in found.items)
    again = correct(quote(*found.items, total=found.total))
    assert (again.corrections, again.total) == ((), found.total)
