"""Benchmarks of works prices, BM1 to BM5 of B10.5 (MET-06): exact, never rounded.

``V`` are the valid quotes and ``C`` the ceiling, in minor units. Which benchmark and which coefficients hold stands in
the documents, or is drawn from what the documents list (``coefficients``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import assert_never

from trading.evaluation.rules.formulas.exact import mean, median, percent, reduced
from trading.procedures.rules.formula_terms import Benchmark, Trim


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The benchmark and the coefficients that hold; None where the benchmark has no such coefficient."""

    benchmark: Benchmark
    reduction: str | None = None
    ceiling_reduction: str | None = None
    ceiling_weight: str | None = None


def trimmed(quotes: Sequence[int], table: Sequence[Trim]) -> list[int]:
    """Return the quotes that enter the mean, ascending: the last row of ``table`` whose ``quotes`` are reached holds.

    Without such a row nothing is left out. Bids that are left out of the mean are still scored.
    """
    ordered = sorted(quotes)
    row = next((each for each in reversed(table) if each.quotes <= len(ordered)), None)
    if row is None:
        return ordered
    return ordered[row.lowest : len(ordered) - row.highest]


def second_mean(quotes: Sequence[int], band: str) -> Fraction:
    """Return BM3: the mean of the quotes no farther than ``band`` per cent from the mean of all; at it is not farther.

    Where no quote lies so near, the mean of all holds: the formula of the rule book says nothing of this case.
    """
    centre = mean(quotes)
    near = [quote for quote in quotes if abs(quote - centre) <= percent(band) * centre]
    return mean(near) if near else centre


def benchmark_price(
    quotes: Sequence[int], chosen: Chosen, trim: Sequence[Trim], band: str, ceiling: int | None
) -> Fraction:
    """Return the benchmark price B, exactly.

    BM1 ``mean(trim(V))·(1-K)``; BM2 ``C·(1-K1)·w + mean(trim(V))·(1-w)``; BM3 ``second_mean(V)``;
    BM4 ``median(V)·(1-K)``; BM5 ``min(V)``.

    Args:
        quotes: Valid quotes, at least one.
        chosen: Benchmark and coefficients that hold.
        trim: Trimming table, ascending.
        band: Width of the second mean in per cent.
        ceiling: Ceiling of the lot; BM2 without one is a bug (``ValueError``), refused at publication.
    """
    match chosen.benchmark:
        case Benchmark.MEAN:
            return reduced(mean(trimmed(quotes, trim)), chosen.reduction or "0")
        case Benchmark.COMPOSITE:
            if ceiling is None:
                raise ValueError("a composite benchmark without a ceiling")
            weight = percent(chosen.ceiling_weight or "0")
            part = reduced(ceiling, chosen.ceiling_reduction or "0") * weight
            return part + mean(trimmed(quotes, trim)) * (1 - weight)
        case Benchmark.SECOND_MEAN:
            return second_mean(quotes, band)
        case Benchmark.MEDIAN:
            return reduced(median(quotes), chosen.reduction or "0")
        case Benchmark.LOWEST:
            return Fraction(min(quotes))
        case _:
            assert_never(chosen.benchmark)


def deviation_points(full: Fraction, price: int, benchmark: Fraction, slopes: tuple[str, str], floor: str) -> Fraction:
    """Return the points of a price by its distance from the benchmark, before rounding.

    ``full - E1·dev`` above and ``full - E2·|dev|`` at or below it, where ``dev = (P-B)/B·100``; never less than
    ``floor``. ``in_units`` then rounds half up to the decimals of the edition.

    Args:
        full: Points of the price criterion.
        price: Price of the bid in minor units.
        benchmark: B, exactly.
        slopes: Points lost for each per cent above (E1) and below (E2).
        floor: Fewest points.
    """
    distance = (price - benchmark) / benchmark * 100
    lost = distance * Fraction(slopes[0]) if distance > 0 else -distance * Fraction(slopes[1])
    return max(full - lost, Fraction(floor))
