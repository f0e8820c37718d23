"""A request for quotation from notice to result: the lowest of the sealed quotes, recomputed by the verifier.

MTD-06, MET-04, EXP-05, AWD-09.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import sitting as sitting_support
from tests.support.databases import Server, clone
from tests.support.journey import Tender, open_exchange
from tests.support.market import LOT, STAGE
from tests.support.sitting import PRICES, Sitting, opened_tender, seat_everybody, specification
from trading.awards import service as awards
from trading.disclosure.rules.tiers import Tier
from trading.evaluation import service
from trading.evaluation.rules.examination import Step
from trading.kernel.errors import RuleBroken


def quotation(*, close: int, windows: dict[str, int]) -> dict[str, Any]:
    """Return the demonstration's tender as a request for quotation."""
    terms: dict[str, Any] = {"criteria": None, "method": "lowest_final_quote"}
    return {**specification(close=close, windows=windows, **terms), "kind": "request_for_quotation"}


@pytest.fixture(scope="module")
def tender(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tender]:
    """A request for quotation whose quotes are opened."""
    with (
        clone(server, demo=True) as database,
        open_exchange(database, tmp_path_factory.mktemp("quotation")) as exchange,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(sitting_support, "specification", quotation)
        seat_everybody(patch)
        yield opened_tender(exchange)


def test_the_lowest_quote_that_meets_the_requirements_comes_first(tender: Tender) -> None:
    market = tender.market
    bids = {key: bidder.bid for key, bidder in tender.bidders.items()}
    sitting = Sitting(market.runtime.ledger, market.tender, market.stage.actors["drafter"], bids)
    sitting.qualify()
    sitting.start()
    for seat in sitting.seats:  # one does not meet the requirements, and its quote counts no more
        sitting.vote(seat, "mingde", reason="Another specification than was asked for.")
    sitting.vote_all(keys=tuple(key for key in PRICES if key != "mingde"))
    sitting.explain_price("songtao")
    sitting.vote_all(Step.PRICE, ("songtao",))
    with pytest.raises(RuleBroken) as refused:  # nobody ranks before the whole group has signed
        service.evaluate(sitting.ledger, sitting.agency, *sitting.place)
    assert (refused.value.code, refused.value.rule_id) == ("evaluation.report_unsigned", "EXP-20")
    sitting.sign_report()
    ranking, _ = service.evaluate(sitting.ledger, sitting.agency, *sitting.place)
    by_bid = {bid: key for key, bid in bids.items()}
    places = {by_bid[item.bid]: item.rank for item in ranking.items}
    # The deduction that the documents grant to a small enterprise puts qinghe before yunfan (PRF-01).
    assert places == {"songtao": 1, "qinghe": 2, "yunfan": 3, "bolin": 4, "mingde": None}
    (ranked,) = tender.bodies("bids.ranked")
    assert (ranked["formula"], ranked["members"]) == ({"id": "MET-04", "version": 1}, None)
    awards.determine(sitting.ledger, sitting.agency, market.tender, LOT, STAGE)
    tender.announce(tender.closing_notice("result"))
    (award,) = tender.bodies("award.determined")
    assert (award["bid"], award["price"]) == (bids["songtao"], PRICES["songtao"])
    report = tender.verify(Tier.AUDIT)
    assert report["states"]["RK-01"] == "ok", report["found"]
    assert (report["found"], report["code"]) == ([], 0)
    assert tender.exchange.audit() == []
