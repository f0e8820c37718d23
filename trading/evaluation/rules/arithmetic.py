"""Correction of a quote that contradicts itself, in the order of 87-59 (B10.2), as a report and never silently.

1. price table (开标一览表) against the content of the bid: the price table;
2. words against figures: the words;
3. a unit price with an obviously misplaced decimal point: the total of the price table, and the unit price is changed;
4. total against the sum by unit prices: the unit prices.

Several contradictions at once are corrected in this order. The bidder confirms the result in writing, otherwise the bid
is invalid; until then the price read out stands (OPN-16).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction
from typing import Any, Final

from trading.kernel.money import Rounding, minor_digits, round_exact

_SHIFTS: Final = tuple(place for place in range(-6, 7) if place)  # decimal places a point may have slipped


class Ground(StrEnum):
    """Which line of 87-59 corrects."""

    PRICE_TABLE = "price_table"
    WORDS = "words"
    MISPLACED_POINT = "misplaced_point"
    UNIT_PRICES = "unit_prices"


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotedItem:
    """One line: exact quantity and unit price (in major units, e.g. yuan), and the stated amount in minor units."""

    code: str
    quantity: Fraction
    unit_price: Fraction
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What a bidder stated. ``total`` stands in the price table; the other totals only where the bid has them."""

    currency: str
    items: tuple[QuotedItem, ...]
    total: int
    content_total: int | None = None
    words_total: int | None = None

    @classmethod
    def of_price(cls, document: Mapping[str, Any]) -> Quote:
        """Take a quote from a parsed ``sb1.price`` whose fields were checked (SB1 S5.1)."""
        items = tuple(
            QuotedItem(
                code=item["code"],
                quantity=Fraction(item["quantity"]),
                unit_price=Fraction(item["unit_price"]),
                amount=item["amount"],
            )
            for item in document["items"]
        )
        return cls(currency=document["currency"], items=items, total=document["total"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """One change: what stood there, what stands now. ``item`` is None for the total; values as exact numbers."""

    ground: Ground
    item: str | None
    field: str
    old: Fraction
    new: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectedQuote:
    """The quote after correction and every step that led there."""

    items: tuple[QuotedItem, ...]
    total: int
    corrections: tuple[Correction, ...]


def correct(quote: Quote) -> CorrectedQuote:
    """Apply the four rules in order and report each correction."""
    corrections: list[Correction] = []
    total = quote.total
    if quote.content_total is not None and quote.content_total != total:
        corrections.append(_of_total(Ground.PRICE_TABLE, quote.content_total, total))
    if quote.words_total is not None and quote.words_total != total:
        corrections.append(_of_total(Ground.WORDS, total, quote.words_total))
        total = quote.words_total
    items = _move_points(quote, total, corrections)
    items = _recompute(items, quote.currency, corrections)
    by_units = sum(item.amount for item in items)
    if items and by_units != total:
        corrections.append(_of_total(Ground.UNIT_PRICES, total, by_units))
        total = by_units
    return CorrectedQuote(items=items, total=total, corrections=tuple(corrections))


def amount_of(quantity: Fraction, unit_price: Fraction, currency: str) -> int:
    """Return quantity × unit price in minor units, rounded half up to the minor unit."""
    return round_exact(quantity * unit_price * 10 ** minor_digits(currency), Rounding.HALF_UP)


def _of_total(ground: Ground, old: int, new: int) -> Correction:
    return Correction(ground=ground, item=None, field="total", old=Fraction(old), new=Fraction(new))


def _move_points(quote: Quote, total: int, corrections: list[Correction]) -> tuple[QuotedItem, ...]:
    """Change a unit price that fits its amount only with the point moved, if the amounts add up to the total."""
    if sum(item.amount for item in quote.items) != total:
        return quote.items
    moved = tuple(_move_point(item, quote.currency) for item in quote.items)
    for before, after in zip(quote.items, moved, strict=True):
        if before != after:
            corrections.append(
                Correction(
                    ground=Ground.MISPLACED_POINT,
                    item=before.code,
                    field="unit_price",
                    old=before.unit_price,
                    new=after.unit_price,
                )
            )
    return moved


def _move_point(item: QuotedItem, currency: str) -> QuotedItem:
    if amount_of(item.quantity, item.unit_price, currency) == item.amount:
        return item
    for place in _SHIFTS:
        unit_price = item.unit_price * Fraction(10) ** place
        if amount_of(item.quantity, unit_price, currency) == item.amount:
            return replace(item, unit_price=unit_price)
    return item


def _recompute(items: Iterable[QuotedItem], currency: str, corrections: list[Correction]) -> tuple[QuotedItem, ...]:
    """Set every amount to what its unit price gives."""
    result = []
    for item in items:
        amount = amount_of(item.quantity, item.unit_price, currency)
        if amount != item.amount:
            corrections.append(
                Correction(
                    ground=Ground.UNIT_PRICES,
                    item=item.code,
                    field="amount",
                    old=Fraction(item.amount),
                    new=Fraction(amount),
                )
            )
        result.append(replace(item, amount=amount))
    return tuple(result)
