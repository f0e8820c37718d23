"""A replaced member changes the majority: other bids conform than those that were scored (EXP-17, EXP-22, 87-49)."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest

from tests.support.sitting import PRICES, SEATS, SPARE, Sitting, committee, seat_everybody
from tests.usecases.evaluation.test_sitting import bodies, evaluate, mismatches, refusal
from trading.evaluation import service
from trading.evaluation.rules.examination import Step
from trading.evaluation.service import examining

AGAINST = "No samples."


def replaced(sitting: Sitting, patch_: pytest.MonkeyPatch) -> None:
    """Exchange one of those who found bolin invalid for somebody who has not voted yet."""
    seat_everybody(patch_, committee({"m-a1": "replaced"}, seats=(*SEATS, SPARE)))
    service.replace_member(sitting.ledger, sitting.agency, sitting.reference, "m-a1", SPARE, "Ill.")
    sitting.seats = [*SEATS[1:], SPARE]


def examined(sitting: Sitting, *against: str) -> None:
    """Vote on everything; the seats named find bolin invalid."""
    sitting.qualify()
    sitting.start()
    for key in PRICES:
        for seat in SEATS:
            sitting.vote(seat, key, reason=AGAINST if key == "bolin" and seat in against else "")
    sitting.explain_price("songtao")
    sitting.vote_all(Step.PRICE, ("songtao",))


def voted(sitting: Sitting, *, bolin: bool) -> None:
    """Let the member who came in vote on everything."""
    for key in PRICES:
        sitting.vote(SPARE, key, reason=AGAINST if key == "bolin" and not bolin else "")
    sitting.vote(SPARE, "songtao", Step.PRICE)


def conforming(sitting: Sitting) -> set[str]:
    names = {bid: key for key, bid in sitting.bids.items()}
    return {names[bid.bid] for bid in sitting.state().conforming}


def outdated(sitting: Sitting) -> list[set[str]]:
    return [{each["seat"] for each in body["sheets"]} for body in bodies(sitting, "sheets.outdated")]


def test_a_bid_that_came_in_is_scored_by_everybody_and_nothing_else_changes(
    sitting: Sitting, monkeypatch: pytest.MonkeyPatch
) -> None:
    examined(sitting, *SEATS[:3])
    assert "bolin" not in conforming(sitting)
    sitting.score()
    replaced(sitting, monkeypatch)
    voted(sitting, bolin=True)
    assert "bolin" in conforming(sitting)
    assert outdated(sitting) == [set(SEATS[1:])]
    sitting.type(SPARE)
    sitting.sign(SPARE)
    assert refusal(sitting.hand_in) == ("sheet.too_early", "EXP-22")
    assert len(bodies(sitting, "scores.opened")) == 1
    for seat in SEATS[1:]:
        sitting.type(seat, {"bolin": "31"})
        sitting.sign(seat)
    sitting.hand_in()
    sitting.sign_report()
    ranking = evaluate(sitting)
    assert {item.bid for item in ranking.items if item.rank} == set(sitting.bids.values())
    assert mismatches(sitting) == []


def test_whoever_saw_the_scores_keeps_the_own_ones(sitting: Sitting, monkeypatch: pytest.MonkeyPatch) -> None:
    examined(sitting, *SEATS[:3])
    sitting.score()
    replaced(sitting, monkeypatch)
    voted(sitting, bolin=True)
    for seat in sitting.seats:
        sitting.type(seat, {"yunfan": "1"} if seat == "m-b2" else None)
        sitting.sign(seat)
    assert refusal(lambda: sitting.hand_in("m-b2")) == ("recheck.elsewhere", "B10.6")
    sitting.hand_in(SPARE)


def test_a_bid_that_went_out_is_not_ranked_and_its_scores_count_nowhere(
    sitting: Sitting, monkeypatch: pytest.MonkeyPatch
) -> None:
    examined(sitting, "m-b2", "m-c3")
    assert "bolin" in conforming(sitting)
    sitting.score()
    replaced(sitting, monkeypatch)
    voted(sitting, bolin=False)
    assert "bolin" not in conforming(sitting)
    assert outdated(sitting) == []  # sheets that are in have a bid too many, and lack none
    sitting.type(SPARE)
    sitting.sign(SPARE)
    sitting.hand_in()
    sitting.sign_report()
    ranking = evaluate(sitting)
    assert {item.bid: item.reason for item in ranking.items if item.rank is None} == {
        sitting.bids["bolin"]: "not_conforming"
    }
    assert mismatches(sitting) == []


def test_sheets_that_are_signed_only_are_signed_anew(sitting: Sitting, monkeypatch: pytest.MonkeyPatch) -> None:
    examined(sitting, "m-b2", "m-c3")
    for seat in SEATS:
        sitting.type(seat)
        sitting.sign(seat)
    sitting.hold()
    replaced(sitting, monkeypatch)
    voted(sitting, bolin=False)
    assert outdated(sitting) == [set(SEATS[1:])]
    for seat in sitting.seats:
        sitting.type(seat, {"yunfan": "12"})  # nobody has seen a score: all may be given anew
        sitting.sign(seat)
    sitting.hand_in()
    sitting.sign_report()
    assert evaluate(sitting).members == 5
    assert mismatches(sitting) == []


def test_control_the_same_majority_leaves_every_sheet(sitting: Sitting, monkeypatch: pytest.MonkeyPatch) -> None:
    examined(sitting, *SEATS[:3])
    sitting.score()
    replaced(sitting, monkeypatch)
    voted(sitting, bolin=False)
    assert outdated(sitting) == []


def test_negative_control_without_it_the_scores_cannot_be_summed(
    sitting: Sitting, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(*_: Any) -> None:  # noqa: ANN401 - whatever it is called with
        return None

    examined(sitting, *SEATS[:3])
    sitting.score()
    replaced(sitting, monkeypatch)
    with patch.object(examining, "outdate_sheets", nothing):
        voted(sitting, bolin=True)
    sitting.type(SPARE)
    sitting.sign(SPARE)
    with pytest.raises(ValueError, match="has no score"):
        sitting.hand_in()
