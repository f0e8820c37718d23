"""Money: exact reading, named rounding, both ways of writing."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.kernel.errors import InvalidInput
from trading.kernel.money import (
    Money,
    Rounding,
    decimal_text,
    format_money,
    in_words,
    minor_digits,
    parse_amount,
    round_exact,
)

MINOR = st.integers(min_value=-(10**17), max_value=10**17)
CURRENCY = st.sampled_from(["CNY", "CHF", "JPY", "KWD"])


def cny(minor: int) -> Money:
    return Money(minor=minor, currency="CNY")


@given(MINOR, CURRENCY)
def test_decimal_text_and_parse_are_inverse(minor: int, currency: str) -> None:
    money = Money(minor=minor, currency=currency)
    assert Money.parse(decimal_text(money), currency) == money


@given(MINOR, CURRENCY)
def test_formatted_amount_reads_back_without_its_mark(minor: int, currency: str) -> None:
    money = Money(minor=minor, currency=currency)
    text = format_money(money).replace("¥", "").replace(f"{currency} ", "")
    assert Money.parse(text, currency) == money


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [("0", "CNY", 0), ("0.1", "CNY", 10), ("1,234,567.89", "CNY", 123456789), ("-5", "CNY", -500), ("12", "JPY", 12)],
)
def test_parse(text: str, currency: str, minor: int) -> None:
    assert Money.parse(text, currency).minor == minor


@pytest.mark.parametrize(
    "text", ["", ".5", "5.", "1e3", "１２", "1,23", "12,345,6", "+1", "1 000", "NaN", "0x1", "--1"]
)
def test_malformed_amount_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"money\.malformed"):
        Money.parse(text, "CNY")


@pytest.mark.parametrize(("text", "currency"), [("1.001", "CNY"), ("1.10", "JPY"), ("1.000", "CNY"), ("1.0001", "KWD")])
def test_more_digits_than_the_currency_has_are_refused_not_rounded(text: str, currency: str) -> None:
    with pytest.raises(InvalidInput, match=r"money\.too_fine"):
        Money.parse(text, currency)


@pytest.mark.parametrize(("currency", "digits"), [("CNY", 2), ("BRL", 2), ("JPY", 0), ("KWD", 3), ("XOF", 0)])
def test_minor_digits(currency: str, digits: int) -> None:
    assert minor_digits(currency) == digits


@pytest.mark.parametrize(
    ("value", "half_up", "down", "up"),
    [
        (Fraction(1, 2), 1, 0, 1),
        (Fraction(499, 1000), 0, 0, 1),
        (Fraction(501, 1000), 1, 0, 1),
        (Fraction(-1, 2), -1, 0, -1),
        (Fraction(-3, 2), -2, -1, -2),
        (Fraction(7), 7, 7, 7),
        (Fraction(5, 3), 2, 1, 2),
    ],
)
def test_rounding_is_named(value: Fraction, half_up: int, down: int, up: int) -> None:
    assert [round_exact(value, rounding) for rounding in Rounding] == [half_up, down, up]


@given(MINOR, st.fractions(min_value=0, max_value=1))
def test_share_lies_between_down_and_up(minor: int, fraction: Fraction) -> None:
    down, half, up = (abs(cny(minor).share(fraction, r).minor) for r in (Rounding.DOWN, Rounding.HALF_UP, Rounding.UP))
    assert down <= half <= up <= down + 1


def test_arithmetic_and_order() -> None:
    assert cny(1) + cny(2) == cny(3)
    assert cny(1) - cny(2) == cny(-1)
    assert cny(1) < cny(2) <= cny(2) < cny(3)
    assert cny(3) > cny(2) >= cny(2)


@pytest.mark.parametrize("operation", ["__add__", "__sub__", "__lt__", "__le__", "__gt__", "__ge__"])
def test_two_currencies_never_mix(operation: str) -> None:
    with pytest.raises(ValueError, match="do not mix"):
        getattr(cny(1), operation)(Money(minor=1, currency="CHF"))


def test_currency_is_a_code() -> None:
    with pytest.raises(ValueError, match="ISO 4217"):
        Money(minor=1, currency="yuan")


@pytest.mark.parametrize(
    ("text", "minor", "noisy"),
    [
        ("107807690.49000001", 10780769049, True),
        ("2530268.8499999996", 253026885, True),
        ("129950000.0", 12995000000, False),
        ("1.500", 150, False),
        ("0.005", 1, True),
        ("0.0049", 0, True),
        ("-0.005", -1, True),
        ("7", 700, False),
    ],
)
def test_binary_noise_is_rounded_and_told(text: str, minor: int, noisy: bool) -> None:  # noqa: FBT001 - a case
    assert parse_amount(text) == (minor, noisy)


def test_parse_amount_knows_the_currency() -> None:
    assert parse_amount("12.4", "JPY") == (12, True)
    with pytest.raises(InvalidInput):
        parse_amount("1e7")


# The first six are the examples of 正确填写票据和结算凭证的基本规定, in the spelling without optional 零.
@pytest.mark.parametrize(
    ("amount", "words"),
    [
        ("1409.50", "壹仟肆佰零玖元伍角整"),
        ("6007.14", "陆仟零柒元壹角肆分"),
        ("1680.32", "壹仟陆佰捌拾元叁角贰分"),
        ("107000.53", "壹拾万柒仟元伍角叁分"),
        ("16409.02", "壹万陆仟肆佰零玖元零贰分"),
        ("325.04", "叁佰贰拾伍元零肆分"),
        ("0", "零元整"),
        ("0.05", "伍分"),
        ("0.5", "伍角整"),
        ("10", "壹拾元整"),
        ("100000001", "壹亿零壹元整"),
        ("100010001.01", "壹亿零壹万零壹元零壹分"),
        ("1000000000000", "壹万亿元整"),
        ("1000000010000", "壹万亿零壹万元整"),
        ("10203040", "壹仟零贰拾万叁仟零肆拾元整"),
    ],
)
def test_words(amount: str, words: str) -> None:
    assert in_words(Money.parse(amount, "CNY")) == f"人民币{words}"


@pytest.mark.parametrize("money", [cny(-1), cny(10**18), Money(minor=1, currency="CHF")])
def test_words_are_refused_where_they_are_not_defined(money: Money) -> None:
    with pytest.raises(ValueError, match="in words"):
        in_words(money)


@given(st.integers(min_value=0, max_value=10**18 - 1), st.integers(min_value=0, max_value=10**18 - 1))
def test_words_name_an_amount_uniquely(one: int, other: int) -> None:
    assert (in_words(cny(one)) == in_words(cny(other))) == (one == other)
