"""A scoring tender evaluated by its committee on a running platform: what everybody can verify afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.support.databases import Server, clone
from tests.support.journey import Exchange, Tender, open_exchange
from tests.support.sitting import Sitting, opened_tender, seat_everybody
from trading.awards import service as awards
from trading.disclosure.rules.tiers import Tier
from trading.evaluation import service


@dataclass
class Evaluated:
    exchange: Exchange
    tender: Tender
    sitting: Sitting


@pytest.fixture(scope="module")
def opened(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evaluated]:
    with (
        pytest.MonkeyPatch.context() as patch,
        clone(server, demo=True) as database,
        open_exchange(database, tmp_path_factory.mktemp("committee")) as exchange,
    ):
        seat_everybody(patch)
        tender = opened_tender(exchange)
        market = tender.market
        bids = {key: bidder.bid for key, bidder in tender.bidders.items()}
        sitting = Sitting(market.runtime.ledger, market.tender, market.stage.actors["drafter"], bids)
        yield Evaluated(exchange, tender, sitting)


def test_bundles_verify_while_the_committee_sits_and_after_it_has_ranked(opened: Evaluated) -> None:
    sitting, tender = opened.sitting, opened.tender
    sitting.examine()
    sitting.type("m-a1")
    sitting.sign("m-a1")
    for tier in Tier:
        assert tender.verify(tier)["found"] == [], tier
    for seat in sitting.seats[1:]:
        sitting.type(seat, {"mingde": "45"})
        sitting.sign(seat)
    sitting.sign_report()
    service.evaluate(sitting.ledger, sitting.agency, *sitting.place)
    awards.determine(sitting.ledger, sitting.agency, *sitting.place)
    tender.market.work()
    for tier in Tier:
        report = tender.verify(tier)
        assert (report["found"], report["code"]) == ([], 0), tier
        assert report["states"]["RK-01"] == "ok"
    assert opened.exchange.audit() == []
