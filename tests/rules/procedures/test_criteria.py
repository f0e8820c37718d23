"""The criteria tree and the deductions of a lot: MET-01, MET-02, DOC-15, PRF-01, PRF-02."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from tests.build.scores import CRITERIA, PREFERENCE, band, criterion
from tests.build.tenders import NATIONAL, REVIEWER, facts, lot, spec
from trading.kernel.errors import RuleBroken
from trading.procedures.rules import guards
from trading.procedures.rules.criteria import (
    Criterion,
    CriterionKind,
    Preference,
    decimal_of,
    require_lawful_deduction,
    require_lawful_tree,
)
from trading.procedures.rules.fields import InvalidFields
from trading.procedures.rules.policies import Category, Method
from trading.procedures.rules.spec import LotSpec, parse_spec
from trading.rulebook.keys import Regime

PRICE, WARRANTY, PLAN = CRITERIA
JSON = [each.to_json() for each in CRITERIA]
SCORING: dict[str, Any] = {"criteria": JSON, "method": "comprehensive_scoring", "preference": PREFERENCE.to_json()}


def refusal(criteria: tuple[Criterion, ...], category: Category = Category.GOODS) -> tuple[str, str | None] | None:
    try:
        require_lawful_tree(criteria, category, NATIONAL, Regime.GP)
    except RuleBroken as broken:
        return broken.code, broken.rule_id
    return None


def weights(price: str, plan: str) -> tuple[Criterion, ...]:
    return replace(PRICE, max=price), WARRANTY, replace(PLAN, max=plan)


@pytest.mark.parametrize(
    ("category", "price", "plan", "expected"),
    [
        (Category.GOODS, "29.5", "60.5", ("criteria.price_weight", "MET-02")),
        (Category.GOODS, "30", "60", None),
        (Category.GOODS, "30.5", "59.5", None),
        (Category.SERVICES, "9.5", "80.5", ("criteria.price_weight", "MET-02")),
        (Category.SERVICES, "10", "80", None),
        (Category.GOODS, "40", "49.5", ("criteria.sum", "MET-02")),
        (Category.GOODS, "40", "50.5", ("criteria.sum", "MET-02")),
    ],
)
def test_weight_of_the_price_and_sum(category: Category, price: str, plan: str, expected: object) -> None:  # MET-02
    assert refusal(weights(price, plan), category) == expected


def test_exactly_one_price() -> None:  # MET-02
    assert refusal((WARRANTY, replace(PLAN, max="90"))) == ("criteria.one_price", "MET-02")
    twice = (replace(PRICE, max="20"), replace(PRICE, id="price2", max="20"), WARRANTY, PLAN)
    assert refusal(twice) == ("criteria.one_price", "MET-02")


@pytest.mark.parametrize(
    "bands",
    [
        (),
        (band("0", "2", "0"), band("2", "4", "10")),  # no end
        (band("0", "2", "0"), band("3", None, "10")),  # a gap
        (band("0", "2", "0"), band("1", None, "10")),  # an overlap
        (band("2", "2", "0"), band("2", None, "10")),  # an empty interval
        (band("0", None, "0"), band("2", None, "10")),
        (band("0", "2", "0"), band("2", None, "5")),  # nobody can have the maximum
        (band("0", "2", "0"), band("2", None, "11")),  # more than the maximum
    ],
)
def test_intervals_of_an_objective_criterion(bands: tuple[Any, ...]) -> None:  # DOC-15
    assert refusal((PRICE, replace(WARRANTY, bands=bands), PLAN)) == ("criteria.bands", "DOC-15")


def test_steps_and_stray_intervals() -> None:  # DOC-15
    for step in ("0", "0.3", "60"):
        assert refusal((PRICE, WARRANTY, replace(PLAN, step=step))) == ("criteria.step", "DOC-15")
    assert refusal((PRICE, WARRANTY, replace(PLAN, step="10"))) is None
    stray = replace(PLAN, bands=WARRANTY.bands)
    assert refusal((PRICE, WARRANTY, stray)) == ("criteria.bands_unexpected", "DOC-15")


@pytest.mark.parametrize(
    ("small", "consortium", "expected"),
    [
        ("10", "4", None),
        ("20", "6", None),
        ("9.5", "4", "PRF-01"),
        ("20.5", "4", "PRF-01"),
        ("10", "3.5", "PRF-02"),
        ("10", "6.5", "PRF-02"),
    ],
)
def test_deductions(small: str, consortium: str, expected: str | None) -> None:  # PRF-01, PRF-02
    preference = Preference(small_micro=small, consortium=consortium)
    if expected is None:
        require_lawful_deduction(preference, NATIONAL, Regime.GP)
        return
    with pytest.raises(RuleBroken) as broken:
        require_lawful_deduction(preference, NATIONAL, Regime.GP)
    assert (broken.value.code, broken.value.rule_id) == ("preference.out_of_range", expected)


def terms(**changes: Any) -> LotSpec:  # noqa: ANN401 - a builder takes any field
    return parse_spec(spec(lots=[lot(**changes)])).lots[0]


def test_the_specification_reads_what_it_writes() -> None:
    parsed = parse_spec(spec(lots=[lot(**SCORING, category="services")]))
    assert parsed.lots[0].criteria == CRITERIA
    assert parsed.lots[0].preference == PREFERENCE
    assert parsed.lots[0].category is Category.SERVICES
    assert parse_spec(parsed.to_json()) == parsed


def test_an_older_specification_has_neither_criteria_nor_deductions() -> None:
    plain = {name: value for name, value in lot().items() if name not in {"category", "criteria", "preference"}}
    parsed = parse_spec(spec(lots=[plain])).lots[0]
    assert (parsed.category, parsed.criteria, parsed.preference) == (Category.GOODS, None, None)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"criteria": []}, "lots.0.criteria"),
        ({"criteria": [JSON[0], JSON[0]]}, "lots.0.criteria"),
        ({"criteria": [{**JSON[0], "max": "40.0"}]}, "lots.0.criteria.0.max"),
        ({"criteria": [{**JSON[0], "max": 40}]}, "lots.0.criteria.0.max"),
        ({"criteria": [{**JSON[0], "kind": "taste"}]}, "lots.0.criteria.0.kind"),
        ({"criteria": [{**JSON[1], "bands": [{"from": "x"}]}]}, "lots.0.criteria.0.bands.0.from"),
        ({"preference": {"small_micro": "10"}}, "lots.0.preference.consortium"),
        ({"category": "boats"}, "lots.0.category"),
    ],
)
def test_a_bad_field_is_named(change: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidFields) as invalid:
        parse_spec(spec(lots=[lot(**change)]))
    assert path in {error.path for error in invalid.value.errors}


def test_guards_ask_method_criteria_and_deductions() -> None:  # MET-01, MET-02, PRF-01
    lawful = terms(**SCORING)
    for guard in (guards.require_lawful_criteria, guards.require_lawful_preference):
        guard(facts(terms=lawful), REVIEWER)
        guard(facts(), REVIEWER)
    for bad, code in (
        (replace(lawful, criteria=None), "criteria.missing"),
        (replace(lawful, method=Method.LOWEST_EVALUATED_PRICE), "criteria.unexpected"),
        (replace(lawful, criteria=weights("40", "51")), "criteria.sum"),
    ):
        with pytest.raises(RuleBroken) as broken:
            guards.require_lawful_criteria(facts(terms=bad), REVIEWER)
        assert broken.value.code == code


@pytest.mark.parametrize(
    ("value", "text"),
    [(Fraction(0), "0"), (Fraction(1, 2), "0.5"), (Fraction(100), "100"), (Fraction(-5, 4), "-1.25")],
)
def test_decimals(value: Fraction, text: str) -> None:
    assert decimal_of(value) == text
    with pytest.raises(ValueError, match="no finite decimal"):
        decimal_of(Fraction(1, 3))


def test_a_criterion_without_a_kind_of_its_own_is_not_objective() -> None:
    assert criterion("x", CriterionKind.SUBJECTIVE, "1").bands == ()
