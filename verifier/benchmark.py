"""Benchmarks of works prices and the draw of their coefficients, recomputed for RK-01 (MET-06; B10.5, BM1 to BM5)."""

from __future__ import annotations

from fractions import Fraction
from hashlib import sha256
from typing import Any

LOWERED = ("mean", "median")
COMPOSITE = "composite"
LOWEST = "lowest"
COEFFICIENTS = (("reduction", LOWERED), ("ceiling_reduction", (COMPOSITE,)), ("ceiling_weight", (COMPOSITE,)))


def is_drawn(formula: dict[str, Any]) -> bool:
    """Say whether the documents leave anything to the draw."""
    return any(len(formula[name]) > 1 for name in ("benchmarks", *(name for name, _ in COEFFICIENTS)))


def drawn_of(seed: bytes, name: str, candidates: list[str]) -> str | None:
    """Return the candidate with the smallest ticket, ``None`` of an empty list; a list of one draws nothing."""
    if len(candidates) <= 1:
        return candidates[0] if candidates else None
    return min(candidates, key=lambda each: sha256(seed + f"{name}={each}".encode()).digest())


def choice_of(formula: dict[str, Any], seed: bytes) -> dict[str, str | None]:
    """Return the benchmark and the coefficients that hold, ``None`` for one that the benchmark has not."""
    found = {"benchmark": drawn_of(seed, "benchmark", formula["benchmarks"])}
    for name, used_by in COEFFICIENTS:
        found[name] = drawn_of(seed, name, formula[name]) if found["benchmark"] in used_by else None
    return found


def mean_of(values: list[int]) -> Fraction:
    """Return the arithmetic mean, exactly; of nothing it is zero, which is no benchmark."""
    return Fraction(sum(values), max(len(values), 1))


def trimmed_mean(quotes: list[int], table: list[dict[str, int]]) -> Fraction:
    """Return the mean without the quotes that the last row of the table leaves out whose number is reached."""
    ordered = sorted(quotes)
    rows = [row for row in table if row["quotes"] <= len(ordered)]
    if not rows:
        return mean_of(ordered)
    return mean_of(ordered[rows[-1]["lowest"] : len(ordered) - rows[-1]["highest"]])


def benchmark_of(
    quotes: list[int], chosen: dict[str, str | None], formula: dict[str, Any], ceiling: int | None
) -> Fraction | None:
    """Return the benchmark price exactly, ``None`` if the notice names none that is known or lacks what it needs."""
    name, lowered = chosen["benchmark"], 1 - Fraction(chosen["reduction"] or "0") / 100
    if name == "mean":
        return trimmed_mean(quotes, formula["trim"]) * lowered
    if name == "median":
        ordered, upper = sorted(quotes), len(quotes) // 2
        middle = ordered[upper : upper + 1] if len(ordered) % 2 else ordered[upper - 1 : upper + 1]
        return mean_of(middle) * lowered
    if name == "second_mean":
        centre = mean_of(quotes)
        near = [quote for quote in quotes if abs(quote - centre) <= Fraction(formula["band"]) / 100 * centre]
        return mean_of(near) if near else centre
    if name == COMPOSITE and ceiling is not None:
        weight = Fraction(chosen["ceiling_weight"] or "0") / 100
        part = ceiling * (1 - Fraction(chosen["ceiling_reduction"] or "0") / 100) * weight
        return part + trimmed_mean(quotes, formula["trim"]) * (1 - weight)
    return Fraction(min(quotes)) if name == LOWEST else None


def points_of(full: Fraction, price: int, benchmark: Fraction, formula: dict[str, Any]) -> Fraction:
    """Return the points of a price by its distance from the benchmark, exactly; never below the floor."""
    distance = (price - benchmark) / benchmark * 100
    slope = Fraction(formula["above"] if distance > 0 else formula["below"])
    return max(full - abs(distance) * slope, Fraction(formula["floor"]))
