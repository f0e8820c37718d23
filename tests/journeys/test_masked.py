"""A tender whose documents mask the bidders: its bundles verify in every tier, and an exchanged letter is found."""

from __future__ import annotations

import pytest

from tests.support.campaigns import LONG
from tests.support.databases import Server, clone
from tests.support.journey import open_exchange
from tests.support.sitting import SEATS, Sitting, opened_tender, seat_everybody
from trading.awards import service as awards
from trading.disclosure.rules.tiers import Tier
from trading.evaluation import service
from trading.evaluation.rules import masks
from trading.evaluation.rules.examination import Step
from trading.evaluation.service import masking

pytestmark = pytest.mark.skipif(not LONG, reason="plays a whole tender: MINGBIAO_CAMPAIGN=long")


@pytest.mark.parametrize("honest", [True, False])
def test_the_bundles_of_a_masked_tender(
    server: Server, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, *, honest: bool
) -> None:
    with (
        clone(server, demo=True) as database,
        open_exchange(database, tmp_path_factory.mktemp("masked")) as exchange,
    ):
        tender = opened_tender(exchange, masked=True)
        market = tender.market
        seat_everybody(monkeypatch)
        bids = {key: bidder.bid for key, bidder in tender.bidders.items()}
        agency = market.stage.actors["drafter"]
        sitting = Sitting(market.runtime.ledger, market.tender, agency, bids, None, list(SEATS))
        sitting.qualify()
        sitting.start()
        sitting.vote_all()
        sitting.explain_price("songtao")
        if not honest:  # the operator exchanges letters once it has seen the scores

            def exchanged(*told: object) -> dict[str, str]:
                drawn = masks.draw(*told)  # type: ignore[arg-type]  # passed on as it came
                first, second, *_ = sorted(drawn)
                return {**drawn, first: drawn[second], second: drawn[first]}

            monkeypatch.setattr(masking, "draw", exchanged)
        sitting.score()
        sitting.vote_all(Step.PRICE, ("songtao",))
        sitting.sign_report()
        service.evaluate(sitting.ledger, sitting.agency, *sitting.place)
        awards.determine(sitting.ledger, sitting.agency, *sitting.place)
        market.work()
        for tier in Tier:
            report = tender.verify(tier)
            assert report["states"]["RK-01"] == ("ok" if honest else "FAIL"), (tier, report["found"])
        assert exchange.audit() == []
