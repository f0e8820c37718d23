"""What the documents may choose of a formula, a price check and a preference: the bounds of the edition."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.build.golden_formulas import cases, criterion
from tests.build.tenders import NATIONAL, REPLAY, REVIEWER, facts, lot, spec
from trading.kernel.errors import RuleBroken
from trading.procedures.rules import guards
from trading.procedures.rules.abnormal_shares import AbnormalShares, require_lawful_shares
from trading.procedures.rules.criteria import Preference, require_lawful_deduction, require_lawful_tree
from trading.procedures.rules.fields import InvalidFields
from trading.procedures.rules.formula_law import require_lawful_formula
from trading.procedures.rules.formula_terms import (
    Benchmark,
    BenchmarkTerms,
    ConsultationTerms,
    DeviationTerms,
    FormulaTerms,
    FrameworkTerms,
    TieStep,
    Trim,
    formula_json,
)
from trading.procedures.rules.policies import Category, Method
from trading.procedures.rules.spec import parse_spec
from trading.rulebook.keys import Key, Regime
from trading.rulebook.model import Edition

CASES = cases()
BY_NAME = {golden.name: golden for golden in CASES}
CRITERIA = (criterion("price", "60"), criterion("technical", "40"))
NO_DRAW = replace(
    NATIONAL,
    parameters={
        **NATIONAL.parameters,
        Key.BENCHMARK_DRAW: replace(NATIONAL.parameters[Key.BENCHMARK_DRAW], value=False),
    },
)


def benchmark(**changes: Any) -> BenchmarkTerms:  # noqa: ANN401 - a builder takes any field
    found = BY_NAME["met06_comprehensive_evaluation-2"].terms
    assert isinstance(found, BenchmarkTerms)
    return replace(found, **changes)


WORKS = {Method.COMPREHENSIVE_EVALUATION_TL, Method.LOWEST_PRICE_EVALUATED_TL}


def refusal(
    method: Method, terms: FormulaTerms | None, edition: Edition = NATIONAL, ceiling: int | None = 100
) -> tuple[str, str | None]:
    regime = Regime.TL if method in WORKS else Regime.GP
    with pytest.raises(RuleBroken) as refused:
        require_lawful_formula(method, terms, CRITERIA, ceiling, edition, regime)
    return refused.value.code, refused.value.rule_id


@pytest.mark.parametrize("golden", CASES, ids=lambda golden: golden.name)
def test_golden_parameters_are_lawful_and_read_back(golden: Any) -> None:  # noqa: ANN401 - a golden case
    rules = golden.rules
    require_lawful_formula(rules.method, rules.terms, rules.criteria, rules.ceiling, NATIONAL, rules.regime)
    chosen = {"method": golden.method.value, "formula": golden.formula}
    parsed = parse_spec(spec(lots=[lot(**chosen)]))
    assert parsed.lots[0].formula == rules.terms
    assert parse_spec(parsed.to_json()) == parsed
    if rules.terms is not None:
        assert formula_json(rules.terms) == golden.formula
    if rules.preference is not None:
        works = rules.regime is Regime.TL
        require_lawful_deduction(rules.preference, NATIONAL, rules.regime, Category.WORKS if works else Category.GOODS)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"above": "0.5"}, "formula.slopes"),
        ({"floor": "60"}, "formula.floor"),
        ({"trim": (Trim(quotes=2, highest=1, lowest=1),)}, "formula.trim"),
        ({"trim": (Trim(quotes=7, highest=1, lowest=1), Trim(quotes=5, highest=1, lowest=0))}, "formula.trim"),
        ({"technical": ("price",)}, "formula.technical"),
        ({"technical": (), "ties": (TieStep.TECHNICAL,)}, "formula.technical"),
        ({"ceiling_weight": ("19",)}, "formula.coefficients"),
        ({"ceiling_weight": ("51",)}, "formula.coefficients"),
        ({"ceiling_weight": ()}, "formula.coefficients"),
        ({"ceiling_reduction": ("10.5",)}, "formula.coefficients"),
        ({"benchmarks": (Benchmark.MEAN,), "reduction": ()}, "formula.coefficients"),
        ({"benchmarks": (Benchmark.SECOND_MEAN,), "band": "0"}, "formula.coefficients"),
    ],
)
def test_unlawful_parameters_of_a_benchmark(changes: dict[str, Any], code: str) -> None:  # MET-06
    assert refusal(Method.COMPREHENSIVE_EVALUATION_TL, benchmark(**changes)) == (code, "MET-06")


def test_bounds_of_coefficients_are_lawful_themselves() -> None:  # MET-06
    for weight in ("20", "50"):
        terms = benchmark(ceiling_weight=(weight,), ceiling_reduction=("10",))
        require_lawful_formula(Method.COMPREHENSIVE_EVALUATION_TL, terms, CRITERIA, 100, NATIONAL, Regime.TL)


def test_a_draw_is_refused_where_the_edition_has_none() -> None:  # MET-06
    terms = benchmark(ceiling_weight=("20", "30"))
    require_lawful_formula(Method.COMPREHENSIVE_EVALUATION_TL, terms, CRITERIA, 100, NATIONAL, Regime.TL)
    assert refusal(Method.COMPREHENSIVE_EVALUATION_TL, terms, NO_DRAW) == ("formula.draw", "MET-06")
    assert refusal(Method.COMPREHENSIVE_EVALUATION_TL, benchmark(), ceiling=None) == ("formula.ceiling", "MET-06")


def test_other_methods_and_their_parameters() -> None:  # MET-03, MET-05, MET-07
    assert refusal(Method.CONSULTATION_SCORING, None) == ("formula.missing", "MET-03")
    assert refusal(Method.LOWEST_FINAL_QUOTE, benchmark()) == ("formula.unexpected", "MET-04")
    assert refusal(Method.CONSULTATION_SCORING, ConsultationTerms(technical=())) == ("formula.technical", "MET-03")
    factors = BY_NAME["met05_works_price-1"].terms
    assert isinstance(factors, DeviationTerms)
    twice = DeviationTerms(factors=(*factors.factors, factors.factors[0]))
    costless = DeviationTerms(factors=(replace(factors.factors[1], value="0"),))
    for bad in (twice, costless):
        assert refusal(Method.LOWEST_PRICE_EVALUATED_TL, bad) == ("formula.deviations", "MET-05")
    for method, share, instruments in (
        (Method.PRICE_FIRST, "19.99", False),
        (Method.QUALITY_FIRST, "39", True),
        (Method.PRICE_FIRST, "100", False),
    ):
        terms = FrameworkTerms(elimination=share, instruments=instruments)
        assert refusal(method, terms) == ("formula.elimination", "MET-07")
    for method, share, instruments in ((Method.PRICE_FIRST, "20", True), (Method.QUALITY_FIRST, "40", True)):
        terms = FrameworkTerms(elimination=share, instruments=instruments)
        require_lawful_formula(method, terms, (), None, NATIONAL, Regime.GP)


@pytest.mark.parametrize(
    ("category", "weight", "code"),
    [
        (Category.GOODS, "29", "criteria.price_weight"),
        (Category.GOODS, "30", None),
        (Category.GOODS, "60", None),
        (Category.GOODS, "61", "criteria.price_weight_high"),
        (Category.SERVICES, "9", "criteria.price_weight"),
        (Category.SERVICES, "10", None),
        (Category.SERVICES, "30", None),
        (Category.SERVICES, "31", "criteria.price_weight_high"),
    ],
)
def test_weight_of_the_price_in_a_consultation(category: Category, weight: str, code: str | None) -> None:  # MET-03
    tree = (criterion("price", weight), criterion("technical", str(100 - int(weight))))
    found = None
    try:
        require_lawful_tree(tree, category, NATIONAL, Regime.GP, Method.CONSULTATION_SCORING)
    except RuleBroken as refused:
        found = (refused.code, refused.rule_id)
    assert found == (None if code is None else (code, "MET-03"))


def test_quality_first_scores_no_price() -> None:  # MET-07
    require_lawful_tree((criterion("quality", "100"),), Category.GOODS, NATIONAL, Regime.GP, Method.QUALITY_FIRST)
    with pytest.raises(RuleBroken, match="one_price"):
        require_lawful_tree(CRITERIA, Category.GOODS, NATIONAL, Regime.GP, Method.QUALITY_FIRST)


@pytest.mark.parametrize(
    ("mean", "code"), [("49.9", "abnormal.out_of_range"), ("50", None), ("65", None), ("65.1", "abnormal.out_of_range")]
)
def test_shares_of_the_price_check_may_be_raised_only(mean: str, code: str | None) -> None:  # B10.3
    shares = AbnormalShares(mean=mean, second_lowest="50", ceiling="45")
    found = None
    try:
        require_lawful_shares(shares, NATIONAL, Regime.GP)
    except RuleBroken as refused:
        found = refused.code
    assert found == code
    with pytest.raises(RuleBroken, match="unexpected"):
        require_lawful_shares(shares, REPLAY, Regime.GP)


@pytest.mark.parametrize(
    ("preference", "category", "rule"),
    [
        (Preference(small_micro="5", consortium="2"), Category.WORKS, None),
        (Preference(small_micro="3", consortium="1"), Category.WORKS, None),
        (Preference(small_micro="6", consortium="2"), Category.WORKS, "PRF-03"),
        (Preference(small_micro="5", consortium="0.5"), Category.WORKS, "PRF-04"),
        (Preference(small_micro="10", consortium="7"), Category.SERVICES, "PRF-02"),
        (Preference(small_micro="10", consortium="4", domestic="20"), Category.GOODS, None),
        (Preference(small_micro="10", consortium="4", domestic="19"), Category.GOODS, "PRF-06"),
        (Preference(small_micro="10", consortium="4", domestic="20"), Category.SERVICES, "PRF-06"),
    ],
)
def test_deductions_by_category(preference: Preference, category: Category, rule: str | None) -> None:
    found = None
    try:
        require_lawful_deduction(preference, NATIONAL, Regime.GP, category)
    except RuleBroken as refused:
        found = refused.rule_id
    assert found == rule


def test_an_open_tender_takes_no_method_or_category_of_another_kind() -> None:  # MTD-01
    guard = guards.method_of_kind((Method.LOWEST_EVALUATED_PRICE,), (Category.GOODS,), "MTD-01")
    guard(facts(), REVIEWER)
    for change, code in (({"method": "lowest_final_quote"}, "method"), ({"category": "works"}, "category")):
        terms = parse_spec(spec(lots=[lot(**change)])).lots[0]
        with pytest.raises(RuleBroken, match=f"{code}.not_of_kind"):
            guard(facts(terms=terms), REVIEWER)


def test_guards_ask_the_law() -> None:
    good = parse_spec(spec(lots=[lot(abnormal={"ceiling": "50", "mean": "60", "second_lowest": "65"})])).lots[0]
    guards.require_lawful_shares(facts(terms=good), REVIEWER)
    guards.require_lawful_formula(facts(terms=good), REVIEWER)
    low = parse_spec(spec(lots=[lot(abnormal={"ceiling": "44", "mean": "60", "second_lowest": "65"})])).lots[0]
    with pytest.raises(RuleBroken, match=r"abnormal\.out_of_range"):
        guards.require_lawful_shares(facts(terms=low), REVIEWER)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"formula": {}}, "lots.0.formula"),
        (
            {"method": "price_first", "formula": {"elimination": "x", "instruments": False}},
            "lots.0.formula.elimination",
        ),
        ({"method": "consultation_scoring", "formula": {"technical": ["a", "a"]}}, "lots.0.formula.technical"),
        ({"method": "consultation_scoring", "formula": {"technical": "a"}}, "lots.0.formula.technical"),
        ({"abnormal": {"mean": "60"}}, "lots.0.abnormal.ceiling"),
    ],
)
def test_a_bad_parameter_is_named(change: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidFields) as invalid:
        parse_spec(spec(lots=[lot(**change)]))
    assert path in {error.path for error in invalid.value.errors}
