"""Comprehensive scoring: MET-02, PRF-01, PRF-02, the order of equal scores, golden vector, properties."""

from __future__ import annotations

import json
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from random import Random  # noqa: TID251 - the type of Hypothesis' own chance
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.build.scores import CRITERIA, PREFERENCE, bid, rules, sheet
from tests.build.tenders import NATIONAL
from trading.evaluation.rules.examination import (
    Examined,
    Finding,
    Outcome,
    Step,
    evaluated_price,
    examined_of,
    is_domestic,
)
from trading.evaluation.rules.ranking import OpenedBid, Ranking, rank
from trading.evaluation.rules.scoring import Sheet, price_points, total_scores
from trading.kernel import canonical
from trading.procedures.rules.policies import Method
from trading.rulebook.keys import Regime

VECTOR: dict[str, Any] = json.loads((Path(__file__).parents[2] / "vectors" / "ranking.json").read_text())["scoring"]
SEATS = ("m-a", "m-b", "m-c", "m-d", "m-e")


def bids(*prices: int) -> list[OpenedBid]:
    return [bid(f"{place}", price) for place, price in enumerate(prices, start=1)]


def same(*plans: str) -> list[Sheet]:
    """Return five equal sheets: full warranty, these points for the plans."""
    points = {f"b-{place}": ("10", plan) for place, plan in enumerate(plans, start=1)}
    return [sheet(seat, points) for seat in SEATS]


def scores(ranking: Ranking) -> list[str | None]:
    return [item.score for item in ranking.items]


def test_the_lowest_price_has_full_points_and_others_their_share() -> None:  # MET-02
    found = rank(bids(1_000, 2_000, 3_000), rules(), sheets=same("30", "30", "30"))
    assert scores(found) == ["80.00", "60.00", "53.33"]
    assert [item.rank for item in found.items] == [1, 2, 3]
    assert price_points(Fraction(40), 1_000, 3_000) == Fraction(40, 3)


def test_no_member_is_left_out_of_the_mean() -> None:  # MET-02: nothing is trimmed
    sheets = [
        sheet(seat, {f"b-{n}": ("10", plan) for n in (1, 2, 3)})
        for seat, plan in zip(SEATS, ("0", "20", "20", "20", "50"), strict=True)
    ]
    found = rank(bids(1_000, 1_000, 1_000), rules(), sheets=sheets)
    assert set(scores(found)) == {"72.00"}  # 40 + 10 + 110/5; trimmed it would be 70
    assert found.items[0].scores == (("warranty", "50"), ("plan", "110"))
    assert found.members == 5


def test_one_sheet_has_one_rounding_at_the_end() -> None:  # MET-02: half up, once
    found = rank(bids(999, 1_000, 1_001), rules(), sheets=same("0.5", "0.5", "0.5"))
    exact = [Fraction(40) * 999 / price + 10 + Fraction(1, 2) for price in (999, 1_000, 1_001)]
    assert scores(found) == ["50.50", "50.46", "50.42"]
    assert [round(float(value), 3) for value in exact] == [50.5, 50.46, 50.42]


@pytest.mark.parametrize(
    ("granted", "expected"),
    [(None, 12_345), ("small_micro", 11_111), ("consortium", 11_851)],  # 11110.5 and 11851.2
)
def test_the_evaluated_price_is_rounded_half_up(granted: str | None, expected: int) -> None:  # PRF-01, PRF-02
    assert evaluated_price(12_345, granted, PREFERENCE) == expected
    assert evaluated_price(12_345, granted, None) == 12_345


def test_a_deduction_can_turn_the_order_but_not_the_price() -> None:  # PRF-01
    granted = {"b-2": Examined(exclusion=None, preference="small_micro")}
    for method in (Method.LOWEST_EVALUATED_PRICE, Method.COMPREHENSIVE_SCORING):
        plain = rank(bids(1_000, 1_050, 1_100), rules(method=method), sheets=same("30", "30", "30"))
        turned = rank(bids(1_000, 1_050, 1_100), rules(method=method), examined=granted, sheets=same("30", "30", "30"))
        assert plain.first is not None
        assert turned.first is not None
        assert (plain.first.bid, turned.first.bid) == ("b-1", "b-2")
        assert (turned.first.price, turned.first.evaluated_price, turned.first.preference) == (
            1_050,
            945,
            "small_micro",
        )


def test_the_benchmark_is_the_lowest_of_the_conforming_bids() -> None:  # 87-55
    found = {"b-1": Examined(exclusion="not_conforming", preference=None)}
    ranking = rank(bids(500, 1_000, 2_000, 2_000), rules(), examined=found, sheets=same("0", "30", "30", "30"))
    assert scores(ranking) == [None, "80.00", "60.00", "60.00"]
    assert (ranking.items[0].rank, ranking.items[0].reason) == (None, "not_conforming")


def test_equal_scores_go_to_the_lower_price_then_to_the_lottery() -> None:  # 87-57, AWD-10
    # 40 points at 1000 and 20 at 2000: the dearer bid makes it up with 20 points of its plan.
    ranking = rank(bids(1_000, 2_000, 4_000), rules(), sheets=same("10", "30", "0"))
    assert scores(ranking)[:2] == ["60.00", "60.00"]
    assert [item.rank for item in ranking.items] == [1, 2, 3]
    assert ranking.tie is None
    drawn = rank(bids(1_000, 1_000, 4_000), rules(), sheets=same("10", "10", "0"))
    assert drawn.tie is not None
    assert drawn.tie.bids == ("b-1", "b-2")
    assert sorted(item.rank or 0 for item in drawn.items) == [1, 2, 3]


def test_fewer_than_three_conforming_bids_are_not_scored() -> None:  # EVL-05
    found = {"b-1": Examined(exclusion="not_qualified", preference=None)}
    ranking = rank(bids(1, 2, 3), rules(), examined=found)
    assert ranking.failure is not None
    assert ranking.failure.rule == "EVL-05"
    assert scores(ranking) == [None, None, None]


def test_the_first_step_that_fails_names_the_reason() -> None:  # EVL-02, EXP-21
    def finding(step: Step, outcome: Outcome, preference: str | None = None) -> Finding:
        return Finding(bid="b-1", step=step, outcome=outcome, preference=preference)

    both = [finding(Step.CONFORMITY, Outcome.INVALID), finding(Step.QUALIFICATION, Outcome.INVALID)]
    assert examined_of(both)["b-1"].exclusion == "not_qualified"
    again = [*both, finding(Step.QUALIFICATION, Outcome.CONFORMING)]
    assert examined_of(again)["b-1"].exclusion == "not_conforming"
    low = [finding(Step.CONFORMITY, Outcome.CONFORMING, "small_micro"), finding(Step.PRICE, Outcome.INVALID)]
    assert examined_of(low)["b-1"] == Examined(exclusion="abnormally_low", preference="small_micro")


def test_a_missing_sheet_or_score_is_a_bug() -> None:
    with pytest.raises(ValueError, match="no sheet"):
        rank(bids(1, 2, 3), rules())
    with pytest.raises(ValueError, match="no score of b-3"):
        rank(bids(1, 2, 3), rules(), sheets=same("1", "2"))


def test_body_golden() -> None:
    opened = [OpenedBid(**entry) for entry in VECTOR["opened"]]
    examined = examined_of(
        Finding(**{**each, "outcome": Outcome(each["outcome"]), "step": Step(each["step"])})
        for each in VECTOR["findings"]
    )
    sheets = [sheet(seat, points) for seat, points in VECTOR["sheets"].items()]
    body = rank(opened, rules(), examined=examined, sheets=sheets).body(rules())
    assert body["formula"] == {"id": "MET-02", "version": 1}  # older records name none
    assert {key: value for key, value in body.items() if key not in {"edition_sha256", "formula"}} == VECTOR["body"]
    canonical.check(body)


HALVES = st.integers(min_value=0, max_value=100).map(lambda half: Fraction(half, 2))
FIELD = st.lists(st.tuples(st.integers(1, 100_000), st.lists(HALVES, min_size=5, max_size=5)), min_size=3, max_size=8)


def sheets_of(field: Sequence[tuple[int, list[Fraction]]]) -> list[Sheet]:
    return [
        Sheet(
            seat=seat,
            points={
                f"b-{n}": {"warranty": Fraction(5), "plan": plans[place]} for n, (_, plans) in enumerate(field, start=1)
            },
        )
        for place, seat in enumerate(SEATS)
    ]


@given(FIELD, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_the_ranking_is_total_stable_and_within_bounds(
    field: Sequence[tuple[int, list[Fraction]]], chance: Random
) -> None:
    opened, sheets = bids(*(price for price, _ in field)), sheets_of(field)
    found = rank(opened, rules(), sheets=sheets)
    mixed, others = [*opened], [*sheets]
    chance.shuffle(mixed)
    chance.shuffle(others)
    assert rank(mixed, rules(), sheets=others) == found
    assert sum(item.rank == 1 for item in found.items) == 1
    for one in found.items:
        assert one.score is not None
        assert 0 < Fraction(one.score) <= 100
        better = [other for other in found.items if Fraction(other.score or 0) > Fraction(one.score)]
        assert one.rank is not None
        assert one.rank > len(better)


@given(FIELD, st.integers(0, 7), st.integers(1, 100_000))
@settings(deadline=None)
def test_a_lower_price_never_scores_less(field: list[tuple[int, list[Fraction]]], place: int, price: int) -> None:
    """The own price; the others' points can only fall when the benchmark does."""
    place %= len(field)
    cheaper = [(min(price, old) if n == place else old, plans) for n, (old, plans) in enumerate(field)]
    before = total_scores({f"b-{n}": p for n, (p, _) in enumerate(field, 1)}, CRITERIA, sheets_of(field), 2)
    after = total_scores({f"b-{n}": p for n, (p, _) in enumerate(cheaper, 1)}, CRITERIA, sheets_of(cheaper), 2)
    own = f"b-{place + 1}"
    assert after[own].score >= before[own].score
    assert all(after[bid_].score <= before[bid_].score for bid_ in before if bid_ != own)


@pytest.mark.parametrize(
    ("share", "counts"),
    [("79.99", False), ("80", True), ("80.01", True), ("100", True), ("100.01", False), ("eighty", False), (80, False)],
)
def test_all_products_are_domestic_from_the_share_of_the_edition_on(share: object, counts: bool) -> None:  # noqa: FBT001 - PRF-06
    assert is_domestic({"domestic_share": share}, NATIONAL, Regime.GP) is counts
    assert not is_domestic({}, NATIONAL, Regime.GP)
    assert not is_domestic({"domestic_share": share}, NATIONAL, Regime.TL)  # the rule is of government procurement
