"""What the law and the jurisdiction say about the parameters that the documents choose of a formula.

MET-03: technical criteria are named among those that members score. MET-05: every deviation costs something. MET-06:
the slope above the benchmark is steeper than below, coefficients lie within the bounds of the edition, and a draw of
them is used only where the edition allows it. MET-07: enough suppliers are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

from trading.kernel.errors import RuleBroken
from trading.procedures.rules.criteria import FULL_SCORE, Criterion, CriterionKind, decimal_of
from trading.procedures.rules.formula_terms import (
    Benchmark,
    BenchmarkTerms,
    ConsultationTerms,
    DeviationTerms,
    FormulaTerms,
    FrameworkTerms,
    TieStep,
)
from trading.procedures.rules.policies import Method
from trading.rulebook.keys import Key, Regime
from trading.rulebook.model import Edition

_NEEDED = {
    Method.CONSULTATION_SCORING: ConsultationTerms,
    Method.LOWEST_PRICE_EVALUATED_TL: DeviationTerms,
    Method.COMPREHENSIVE_EVALUATION_TL: BenchmarkTerms,
    Method.PRICE_FIRST: FrameworkTerms,
    Method.QUALITY_FIRST: FrameworkTerms,
}


def require_lawful_formula(
    method: Method,
    terms: FormulaTerms | None,
    criteria: Sequence[Criterion],
    ceiling: int | None,
    edition: Edition,
    regime: Regime,
) -> None:
    """Refuse parameters that the documents must not contain.

    Args:
        method: Method of the lot; those that leave nothing to choose take no ``terms``.
        terms: What the documents chose.
        criteria: Criteria of the lot, empty for a ranking by price.
        ceiling: Ceiling of the lot in minor units, None if it has none.
        edition: Bounds of the coefficients.
        regime: Legal track of the procedure.

    Raises:
        RuleBroken: ``formula.missing``, ``formula.unexpected`` (rule of the method), ``formula.technical`` (MET-03,
            MET-06), ``formula.coefficients``, ``formula.draw``, ``formula.slopes``, ``formula.floor``,
            ``formula.trim``, ``formula.ceiling`` (MET-06), ``formula.deviations`` (MET-05), ``formula.elimination``
            (MET-07).
    """
    needed = _NEEDED.get(method)
    if terms is None:
        if needed is not None:
            raise RuleBroken("formula.missing", method.rule)
        return
    if needed is None or not isinstance(terms, needed):
        raise RuleBroken("formula.unexpected", method.rule)
    match terms:
        case ConsultationTerms(technical=technical):
            _require_technical(technical, criteria, "MET-03", needed=True)
        case DeviationTerms():
            _require_deviations(terms)
        case BenchmarkTerms():
            _require_benchmark(terms, criteria, ceiling, edition, regime)
        case FrameworkTerms():
            _require_elimination(method, terms, edition, regime)


def _require_technical(names: Sequence[str], criteria: Sequence[Criterion], rule: str, *, needed: bool) -> None:
    known = {each.id for each in criteria if each.kind is not CriterionKind.PRICE}
    if not set(names) <= known or (needed and known and not names):
        raise RuleBroken("formula.technical", rule, criteria=", ".join(names))


def _require_deviations(terms: DeviationTerms) -> None:
    names = [each.id for each in terms.factors]
    costless = [each.id for each in terms.factors if Fraction(each.value) == 0]
    if costless or len(set(names)) != len(names):
        raise RuleBroken("formula.deviations", "MET-05", factors=", ".join(costless or names))


def _require_benchmark(
    terms: BenchmarkTerms, criteria: Sequence[Criterion], ceiling: int | None, edition: Edition, regime: Regime
) -> None:
    _require_technical(terms.technical, criteria, "MET-06", needed=TieStep.TECHNICAL in terms.ties)
    if Fraction(terms.above) <= Fraction(terms.below):
        raise RuleBroken("formula.slopes", "MET-06", above=terms.above, below=terms.below)
    full = sum((each.most for each in criteria if each.kind is CriterionKind.PRICE), Fraction(0))
    if Fraction(terms.floor) >= full:
        raise RuleBroken("formula.floor", "MET-06", floor=terms.floor, most=decimal_of(full))
    sizes = [each.quotes for each in terms.trim]
    if sizes != sorted(set(sizes)) or any(each.highest + each.lowest >= each.quotes for each in terms.trim):
        raise RuleBroken("formula.trim", "MET-06")
    if Benchmark.COMPOSITE in terms.benchmarks and ceiling is None:
        raise RuleBroken("formula.ceiling", "MET-06")
    _require_coefficients(terms, edition, regime)
    lists = (terms.benchmarks, terms.reduction, terms.ceiling_reduction, terms.ceiling_weight)
    if any(len(each) > 1 for each in lists) and not edition.flag(Key.BENCHMARK_DRAW, regime):
        raise RuleBroken("formula.draw", "MET-06")


def _require_coefficients(terms: BenchmarkTerms, edition: Edition, regime: Regime) -> None:
    """Every benchmark that may be used has its coefficients, each within the bounds; a bound itself is lawful."""
    composite = Benchmark.COMPOSITE in terms.benchmarks
    reduced = not {Benchmark.MEAN, Benchmark.MEDIAN}.isdisjoint(terms.benchmarks)
    wanted = (
        (terms.reduction, reduced, (Key.BENCHMARK_REDUCTION_MAX,)),
        (terms.ceiling_reduction, composite, (Key.BENCHMARK_REDUCTION_MAX,)),
        (terms.ceiling_weight, composite, (Key.BENCHMARK_CEILING_WEIGHT_MIN, Key.BENCHMARK_CEILING_WEIGHT_MAX)),
    )
    for values, used, keys in wanted:
        if used and not values:
            raise RuleBroken("formula.coefficients", "MET-06", value="", bounds=_bounds(keys, edition, regime))
        for value in values:
            if not all(edition.allows(key, regime, Fraction(value)) for key in keys):
                raise RuleBroken("formula.coefficients", "MET-06", value=value, bounds=_bounds(keys, edition, regime))
    if Benchmark.SECOND_MEAN in terms.benchmarks and not 0 < Fraction(terms.band) <= FULL_SCORE:
        raise RuleBroken("formula.coefficients", "MET-06", value=terms.band, bounds=str(FULL_SCORE))


def _bounds(keys: Iterable[Key], edition: Edition, regime: Regime) -> str:
    return "–".join(decimal_of(edition.fraction(key, regime) * FULL_SCORE) for key in keys)


def _require_elimination(method: Method, terms: FrameworkTerms, edition: Edition, regime: Regime) -> None:
    high = method is Method.QUALITY_FIRST and terms.instruments
    key = Key.ELIMINATION_MIN_INSTRUMENTS if high else Key.ELIMINATION_MIN
    share = Fraction(terms.elimination)
    if not edition.allows(key, regime, share) or share >= FULL_SCORE:
        least = decimal_of(edition.fraction(key, regime) * FULL_SCORE)
        raise RuleBroken("formula.elimination", "MET-07", elimination=terms.elimination, least=least)
