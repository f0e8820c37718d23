"""A buyer who says nothing in time: the lot goes to the first of the ranking by itself (AWD-09)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.campaigns import LONG
from tests.support.databases import Server, clone
from tests.support.journey import MARGIN, Tender, open_exchange
from tests.support.market import LOT, STAGE
from tests.support.small_tender import PRICES
from trading.audit.errands import due
from trading.awards import service as awards
from trading.demo.cast import BIDDERS
from trading.disclosure.rules.tiers import Tier
from trading.evaluation import service as evaluation
from trading.kernel.errors import RuleBroken
from trading.kernel.roles import Actor
from trading.procedures import queries as procedures

FAR = 4_070_908_800_000  # in 2099


@pytest.fixture
def opened(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tender]:
    """A tender whose bids are read out."""
    directory = tmp_path_factory.mktemp("silence")
    with clone(server, demo=True) as database, open_exchange(database, directory, BIDDERS[:3]) as exchange:
        tender = exchange.tender_with_bids(PRICES)
        tender.close()
        tender.order_opening()
        exchange.institutions.round()
        tender.reveal(*PRICES)
        exchange.institutions.round()
        tender.end_release()
        tender.open()
        yield tender


def phase(tender: Tender) -> str:
    with tender.market.runtime.ledger.read() as conn:
        return procedures.lots_of(conn, tender.market.procedure_id)[0].phase


def test_silence_awards_to_the_first_and_not_a_moment_earlier(opened: Tender) -> None:
    market, drafter = opened.market, opened.market.stage.actors["drafter"]
    evaluation.evaluate(market.runtime.ledger, drafter, market.tender, LOT, STAGE)
    with market.runtime.ledger.read() as conn:
        (errand,) = [each for each in due(conn, FAR) if each.name == "awards.deem"]
    with pytest.raises(RuleBroken, match=r"award\.buyer_decides"):
        awards.determine(market.runtime.ledger, Actor.system("worker"), market.tender, LOT, STAGE)
    market.advance_to(errand.due_at - MARGIN)
    market.work()
    assert phase(opened) == "evaluated"
    market.advance_to(errand.due_at + MARGIN)
    market.work()
    assert phase(opened) == "determined"
    (award,) = opened.bodies("award.determined")
    assert award["bid"] == opened.bidders["bolin"].bid
    opened.announce(opened.closing_notice("result"))
    report = opened.verify(Tier.AUDIT)
    assert (report["found"], report["code"]) == ([], 0)
    assert opened.exchange.audit() == []


@pytest.mark.skipif(not LONG, reason="a whole tender more: MINGBIAO_CAMPAIGN=long")
def test_who_has_decided_is_not_overruled(opened: Tender) -> None:
    market = opened.market
    opened.award()
    with market.runtime.ledger.read() as conn:
        (errand,) = [each for each in due(conn, FAR) if each.name == "awards.deem"]
    market.advance_to(errand.due_at + MARGIN)
    market.work()
    assert len(opened.bodies("award.determined")) == 1
    with market.runtime.ledger.read() as conn:
        assert [each for each in due(conn, FAR) if each.name == "awards.deem"] == []
