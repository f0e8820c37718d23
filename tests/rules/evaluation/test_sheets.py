"""Single scores, votes, and the re-check before signing: B10.6, DOC-15, EXP-21."""

from __future__ import annotations

from fractions import Fraction

import pytest

from tests.build.scores import CRITERIA, sheet
from trading.evaluation.rules.examination import Outcome, Vote, majority
from trading.evaluation.rules.recheck import (
    Ground,
    objective_difference,
    out_of_range,
    outliers,
    recheck,
    require_correctable,
    require_settled,
    sum_errors,
)
from trading.evaluation.rules.sheets import Score, check_score, check_sheet, running_total
from trading.kernel.errors import RuleBroken

PRICE, WARRANTY, PLAN = CRITERIA
SHARE = Fraction(3, 10)


def refusal(criterion: object, text: str, comment: str = "") -> tuple[str, str | None] | str:
    try:
        return check_score(criterion, text, comment).points  # type: ignore[arg-type] # one of the criteria
    except RuleBroken as broken:
        return broken.code, broken.rule_id


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.5", "0.5"),
        (" 12.50 ", "12.5"),
        ("49.5", "49.5"),
        ("50.5", ("score.out_of_range", "B10.6")),
        ("51", ("score.out_of_range", "B10.6")),
        ("12.25", ("score.out_of_range", "B10.6")),
        ("-1", ("score.out_of_range", "B10.6")),
        ("１２", ("score.out_of_range", "B10.6")),
        ("1e1", ("score.out_of_range", "B10.6")),
        ("", ("score.out_of_range", "B10.6")),
        ("50", ("score.comment_missing", None)),
        ("0", ("score.comment_missing", None)),
    ],
)
def test_range_and_step(text: str, expected: object) -> None:  # B10.6, ux C51
    assert refusal(PLAN, text) == expected


def test_extremes_need_words_and_words_have_an_end() -> None:
    assert refusal(PLAN, "50", "complete in every part") == "50"
    assert refusal(PLAN, "0", " . ") == "0"
    assert refusal(PLAN, "10", "x" * 1_000) == "10"
    assert refusal(PLAN, "10", "x" * 1_001) == ("score.comment_long", None)


@pytest.mark.parametrize(("text", "expected"), [("0", "0"), ("5", "5"), ("10", "10")])
def test_an_objective_score_is_that_of_an_interval(text: str, expected: str) -> None:  # DOC-15
    assert refusal(WARRANTY, text) == expected
    assert refusal(WARRANTY, "7") == ("score.not_in_bands", "DOC-15")
    assert refusal(WARRANTY, "") == ("score.not_in_bands", "DOC-15")


def test_a_sheet_has_every_cell_but_the_price() -> None:
    full = {"warranty": Score(points="5", comment=None), "plan": Score(points="20", comment="good")}
    items = check_sheet(CRITERIA, ["b-2", "b-1"], {"b-1": full, "b-2": full})
    assert [item["bid"] for item in items] == ["b-1", "b-2"]
    assert [row["criterion"] for row in items[0]["scores"]] == ["warranty", "plan"]
    assert running_total(CRITERIA, full) == "25"
    with pytest.raises(RuleBroken) as broken:
        check_sheet(CRITERIA, ["b-1", "b-2"], {"b-1": full})
    assert (broken.value.code, broken.value.facts) == ("sheet.incomplete", {"missing": 2})


def vote(seat: str, *, valid: bool = True, grants: bool = False) -> Vote:
    outcome = Outcome.CONFORMING if valid else Outcome.INVALID
    return Vote(seat=seat, outcome=outcome, grants=grants, reason="" if valid else f"because {seat}")


@pytest.mark.parametrize(("against", "outcome"), [(2, Outcome.CONFORMING), (3, Outcome.INVALID)])
def test_more_than_half_of_all_members_decide(against: int, outcome: Outcome) -> None:  # EXP-21
    seats = [f"m-{n}" for n in range(5)]
    votes = [vote(seat, valid=n >= against) for n, seat in enumerate(seats)]
    found = majority(votes, seats)
    assert found is not None
    assert found.outcome is outcome
    assert majority(votes[:4], seats) is None  # nobody is left out
    assert majority([*votes[:4], vote("m-9")], seats) is None  # nor replaced by somebody else


def test_a_deduction_takes_a_majority_too() -> None:  # PRF-01, EXP-21
    seats = ["m-1", "m-2", "m-3"]
    granted = majority([vote("m-1", grants=True), vote("m-2", grants=True), vote("m-3")], seats)
    refused = majority([vote("m-1", grants=True), vote("m-2"), vote("m-3")], seats)
    assert granted is not None
    assert refused is not None
    assert (granted.grants, refused.grants) == (True, False)


def test_objective_differences_are_found() -> None:  # B10.6 item 3
    points = {"m-1": Fraction(5), "m-2": Fraction(5), "m-3": Fraction(10)}
    (doubt,) = objective_difference("b-1", WARRANTY, points)
    assert (doubt.ground, doubt.found, doubt.seat) == (Ground.OBJECTIVE, "5 / 10", None)
    assert objective_difference("b-1", WARRANTY, dict.fromkeys(points, Fraction(5))) == []
    assert objective_difference("b-1", PLAN, points) == []


def test_scores_out_of_range_are_found() -> None:  # B10.6 item 2
    points = {"m-1": Fraction(51), "m-2": Fraction(50), "m-3": Fraction(1, 4)}
    assert [doubt.seat for doubt in out_of_range("b-1", PLAN, points)] == ["m-1", "m-3"]
    assert [doubt.seat for doubt in out_of_range("b-1", WARRANTY, {"m-1": Fraction(7)})] == ["m-1"]


@pytest.mark.parametrize(("points", "found"), [("35", 0), ("35.5", 1), ("5", 0), ("4.5", 1)])
def test_a_score_far_from_the_others_is_pointed_out(points: str, found: int) -> None:  # B10.6 item 4
    others = {f"m-{n}": Fraction(20) for n in range(4)}  # 30 % of 50 is 15
    assert len(outliers("b-1", PLAN, {**others, "m-9": Fraction(points)}, SHARE)) == found


def test_sums_that_are_not_sums_are_found() -> None:  # B10.6 item 1
    sheets = [sheet("m-1", {"b-1": ("5", "20")}), sheet("m-2", {"b-1": ("5", "20.5")})]
    assert sum_errors({"b-1": {"warranty": "10", "plan": "40.5"}}, sheets) == []
    (doubt,) = sum_errors({"b-1": {"warranty": "10", "plan": "40"}}, sheets)
    assert (doubt.criterion, doubt.found, doubt.expected) == ("plan", "40", "40.5")


def test_signing_waits_until_everything_is_corrected_or_explained() -> None:  # B10.6
    sheets = [sheet(f"m-{n}", {"b-1": ("5", plan)}) for n, plan in enumerate(("20", "20", "50"))]
    doubts = recheck(CRITERIA, sheets, SHARE)
    assert [(doubt.ground, doubt.seat) for doubt in doubts] == [(Ground.OUTLIER, "m-2")]
    with pytest.raises(RuleBroken) as broken:
        require_settled(doubts, frozenset())
    assert (broken.value.code, broken.value.rule_id) == ("recheck.open", "B10.6")
    require_settled(doubts, frozenset({("b-1", "plan", "m-2")}))
    differing = recheck(CRITERIA, [*sheets[:2], sheet("m-2", {"b-1": ("10", "20")})], SHARE)
    with pytest.raises(RuleBroken):  # an objective difference cannot be explained away
        require_settled(differing, frozenset({("b-1", "warranty", "m-2"), ("b-1", "warranty", "")}))


def test_only_what_the_recheck_points_at_may_change() -> None:  # 87-64
    before = [sheet(f"m-{n}", {"b-1": (warranty, "20")}) for n, warranty in enumerate(("5", "5", "10"))]
    doubts = recheck(CRITERIA, before, SHARE)
    require_correctable(doubts, before[2], sheet("m-2", {"b-1": ("5", "20")}))
    with pytest.raises(RuleBroken) as broken:
        require_correctable(doubts, before[2], sheet("m-2", {"b-1": ("5", "30")}))
    assert broken.value.code == "recheck.elsewhere"
