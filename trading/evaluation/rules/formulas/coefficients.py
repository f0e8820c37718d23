"""The public draw of benchmark and coefficients (MET-06), where the documents list more than one.

The seed is made as that of the lottery among equal bids (AWD-10), under a label of its own: the price identities of all
opened bids, which every bidder sealed before anybody knew the others'. So it is fixed when the opening is complete, and
nobody has to press a button. Each candidate has a ticket; the smallest is drawn. A list of one draws nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from trading.evaluation.rules.formulas.benchmark import Chosen
from trading.kernel.digests import RANK_COEFFICIENT, sha256, tuple_hash
from trading.procedures.rules.formula_terms import Benchmark, BenchmarkTerms


def coefficient_seed(identities: Iterable[str]) -> bytes:
    """Return the seed over the price identities of all opened bids, in order of bid id."""
    return tuple_hash(RANK_COEFFICIENT, *(identity.encode("ascii") for identity in identities))


def drawn(seed: bytes, name: str, candidates: Sequence[str]) -> str | None:
    """Return the candidate with the smallest ``SHA-256(seed ‖ name=candidate)``; None of an empty list."""
    if len(candidates) <= 1:
        return next(iter(candidates), None)
    return min(candidates, key=lambda each: sha256(seed + f"{name}={each}".encode("ascii")))


def is_drawn(terms: BenchmarkTerms) -> bool:
    """Say whether the documents leave anything to the draw."""
    lists = (terms.benchmarks, terms.reduction, terms.ceiling_reduction, terms.ceiling_weight)
    return any(len(each) > 1 for each in lists)


def choose(terms: BenchmarkTerms, seed: bytes) -> Chosen:
    """Return what holds: first the benchmark, then the coefficients that it has, each drawn on its own."""
    benchmark = Benchmark(drawn(seed, "benchmark", terms.benchmarks) or terms.benchmarks[0])
    composite = benchmark is Benchmark.COMPOSITE
    lowered = benchmark in {Benchmark.MEAN, Benchmark.MEDIAN}
    return Chosen(
        benchmark=benchmark,
        reduction=drawn(seed, "reduction", terms.reduction) if lowered else None,
        ceiling_reduction=drawn(seed, "ceiling_reduction", terms.ceiling_reduction) if composite else None,
        ceiling_weight=drawn(seed, "ceiling_weight", terms.ceiling_weight) if composite else None,
    )
