"""Formulas on prices alone: MET-01, MET-04 and MET-05, and the points of a price by MET-02 and MET-03.

Prices are integers in minor units and above zero. The lowest comes first; equal prices are equal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from trading.evaluation.rules.formulas.exact import percent
from trading.kernel.money import Rounding, round_exact
from trading.procedures.rules.formula_terms import DeviationFactor, DeviationUnit


def deducted(quote: int, percents: Iterable[str]) -> int:
    """Return P' of B10.4: every deduction is taken of the quote itself and they add up (PRF-01 to PRF-06).

    100 with 15 % and 20 % is 65, never 68. Rounded half up once, to the minor unit.
    """
    share = sum((percent(each) for each in percents), Fraction(0))
    return round_exact(quote * (1 - share), Rounding.HALF_UP)


def price_share(lowest: int, own: int) -> Fraction:
    """Return the share of the full points that a price has: lowest / own, exactly (MET-02, 87-55; MET-03, 214号 24).

    Args:
        lowest: Lowest evaluated price, or lowest final quote less deductions, of all conforming bids.
        own: That of this bid.
    """
    return Fraction(lowest, own)


def with_bonus(points: Fraction, percents: Iterable[str]) -> Fraction:
    """Return the points of a price raised by the bonus of PRF-03 and PRF-04 (46号 9), exactly.

    For works whose price is scored otherwise than by the lowest first: the bonus is a share of the points themselves,
    on the quote as it stands. The law names no cap, so full points may be exceeded.
    """
    return points * (1 + sum((percent(each) for each in percents), Fraction(0)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A price for comparison: what stands in the ranking, and what each deviation added, in exact minor units."""

    price: int
    added: Mapping[str, Fraction]


def price_with_deviations(
    evaluated: int, quote: int, counts: Mapping[str, Fraction], factors: Iterable[DeviationFactor]
) -> Compared:
    """Return the price for comparison of works, EP of MET-05 (12号令 32): the price plus every quantified deviation.

    Args:
        evaluated: Corrected price less deductions, in minor units.
        quote: Corrected price itself, of which percentages are taken.
        counts: How many units of each deviation the committee found; none where one is missing. Never negative.
        factors: What the documents quantified; a deviation that they do not name is a bug (``ValueError``).

    Returns:
        The sum, rounded half up once to the minor unit. It serves comparison alone and is never the contract price.
    """
    known = {factor.id: factor for factor in factors}
    if not set(counts) <= set(known) or any(count < 0 for count in counts.values()):
        raise ValueError("a deviation that the documents do not quantify")
    added = {name: counts[name] * _cost(factor, quote) for name, factor in known.items() if name in counts}
    total = sum(added.values(), Fraction(evaluated))
    return Compared(price=round_exact(total, Rounding.HALF_UP), added=added)


def _cost(factor: DeviationFactor, quote: int) -> Fraction:
    return Fraction(factor.value) if factor.unit is DeviationUnit.AMOUNT else percent(factor.value) * quote
