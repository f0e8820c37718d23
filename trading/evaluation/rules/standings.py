"""What each method compares bids by: one function a method, chosen by method and version of its formula (B10.5).

A version is never edited once a notice may have named it: another arithmetic is another version, so that records of
today are recomputed for ever by the arithmetic of today.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, TypeAlias

from trading.evaluation.rules.examination import granted_percents
from trading.evaluation.rules.formulas.benchmark import benchmark_price, deviation_points
from trading.evaluation.rules.formulas.coefficients import choose, coefficient_seed, is_drawn
from trading.evaluation.rules.formulas.exact import fraction_text, in_units, percent, text_of
from trading.evaluation.rules.formulas.framework import admitted
from trading.evaluation.rules.formulas.price import deducted, price_share, price_with_deviations, with_bonus
from trading.evaluation.rules.opened import OpenedBid, RankingRules
from trading.evaluation.rules.scoring import Scorecard, Sheet, total_of
from trading.procedures.rules.criteria import CriterionKind
from trading.procedures.rules.formula_terms import (
    Benchmark,
    BenchmarkTerms,
    ConsultationTerms,
    DeviationTerms,
    FrameworkTerms,
    TieStep,
)
from trading.procedures.rules.policies import Method
from trading.rulebook.keys import Key

Order: TypeAlias = tuple[Fraction | int, ...]
VERSION: Final = 1  # of every formula so far


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a conforming bid is compared by: the smaller ``order`` comes first. ``points`` of the price, if rounded."""

    bid: str
    order: Order
    evaluated: int
    card: Scorecard | None = None
    points: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standings:
    """All conforming bids; ``places`` are admitted (one, but in framework agreements); ``workings`` for the record."""

    lines: Mapping[str, Standing]
    places: int = 1
    workings: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A lot to be compared: its conforming bids, what each was granted, all opened ones' identities, the sheets."""

    conforming: Sequence[OpenedBid]
    granted: Mapping[str, str | None]
    identities: Sequence[str]
    sheets: Sequence[Sheet]

    def percents(self, bid: OpenedBid, rules: RankingRules) -> tuple[str, ...]:
        """Return the per cent that were granted to a bid."""
        return granted_percents(self.granted.get(bid.bid), rules.preference)

    def deducted(self, rules: RankingRules) -> dict[str, int]:
        """Return P' of every conforming bid."""
        return {bid.bid: deducted(bid.price, self.percents(bid, rules)) for bid in self.conforming}


def standings(field: Field, rules: RankingRules, version: int = VERSION) -> Standings:
    """Return what the bids of a lot are compared by.

    Raises:
        ValueError: No such version of the formula, parameters of another method, or a sheet is missing. A bug.
    """
    found = _FORMULAS.get((rules.method, version))
    if found is None:
        raise ValueError(f"{rules.method} has no version {version}")
    return found(field, rules)


def _by_price(field: Field, rules: RankingRules) -> Standings:
    """MET-01, MET-04: the lowest P' comes first."""
    prices = field.deducted(rules)
    return Standings(lines={bid: Standing(bid=bid, order=(price,), evaluated=price) for bid, price in prices.items()})


def _by_works_price(field: Field, rules: RankingRules) -> Standings:
    """MET-05: the lowest price with all quantified deviations comes first."""
    terms = _terms(rules, DeviationTerms)
    prices = field.deducted(rules)
    compared = {
        bid.bid: price_with_deviations(prices[bid.bid], bid.price, bid.deviations, terms.factors).price
        for bid in field.conforming
    }
    return Standings(lines={bid: Standing(bid=bid, order=(price,), evaluated=price) for bid, price in compared.items()})


def _by_scores(field: Field, rules: RankingRules) -> Standings:
    """MET-02: the highest total comes first, and of equal totals the lower P'."""
    prices = field.deducted(rules)
    cards = _cards(field, rules, _quotient(prices, rules), Key.SCORE_DECIMALS)
    return Standings(
        lines={
            bid: Standing(bid=bid, order=(-cards[bid].score, price), evaluated=price, card=cards[bid])
            for bid, price in prices.items()
        }
    )


def _by_consultation(field: Field, rules: RankingRules) -> Standings:
    """MET-03: the highest total, then the lower final quote, then the better technical points (214号 25)."""
    technical = _terms(rules, ConsultationTerms).technical
    prices = field.deducted(rules)
    cards = _cards(field, rules, _quotient(prices, rules), Key.SCORE_DECIMALS)
    return Standings(
        lines={
            bid: Standing(
                bid=bid,
                order=(-cards[bid].score, price, -cards[bid].sum_of(technical)),
                evaluated=price,
                card=cards[bid],
            )
            for bid, price in prices.items()
        }
    )


def _by_benchmark(field: Field, rules: RankingRules) -> Standings:
    """MET-06: members' points and the points of the price by its distance from the benchmark; ties per documents.

    Preferences (46号 9): where the benchmark is the lowest price, they are deducted; else they raise the points of the
    price. The points of the price are rounded once, the total of them and the means of members once more.
    """
    terms = _terms(rules, BenchmarkTerms)
    seed = coefficient_seed(field.identities)
    chosen = choose(terms, seed)
    lowest = chosen.benchmark is Benchmark.LOWEST
    prices = field.deducted(rules) if lowest else {bid.bid: bid.price for bid in field.conforming}
    base = benchmark_price(list(prices.values()), chosen, terms.trim, terms.band, rules.ceiling)
    decimals = rules.edition.count(Key.BENCHMARK_DECIMALS, rules.regime)
    units = {}
    for bid in field.conforming:
        exact = deviation_points(_full(rules), prices[bid.bid], base, (terms.above, terms.below), terms.floor)
        units[bid.bid] = in_units(exact if lowest else with_bonus(exact, field.percents(bid, rules)), decimals)
    cards = _cards(field, rules, {bid: Fraction(n, 10**decimals) for bid, n in units.items()}, Key.BENCHMARK_DECIMALS)
    order = {
        bid: {TieStep.PRICE: Fraction(price), TieStep.TECHNICAL: -cards[bid].sum_of(terms.technical)}
        for bid, price in prices.items()
    }
    lines = {
        bid: Standing(
            bid=bid,
            order=(-cards[bid].score, *(order[bid][step] for step in terms.ties)),
            evaluated=prices[bid],
            card=cards[bid],
            points=text_of(units[bid], decimals),
        )
        for bid in prices
    }
    workings = {
        "benchmark": chosen.benchmark.value,
        "ceiling_reduction": chosen.ceiling_reduction,
        "ceiling_weight": chosen.ceiling_weight,
        "price": fraction_text(base),
        "reduction": chosen.reduction,
        "seed": seed.hex() if is_drawn(terms) else None,
    }
    return Standings(lines=lines, workings=workings)


def _by_price_first(field: Field, rules: RankingRules) -> Standings:
    """MET-07, price first: the lower P' comes first; the documents' share of suppliers is left out."""
    found = _by_price(field, rules)
    places = _places(field, rules)
    return Standings(lines=found.lines, places=places, workings={"places": places})


def _by_quality_first(field: Field, rules: RankingRules) -> Standings:
    """MET-07, quality first: the higher total of quality comes first; no price is scored."""
    prices = field.deducted(rules)
    cards = _cards(field, rules, dict.fromkeys(prices, Fraction(0)), Key.SCORE_DECIMALS)
    lines = {
        bid: Standing(bid=bid, order=(-cards[bid].score,), evaluated=price, card=cards[bid])
        for bid, price in prices.items()
    }
    places = _places(field, rules)
    return Standings(lines=lines, places=places, workings={"places": places})


def _places(field: Field, rules: RankingRules) -> int:
    share = percent(_terms(rules, FrameworkTerms).elimination)
    return admitted(len(field.conforming), share, rules.edition.count(Key.ELIMINATED_MIN, rules.regime))


def _quotient(prices: Mapping[str, int], rules: RankingRules) -> dict[str, Fraction]:
    lowest = min(prices.values(), default=0)
    return {bid: _full(rules) * price_share(lowest, price) for bid, price in prices.items()}


def _full(rules: RankingRules) -> Fraction:
    return sum((each.most for each in rules.criteria if each.kind is CriterionKind.PRICE), Fraction(0))


def _cards(field: Field, rules: RankingRules, priced: Mapping[str, Fraction], decimals: Key) -> dict[str, Scorecard]:
    return total_of(priced, rules.criteria, field.sheets, rules.edition.count(decimals, rules.regime))


def _terms(rules: RankingRules, kind: type[Any]) -> Any:  # noqa: ANN401 - an instance of ``kind``
    if not isinstance(rules.terms, kind):
        raise ValueError(f"{rules.method} without its parameters")  # noqa: TRY004 - a bug in the data, not in a type
    return rules.terms


_FORMULAS: Final[Mapping[tuple[Method, int], Callable[[Field, RankingRules], Standings]]] = {
    (Method.LOWEST_EVALUATED_PRICE, 1): _by_price,
    (Method.COMPREHENSIVE_SCORING, 1): _by_scores,
    (Method.CONSULTATION_SCORING, 1): _by_consultation,
    (Method.LOWEST_FINAL_QUOTE, 1): _by_price,
    (Method.LOWEST_PRICE_EVALUATED_TL, 1): _by_works_price,
    (Method.COMPREHENSIVE_EVALUATION_TL, 1): _by_benchmark,
    (Method.PRICE_FIRST, 1): _by_price_first,
    (Method.QUALITY_FIRST, 1): _by_quality_first,
}
