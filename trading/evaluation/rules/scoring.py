"""Comprehensive scoring in exact fractions (MET-02; 87-55): no quote and no member's score is ever dropped.

``price points = P'_min / P' × max`` with the lowest evaluated price among all conforming bids; every other criterion is
the arithmetic mean over all members. The total is rounded half up once, after summing, to the decimals of the edition,
and compared as rounded: what is published is what decides.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from trading.evaluation.rules.formulas.exact import in_units, text_of
from trading.evaluation.rules.formulas.price import price_share
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
        return text_of(self.score, self.decimals)

    def sum_of(self, criteria: Sequence[str]) -> Fraction:
        """Return the members' points for these criteria, all together."""
        return sum((Fraction(points) for name, points in self.sums if name in criteria), Fraction(0))


def of_bids(sheets: Sequence[Sheet], bids: Collection[str]) -> tuple[Sheet, ...]:
    """Return sheets without the scores of bids that no longer conform (EXP-17: a new majority found otherwise)."""
    return tuple(
        Sheet(seat=sheet.seat, points={bid: row for bid, row in sheet.points.items() if bid in bids})
        for sheet in sheets
    )


def price_points(most: Fraction, lowest: int, own: int) -> Fraction:
    """Return the points of an evaluated price, exactly; both prices are above zero."""
    return most * price_share(lowest, own)


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
    lowest = min(prices.values(), default=0)
    most = sum((criterion.most for criterion in criteria if criterion.kind is CriterionKind.PRICE), Fraction(0))
    priced = {bid: price_points(most, lowest, price) for bid, price in prices.items()}
    return total_of(priced, criteria, sheets, decimals)


def total_of(
    priced: Mapping[str, Fraction], criteria: Sequence[Criterion], sheets: Sequence[Sheet], decimals: int
) -> dict[str, Scorecard]:
    """Return the total of every bid from the points of its price and the mean of the members' points.

    Args:
        priced: Points of the price by bid, exactly; zero where no price is scored.
        criteria: The criteria of the documents.
        sheets: One sheet of every member.
        decimals: Of the total, by the edition; it is rounded half up, once.

    Raises:
        ValueError: There is no sheet, or one lacks a score. The caller opens sheets only when all are signed.
    """
    if not sheets and any(criterion.kind is not CriterionKind.PRICE for criterion in criteria):
        raise ValueError("no sheet")
    return {bid: _card(bid, points, criteria, sheets, decimals) for bid, points in priced.items()}


def _card(
    bid: str, priced: Fraction, criteria: Sequence[Criterion], sheets: Sequence[Sheet], decimals: int
) -> Scorecard:
    total, sums = priced, []
    for criterion in criteria:
        if criterion.kind is CriterionKind.PRICE:
            continue
        summed = sum((_points(sheet, bid, criterion.id) for sheet in sheets), Fraction(0))
        sums.append((criterion.id, decimal_of(summed)))
        total += summed / len(sheets)
    return Scorecard(score=in_units(total, decimals), decimals=decimals, price=priced, sums=tuple(sums))


def _points(sheet: Sheet, bid: str, criterion: str) -> Fraction:
    try:
        return sheet.points[bid][criterion]
    except KeyError as missing:
        raise ValueError(f"the sheet of {sheet.seat} has no score of {bid} for {criterion}") from missing
