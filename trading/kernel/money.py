"""Amounts of money: integer minor units (for CNY: fen) and an ISO 4217 currency; never a float.

Rounding never happens by itself: whoever divides names the ``Rounding``. Amounts in Chinese numerals follow
正确填写票据和结算凭证的基本规定 (how bills and vouchers are written), which leaves an optional 零 to the writer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Final, assert_never

from trading.kernel.errors import InvalidInput

# Currencies of ISO 4217 whose minor unit is not two digits; every other one has two.
_NO_DECIMALS: Final = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI"}
) | {"VND", "VUV", "XAF", "XOF", "XPF"}
_THREE_DECIMALS: Final = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})
_SYMBOLS: Final = {"CNY": "¥"}
_CURRENCY: Final = re.compile(r"[A-Z]{3}\Z")
_AMOUNT: Final = re.compile(r"(-?)([0-9]+|[0-9]{1,3}(?:,[0-9]{3})+)(?:\.([0-9]+))?\Z")

_DIGITS: Final = "零壹贰叁肆伍陆柒捌玖"
_WORDS_LIMIT: Final = 10**18  # fen; ten thousand 万亿 yuan


class Rounding(StrEnum):
    """How an exact share becomes whole minor units."""

    HALF_UP = "half_up"  # 四舍五入: half away from zero
    DOWN = "down"  # towards zero
    UP = "up"  # away from zero


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """An amount in minor units of one currency. Arithmetic across currencies is a bug (``ValueError``)."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if not _CURRENCY.match(self.currency):
            raise ValueError(f"{self.currency!r} is not an ISO 4217 code")

    @classmethod
    def parse(cls, text: str, currency: str) -> Money:
        """Read a decimal such as ``1234567.89`` or ``1,234,567.8`` exactly.

        Raises:
            InvalidInput: ``money.malformed`` (not such a decimal) or ``money.too_fine`` (more digits than the
                currency has; nothing is rounded here).
        """
        exponent = minor_digits(currency)
        sign, whole, fraction = _split(text)
        if len(fraction) > exponent:
            raise InvalidInput("money.too_fine", f"{text!r} has more than {exponent} decimals", digits=exponent)
        minor = int(whole + fraction.ljust(exponent, "0"))
        return cls(minor=-minor if sign else minor, currency=currency)

    def _same(self, other: Money) -> int:
        if other.currency != self.currency:
            raise ValueError(f"{self.currency} and {other.currency} do not mix")
        return other.minor

    def __add__(self, other: Money) -> Money:
        return Money(minor=self.minor + self._same(other), currency=self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(minor=self.minor - self._same(other), currency=self.currency)

    def __lt__(self, other: Money) -> bool:
        return self.minor < self._same(other)

    def __le__(self, other: Money) -> bool:
        return self.minor <= self._same(other)

    def __gt__(self, other: Money) -> bool:
        return self.minor > self._same(other)

    def __ge__(self, other: Money) -> bool:
        return self.minor >= self._same(other)

    def share(self, fraction: Fraction, rounding: Rounding) -> Money:
        """Return ``fraction`` of the amount, rounded to whole minor units as named."""
        return Money(minor=round_exact(self.minor * fraction, rounding), currency=self.currency)


def minor_digits(currency: str) -> int:
    """Return how many decimals the currency has in ISO 4217."""
    return 0 if currency in _NO_DECIMALS else 3 if currency in _THREE_DECIMALS else 2


def round_exact(value: Fraction, rounding: Rounding) -> int:
    """Return ``value`` as an integer, rounded as named; exact, without floats."""
    sign = -1 if value < 0 else 1
    size = abs(value)
    match rounding:
        case Rounding.HALF_UP:
            return sign * int(size + Fraction(1, 2))
        case Rounding.DOWN:
            return sign * int(size)
        case Rounding.UP:
            return sign * -(-size.numerator // size.denominator)
        case _:
            assert_never(rounding)


def parse_amount(text: str, currency: str = "CNY") -> tuple[int, bool]:
    """Read an amount of foreign data whose decimals may carry binary noise.

    ``107807690.49000001`` is the file's way to write 107807690.49: the amount is rounded half up to the minor unit
    and the second value is True, so that the caller can count such rows. For data files only, never for a bid.

    Returns:
        Minor units, and whether anything but zeros was cut off.

    Raises:
        InvalidInput: ``money.malformed``.
    """
    exponent = minor_digits(currency)
    sign, whole, fraction = _split(text)
    exact = Fraction(int(whole + fraction), 10 ** len(fraction)) * 10**exponent
    minor = round_exact(exact, Rounding.HALF_UP)
    return (-minor if sign else minor), exact != minor


def _split(text: str) -> tuple[str, str, str]:
    match = _AMOUNT.match(text)
    if match is None:
        raise InvalidInput("money.malformed", f"{text!r} is not a decimal amount")
    return match[1], match[2].replace(",", ""), match[3] or ""


def decimal_text(money: Money) -> str:
    """Return the plain decimal, e.g. ``1234567.89``: what ``Money.parse`` reads."""
    exponent = minor_digits(money.currency)
    digits = str(abs(money.minor)).rjust(exponent + 1, "0")
    cut = len(digits) - exponent
    return ("-" if money.minor < 0 else "") + digits[:cut] + ("." + digits[cut:] if exponent else "")


def format_money(money: Money) -> str:
    """Return the amount for people: ``¥1,234,567.89``, or ``CHF 1,234,567.89`` without a symbol."""
    sign, whole, fraction = _split(decimal_text(money))
    mark = _SYMBOLS.get(money.currency, f"{money.currency} ")
    return f"{sign}{mark}{int(whole):,}" + (f".{fraction}" if fraction else "")


def in_words(money: Money) -> str:
    """Return the amount in Chinese numerals (大写), e.g. ``人民币壹仟肆佰零玖元伍角整``.

    Raises:
        ValueError: Not CNY, negative, or beyond 万亿 × 10 000.
    """
    if money.currency != "CNY" or not 0 <= money.minor < _WORDS_LIMIT:
        raise ValueError("only amounts of CNY from zero below 10^16 yuan are written in words")
    yuan, cents = divmod(money.minor, 100)
    jiao, fen = divmod(cents, 10)
    text = _integer_words(yuan) + "元" if yuan or not cents else ""
    if jiao:
        text += _DIGITS[jiao] + "角"
    elif fen and yuan:
        text += "零"
    return "人民币" + text + (_DIGITS[fen] + "分" if fen else "整")


def _integer_words(number: int) -> str:
    """Write a whole number; zeros inside it become one 零, zeros before 万 or 亿 and at the end nothing."""
    if number == 0:
        return "零"
    for unit, name in ((10**8, "亿"), (10**4, "万"), (1000, "仟"), (100, "佰"), (10, "拾")):
        if number >= unit:
            high, low = divmod(number, unit)
            gap = "零" if 0 < low < unit // 10 else ""
            return _integer_words(high) + name + gap + (_integer_words(low) if low else "")
    return _DIGITS[number]
