"""What holds of every formula, whatever the bids: scaling, permutation, ties, monotony; and each family on its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from random import Random  # noqa: TID251 - the type of Hypothesis' own chance
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.build.golden_formulas import Golden, cases, opened
from trading.evaluation.rules.formulas.benchmark import (
    Chosen,
    benchmark_price,
    deviation_points,
    second_mean,
    trimmed,
)
from trading.evaluation.rules.formulas.coefficients import choose, coefficient_seed, drawn
from trading.evaluation.rules.formulas.exact import fraction_text, in_units, mean, median, text_of
from trading.evaluation.rules.formulas.framework import admitted, left_out
from trading.evaluation.rules.formulas.price import deducted, price_with_deviations, with_bonus
from trading.evaluation.rules.opened import OpenedBid
from trading.evaluation.rules.ranking import Ranking, rank
from trading.evaluation.rules.standings import Field, standings
from trading.procedures.rules.formula_terms import Benchmark, BenchmarkTerms, DeviationFactor, DeviationUnit, Trim

CASES = cases()
BY_NAME = {golden.name: golden for golden in CASES}
# A case whose prices decide alone, or with points; the deviations by amount do not scale with the prices.
SCALED = [golden for golden in CASES if golden.name != "met05_works_price-1"]
QUOTES = st.lists(st.integers(1_000, 1_000_000), min_size=3, max_size=9)


def ranks(ranking: Ranking) -> dict[str, int | None]:
    return {item.bid: item.rank for item in ranking.items}


def with_bids(golden: Golden, bids: Sequence[OpenedBid]) -> Ranking:
    rules = golden.rules
    return rank(bids, rules, examined=golden.examined, sheets=golden.sheets)


@pytest.mark.parametrize("golden", SCALED, ids=lambda golden: golden.name)
@given(factor=st.integers(2, 1_000))
@settings(deadline=None, max_examples=20)
def test_prices_in_another_unit_change_no_rank(golden: Golden, factor: int) -> None:  # MET-01 to MET-07
    rules = golden.rules
    ceiling = None if rules.ceiling is None else rules.ceiling * factor
    bids = [replace(bid, price=bid.price * factor) for bid in golden.bids]
    found = rank(bids, replace(rules, ceiling=ceiling), examined=golden.examined, sheets=golden.sheets)
    assert ranks(found) == ranks(golden.ranking())
    assert [item.score for item in found.items] == [item.score for item in golden.ranking().items]


@pytest.mark.parametrize("golden", CASES, ids=lambda golden: golden.name)
@given(chance=st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=20)
def test_the_order_of_bids_and_members_changes_nothing(golden: Golden, chance: Random) -> None:
    bids, sheets = [*golden.bids], [*golden.sheets]
    chance.shuffle(bids)
    chance.shuffle(sheets)
    found = rank(bids, golden.rules, examined=golden.examined, sheets=sheets)
    assert found.body(golden.rules) == golden.ranking().body(golden.rules)


@pytest.mark.parametrize(
    "name", ["met01_lowest_evaluated_price-1", "met02_comprehensive_scoring-1", "met03_consultation-1"]
)
@given(less=st.integers(1, 5_000))
@settings(deadline=None, max_examples=20)
def test_a_lower_quote_never_ranks_worse(name: str, less: int) -> None:  # MET-01 to MET-04
    golden = BY_NAME[name]
    before = ranks(golden.ranking())["B"] or 0
    bids = [replace(bid, price=bid.price - less) if bid.bid == "B" else bid for bid in golden.bids]
    assert (ranks(with_bids(golden, bids))["B"] or 0) <= before


@pytest.mark.parametrize("golden", CASES, ids=lambda golden: golden.name)
def test_equal_bids_are_drawn_where_a_place_is_left_for_some_only(golden: Golden) -> None:  # AWD-10
    equal = golden.case["bid"][-1]
    copies = [opened({**equal, "name": f"Z{place}"}) for place in range(4)]
    sheets = [
        replace(sheet, points={copy.bid: sheet.points[equal["name"]] for copy in copies}) for sheet in golden.sheets
    ]
    found = rank(copies, golden.rules, sheets=sheets)
    assert found.tie is not None
    assert found.tie.bids == tuple(copy.bid for copy in copies)
    assert sorted(item.rank or 0 for item in found.items) == [1, 2, 3, 4]


def test_the_lottery_reaches_only_where_admission_ends() -> None:  # MET-07, AWD-10
    golden = BY_NAME["met07_price_first-1"]
    prices = {"A": 400, "B": 400, "C": 500, "D": 600, "E": 600, "F": 700}
    bids = [replace(bid, price=prices[bid.bid]) for bid in golden.bids]
    found = with_bids(golden, bids)
    assert found.tie is not None
    assert found.tie.bids == ("D", "E")
    assert {bid: place for bid, place in ranks(found).items() if bid in "ABCF"} == {"A": 1, "B": 1, "C": 3, "F": 6}
    assert sorted(ranks(found)[bid] or 0 for bid in "DE") == [4, 5]
    later = [replace(bid, price={**prices, "D": 590}[bid.bid]) for bid in golden.bids]
    assert with_bids(golden, later).tie is None


def test_a_method_without_its_parameters_or_version_is_a_bug() -> None:
    golden = BY_NAME["met06_comprehensive_evaluation-1"]
    field = Field(conforming=golden.bids, granted={}, identities=[], sheets=golden.sheets)
    with pytest.raises(ValueError, match="without its parameters"):
        standings(field, replace(golden.rules, terms=None))
    with pytest.raises(ValueError, match="no version 2"):
        standings(field, golden.rules, 2)


@given(QUOTES)
@settings(deadline=None)
def test_benchmarks_lie_between_the_extremes(quotes: list[int]) -> None:  # MET-06
    for benchmark in (Benchmark.MEAN, Benchmark.MEDIAN, Benchmark.SECOND_MEAN, Benchmark.LOWEST):
        found = benchmark_price(quotes, Chosen(benchmark=benchmark), (), "10", None)
        assert min(quotes) <= found <= max(quotes)
    assert min(quotes) <= median(quotes) <= max(quotes)
    assert second_mean(quotes, "100") <= max(quotes)


@given(QUOTES, st.integers(1_000, 2_000_000))
@settings(deadline=None)
def test_nearer_to_the_benchmark_is_never_worse(quotes: list[int], price: int) -> None:  # MET-06
    base, full = mean(quotes), Fraction(60)

    def points(value: int) -> Fraction:
        return deviation_points(full, value, base, ("1.2", "0.8"), "10")

    assert Fraction(10) <= points(price) <= full
    step = price + (1 if price < base else -1)
    if price != base and (price - base) * (step - base) >= 0:
        assert points(step) >= points(price)


@pytest.mark.parametrize(
    ("count", "kept"),
    [(3, [0, 1, 2]), (4, [0, 1, 2, 3]), (5, [0, 1, 2, 3]), (6, [0, 1, 2, 3, 4]), (7, [1, 2, 3, 4, 5])],
)
def test_the_trimming_table_by_the_number_of_quotes(count: int, kept: list[int]) -> None:  # MET-06
    table = (Trim(quotes=5, highest=1, lowest=0), Trim(quotes=7, highest=1, lowest=1))
    quotes = [100 + place for place in range(count)]
    assert trimmed([*reversed(quotes)], table) == [quotes[place] for place in kept]


def test_no_quote_near_the_mean_leaves_the_mean() -> None:  # MET-06, BM3
    assert second_mean([1, 99], "10") == 50
    assert second_mean([90, 100, 110, 60, 140], "10") == 100
    assert second_mean([89, 100, 111], "10") == 100


def test_a_composite_benchmark_without_a_ceiling_is_a_bug() -> None:
    with pytest.raises(ValueError, match="ceiling"):
        benchmark_price([1, 2], Chosen(benchmark=Benchmark.COMPOSITE), (), "10", None)
    for empty in (mean, median):
        with pytest.raises(ValueError, match="of nothing"):
            empty([])


def terms(**changes: Any) -> BenchmarkTerms:  # noqa: ANN401 - a builder takes any field
    found = BY_NAME["met06_comprehensive_evaluation-2"].terms
    assert isinstance(found, BenchmarkTerms)
    return replace(found, **changes)


def test_the_draw_is_fixed_by_the_identities_and_reaches_every_candidate() -> None:  # MET-06
    many = terms(benchmarks=(Benchmark.MEAN, Benchmark.COMPOSITE), reduction=("0", "1", "2"))
    seeds = [coefficient_seed([f"AGE-SECRET-KEY-1{place}", "AGE-SECRET-KEY-1X"]) for place in range(60)]
    found = [choose(many, seed) for seed in seeds]
    assert found == [choose(many, seed) for seed in seeds]
    assert {each.benchmark for each in found} == {Benchmark.MEAN, Benchmark.COMPOSITE}
    assert {each.reduction for each in found if each.benchmark is Benchmark.MEAN} == {"0", "1", "2"}
    assert all((each.reduction is None) == (each.benchmark is Benchmark.COMPOSITE) for each in found)
    assert all((each.ceiling_weight is None) == (each.benchmark is Benchmark.MEAN) for each in found)
    assert drawn(seeds[0], "reduction", ()) is None
    assert drawn(seeds[0], "reduction", ("5",)) == "5"


@pytest.mark.parametrize(
    ("suppliers", "share", "out"),
    [(2, 20, 1), (3, 20, 1), (5, 20, 1), (6, 20, 2), (10, 20, 2), (11, 20, 3), (5, 40, 2)],
)
def test_the_share_left_out_is_rounded_up(suppliers: int, share: int, out: int) -> None:  # MET-07
    assert left_out(suppliers, Fraction(share, 100), 1) == out
    assert admitted(suppliers, Fraction(share, 100), 1) == suppliers - out


def test_deductions_add_up_on_the_quote_itself() -> None:  # PRF-01, PRF-06
    assert deducted(10_000, ("15", "20")) == 6_500
    assert deducted(10_000, ()) == 10_000
    assert deducted(5, ("10",)) == 5  # 4.5 is rounded half up
    assert with_bonus(Fraction(50), ("5",)) == Fraction(105, 2)  # PRF-03
    assert with_bonus(Fraction(50), ("2",)) == 51  # PRF-04


def test_deviations_add_to_the_price_and_are_rounded_once() -> None:  # MET-05
    delay = DeviationFactor(id="delay", unit=DeviationUnit.AMOUNT, value="3", title_zh="工期", title_en="Delay")
    early = DeviationFactor(id="early", unit=DeviationUnit.PERCENT, value="0.5", title_zh="付款", title_en="Payment")
    found = price_with_deviations(90, 100, {"delay": Fraction(1, 2), "early": Fraction(3)}, (delay, early))
    assert found.added == {"delay": Fraction(3, 2), "early": Fraction(3, 2)}
    assert found.price == 93
    assert price_with_deviations(90, 100, {"delay": Fraction(1, 2)}, (delay,)).price == 92  # 91.5
    for counts in ({"other": Fraction(1)}, {"delay": Fraction(-1)}):
        with pytest.raises(ValueError, match="not quantify"):
            price_with_deviations(90, 100, counts, (delay, early))


def test_texts_of_exact_values() -> None:
    assert text_of(in_units(Fraction("87.125"), 2), 2) == "87.13"
    assert text_of(7, 0) == "7"
    assert (fraction_text(Fraction(200, 3)), fraction_text(Fraction(100))) == ("200/3", "100")
