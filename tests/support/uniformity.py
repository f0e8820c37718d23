"""χ² tests of uniformity in exact arithmetic, and the correction for several of them.

With an even number of degrees of freedom 2n the tail of χ² is that of a Poisson law: Q(x) = exp(−x/2) · Σ (x/2)^k / k!
over k < n. The statistic and the sum are rational; one exponential of 60 digits is the only number that is rounded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any, Final

LEVEL: Final = Decimal("0.01")
LEAST_EXPECTED: Final = 5  # per cell, below which χ² is no fair approximation
_DIGITS: Final = 60


def statistic(counts: Counter[Any], cells: int) -> Fraction:
    """Return χ² of counts over so many cells that are equally likely."""
    draws = counts.total()
    expected = Fraction(draws, cells)
    if expected < LEAST_EXPECTED:
        raise ValueError(f"{draws} draws are too few for {cells} cells")
    seen = sum(((count - expected) ** 2 for count in counts.values()), Fraction())
    return (seen + (cells - len(counts)) * expected**2) / expected


def tail(x: Fraction, freedom: int) -> Decimal:
    """Return the probability of a χ² of at least ``x`` with an even number of degrees of freedom."""
    if freedom % 2:
        raise ValueError("an even number of degrees of freedom has a closed form")
    half, term, total = x / 2, Fraction(1), Fraction()
    for k in range(freedom // 2):
        total += term
        term = term * half / (k + 1)
    with localcontext() as context:
        context.prec = _DIGITS
        power = (-Decimal(half.numerator) / half.denominator).exp()
        return power * total.numerator / total.denominator


def p_value(counts: Counter[Any], cells: int) -> Decimal:
    """Return the p of the hypothesis that all cells are equally likely."""
    return tail(statistic(counts, cells), cells - 1)


def rejected(ps: Mapping[str, Decimal], level: Decimal = LEVEL) -> list[str]:
    """Return the tests that Holm's method rejects: for all of them together, a false alarm has at most ``level``."""
    found = []
    for place, name in enumerate(sorted(ps, key=lambda name: ps[name])):
        if ps[name] > level / (len(ps) - place):
            break
        found.append(name)
    return found
