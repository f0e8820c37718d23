"""A tender of works from notice to award: benchmark and coefficients are drawn, and the verifier finds the same.

MET-06, MTD-01, EXP-01, AWD-03, AWD-04.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.build.scores import CRITERIA
from tests.support import sitting as sitting_support
from tests.support.databases import Server, clone
from tests.support.journey import Tender, open_exchange
from tests.support.market import LOT, STAGE
from tests.support.sitting import PRICES, Sitting, opened_tender, seat_everybody, specification
from trading.awards import service as awards
from trading.disclosure.rules.tiers import Tier
from trading.evaluation import service
from trading.evaluation.rules.examination import Outcome, Step
from trading.evaluation.service.examining import Opinion
from trading.kernel.errors import RuleBroken

FORMULA: dict[str, Any] = {
    "above": "1.2",
    "band": "10",
    "below": "0.8",
    "benchmarks": ["mean", "median"],
    "ceiling_reduction": [],
    "ceiling_weight": [],
    "floor": "0",
    "reduction": ["1", "2", "3.5"],
    "technical": ["plan"],
    "ties": ["price", "technical"],
    "trim": [{"highest": 1, "lowest": 1, "quotes": 5}],
}
WORKS: dict[str, Any] = {
    "category": "works",
    "criteria": [each.to_json() for each in CRITERIA],
    "formula": FORMULA,
    "method": "comprehensive_evaluation_tl",
    "preference": {"consortium": "2", "small_micro": "5"},
}


def works(*, close: int, windows: dict[str, int], **lot: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of the lot
    """Return the demonstration's tender as one of works under the law of tenders."""
    return {**specification(close=close, windows=windows, **{**WORKS, **lot}), "kind": "works_tender_tl"}


FACTORS: list[dict[str, str]] = [
    {"id": "delay", "title_en": "Delay", "title_zh": "工期", "unit": "amount", "value": "300000"},
    {"id": "payment", "title_en": "Payment", "title_zh": "付款", "unit": "percent", "value": "0.5"},
]
BY_PRICE: dict[str, Any] = {
    "criteria": None,
    "formula": {"factors": FACTORS},
    "method": "lowest_price_evaluated_tl",
    "preference": None,
}


@pytest.fixture(scope="module")
def tender(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tender]:
    """A works tender whose bids are opened."""
    with (
        clone(server, demo=True) as database,
        open_exchange(database, tmp_path_factory.mktemp("works")) as exchange,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(sitting_support, "specification", works)
        seat_everybody(patch)
        yield opened_tender(exchange)


@pytest.fixture(scope="module")
def by_price(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tender]:
    """A works tender with quantified deviations whose bids are opened."""

    def drafted(*, close: int, windows: dict[str, int]) -> dict[str, Any]:
        return works(close=close, windows=windows, **BY_PRICE)

    with (
        clone(server, demo=True) as database,
        open_exchange(database, tmp_path_factory.mktemp("by-price")) as exchange,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(sitting_support, "specification", drafted)
        seat_everybody(patch)
        yield opened_tender(exchange)


def test_a_works_tender_is_ranked_by_price_with_deviations(by_price: Tender) -> None:  # MET-05
    market = by_price.market
    bids = {key: bidder.bid for key, bidder in by_price.bidders.items()}
    sitting = Sitting(market.runtime.ledger, market.tender, market.stage.actors["drafter"], bids)
    sitting.qualify()
    sitting.start()

    def vote(seat: str, key: str, **units: str) -> None:
        opinion = Opinion(bid=bids[key], outcome=Outcome.CONFORMING, deviations=units)
        service.vote(sitting.ledger, service.member_actor(seat), *sitting.place, Step.CONFORMITY, opinion)

    for units, code in (({"luck": "1"}, "deviation.unknown"), ({"delay": "-1"}, "deviation.bad_units")):
        with pytest.raises(RuleBroken) as refused:
            vote("m-a1", "songtao", **units)
        assert (refused.value.code, refused.value.rule_id) == (code, "MET-05")
    # Two and two find different delays and one none: nothing is decided until a third agrees (EXP-21).
    for seat, days in zip(sitting.seats, ("12", "12", "10", "10", ""), strict=True):
        vote(seat, "songtao", delay=days, payment="2")
    assert bids["songtao"] in {each.bid for each in sitting.state().pending(Step.CONFORMITY)}
    vote("m-e5", "songtao", delay="12.0", payment="2")
    for key in bids:
        if key != "songtao":
            for seat in sitting.seats:
                vote(seat, key)
    sitting.sign_report()
    ranking, _ = service.evaluate(sitting.ledger, sitting.agency, *sitting.place)
    by_bid = {bid: key for key, bid in bids.items()}
    found = {by_bid[item.bid]: (item.rank, item.evaluated_price) for item in ranking.items}
    # 60 000 + 12 x 3 000 + 2 x 0.5 % of 60 000 = 96 600 yuan: behind 95 000, before 97 000.
    assert found == {
        "mingde": (1, 95_000_00),
        "songtao": (2, 96_600_00),
        "yunfan": (3, 97_000_00),
        "qinghe": (4, 98_000_00),
        "bolin": (5, 99_000_00),
    }
    report = by_price.verify(Tier.AUDIT)
    assert report["states"]["RK-01"] == "ok", report["found"]
    assert by_price.exchange.audit() == []


def test_a_works_tender_is_ranked_by_a_drawn_benchmark_and_recomputed(tender: Tender) -> None:
    market = tender.market
    bids = {key: bidder.bid for key, bidder in tender.bidders.items()}
    sitting = Sitting(market.runtime.ledger, market.tender, market.stage.actors["drafter"], bids)
    sitting.qualify()
    sitting.start()
    sitting.vote_all()
    assert tender.bodies("explanation.asked") == []  # the shares of B10.3 are of government procurement alone
    sitting.score({"mingde": "45", "qinghe": "40.5", "songtao": "10"})
    sitting.sign_report()
    ranking, _ = service.evaluate(sitting.ledger, sitting.agency, *sitting.place)
    (ranked,) = tender.bodies("bids.ranked")
    assert ranked["formula"] == {"id": "MET-06", "version": 1}
    workings = ranked["workings"]
    assert workings["benchmark"] in FORMULA["benchmarks"]
    assert workings["reduction"] in FORMULA["reduction"]
    assert len(workings["seed"]) == 64
    assert [item.rank for item in ranking.items].count(1) == 1
    assert all(item.evaluated_price == PRICES[key] for key in PRICES for item in ranking.items if item.bid == bids[key])
    # The candidates are on display before anybody is awarded.
    with pytest.raises(RuleBroken) as refused:
        awards.determine(sitting.ledger, sitting.agency, market.tender, LOT, STAGE)
    assert (refused.value.code, refused.value.rule_id) == ("award.candidates_on_display", "AWD-03")
    report = tender.verify(Tier.AUDIT)
    assert [line for line in report["found"] if line.startswith("RK")] == []
    assert report["states"]["RK-01"] == "ok", report["found"]
    assert tender.exchange.audit() == []
