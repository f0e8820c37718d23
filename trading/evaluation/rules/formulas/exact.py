"""Exact arithmetic that the formulas share: means, medians, per cent, and the one place where points become digits."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Final

from trading.kernel.money import Rounding, round_exact

HUNDRED: Final = 100  # per cent


def mean(values: Sequence[int]) -> Fraction:
    """Return the arithmetic mean, exactly; no value is a bug (``ValueError``)."""
    if not values:
        raise ValueError("the mean of nothing")
    return Fraction(sum(values), len(values))


def median(values: Sequence[int]) -> Fraction:
    """Return the middle value, or the mean of the two in the middle, exactly; no value is a bug (``ValueError``)."""
    if not values:
        raise ValueError("the median of nothing")
    ordered = sorted(values)
    upper = len(ordered) // 2
    return mean(ordered[upper : upper + 1] if len(ordered) % 2 else ordered[upper - 1 : upper + 1])


def percent(text: str) -> Fraction:
    """Return per cent, written as a decimal, as an exact share of one: ``2.5`` is 1/40."""
    return Fraction(text) / HUNDRED


def reduced(value: Fraction | int, by_percent: str) -> Fraction:
    """Return a value less so many per cent of it, exactly."""
    return Fraction(value) * (1 - percent(by_percent))


def in_units(points: Fraction, decimals: int) -> int:
    """Return points in units of the last decimal, rounded half up: 87.125 with two decimals is 8713."""
    return round_exact(points * 10**decimals, Rounding.HALF_UP)


def text_of(units: int, decimals: int) -> str:
    """Return points that are not negative with all their decimals: 8713 with two decimals is ``87.13``."""
    whole, part = divmod(units, 10**decimals)
    return f"{whole}.{part:0{decimals}d}" if decimals else str(whole)


def fraction_text(value: Fraction) -> str:
    """Return an exact value as records show it: ``100`` or ``200/3``, in lowest terms."""
    return str(value)
