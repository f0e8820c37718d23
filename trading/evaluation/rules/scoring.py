"""Comprehensive scoring in exact fractions (MET-02; 87-55): no quote and no member's score is ever dropped.

``price points = P'_min / P' × max`` with the lowest evaluated price among all conforming bids; every other criterion is
the arithmetic mean over all members. The total is rounded half up once, after summing, to the decimals of the edition,
and compared as rounded: what is published is what decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from trading.kernel.money import Rounding, round_exact
from trading.procedures.rules.criteria import Criterion, CriterionKind, decimal_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """The signed scores of one member for one lot: bid → criterion → points; comments stand in the document."""

    seat: str
    points: Mapping[str, Mapping[str, Fraction]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorecard:
    """The total of one bid: ``score`` in units of the last decimal, and the members' sums by criterion."""

    score: int
    decimals: int
    price: Fraction
    sums: tuple[tuple[str, str], ...]

    @property
    def score_text(self) -> str:
        """Return the total with all its decimals, e.g. ``87.50``."""
        whole, part = divmod(self.score, 10**self.decimals)
        return f"{whole}.{part:0{self.decimals}d}" if self.decimals else str(whole)


def price_points(most: Fraction, lowest: int, own: int) -> Fraction:
    """Return the points of an evaluated price, exactly; both prices are above zero."""
    return most * lowest / own


def total_scores(
    prices: Mapping[str, int], criteria: Sequence[Criterion], sheets: Sequence[Sheet], decimals: int
) -> dict[str, Scorecard]:
    """Return the total of every conforming bid.

    Args:
        prices: Evaluated price of every conforming bid, in minor units.
        criteria: The criteria of the documents.
        sheets: One sheet of every member.
        decimals: Of the total, by the edition.

    Raises:
        ValueError: There is no sheet, or one lacks a score. The caller opens sheets only when all are signed.
    """
    if not sheets and any(criterion.kind is not CriterionKind.PRICE for criterion in criteria):
        raise ValueError("no sheet")
    lowest = min(prices.values(), default=0)
    return {bid: _card(bid, price, lowest, criteria, sheets, decimals) for bid, price in prices.items()}


def _card(
    bid: str, price: int, lowest: int, criteria: Sequence[Criterion], sheets: Sequence[Sheet], decimals: int
) -> Scorecard:
    total = priced = Fraction(0)
    sums = []
    for criterion in criteria:
        if criterion.kind is CriterionKind.PRICE:
            priced = price_points(criterion.most, lowest, price)
            total += priced
            continue
        summed = sum((_points(sheet, bid, criterion.id) for sheet in sheets), Fraction(0))
        sums.append((criterion.id, decimal_of(summed)))
        total += summed / len(sheets)
    score = round_exact(total * 10**decimals, Rounding.HALF_UP)
    return Scorecard(score=score, decimals=decimals, price=priced, sums=tuple(sums))


def _points(sheet: Sheet, bid: str, criterion: str) -> Fraction:
    try:
        return sheet.points[bid][criterion]
    except KeyError as missing:
        raise ValueError(f"the sheet of {sheet.seat} has no score of {bid} for {criterion}") from missing
