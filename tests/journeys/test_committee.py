"""A scoring tender, its experts drawn by lot, its committee seated: what everybody can verify when it has evaluated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.support.campaigns import LONG
from tests.support.databases import Server, clone
from tests.support.journey import Exchange, Tender, open_exchange
from tests.support.made_committee import CommitteeMaker, contact_ledger, worker_ledger
from tests.support.market import SYSTEM
from tests.support.sitting import Sitting, opened_tender
from trading.audit.demo_clock import jump
from trading.awards import service as awards
from trading.disclosure.rules.tiers import Tier
from trading.evaluation import service
from trading.experts import queries as experts


@dataclass
class Evaluated:
    exchange: Exchange
    tender: Tender
    sitting: Sitting
    maker: CommitteeMaker


@pytest.fixture(scope="module")
def opened(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evaluated]:
    with (
        clone(server, demo=True) as database,
        open_exchange(database, tmp_path_factory.mktemp("committee")) as exchange,
    ):
        tender = opened_tender(exchange)
        market = tender.market
        maker = CommitteeMaker(
            runtime=market.runtime,
            stage=market.stage,
            contact_ledger=contact_ledger(database),
            worker_ledger=worker_ledger(database),
            jump=lambda to: jump(market.runtime, SYSTEM, to, shift_file=market.shift_file),
        )
        seats = sorted(member.seat for member in maker.seated(market.tender).sitting)
        bids = {key: bidder.bid for key, bidder in tender.bidders.items()}
        agency = market.stage.actors["drafter"]
        yield Evaluated(
            exchange, tender, Sitting(market.runtime.ledger, market.tender, agency, bids, None, seats), maker
        )


@pytest.mark.skipif(not LONG, reason="bundles of every stage are verified elsewhere: MINGBIAO_CAMPAIGN=long")
def test_bundles_verify_while_the_committee_sits_and_after_it_has_ranked(opened: Evaluated) -> None:
    sitting, tender = opened.sitting, opened.tender
    sitting.examine()
    first, *others = sitting.seats
    sitting.type(first)
    sitting.sign(first)
    for tier in Tier:
        assert tender.verify(tier)["found"] == [], tier
    for seat in others:
        sitting.type(seat, {"mingde": "45"})
        sitting.sign(seat)
    sitting.hand_in()
    sitting.sign_report()
    service.evaluate(sitting.ledger, sitting.agency, *sitting.place)
    awards.determine(sitting.ledger, sitting.agency, *sitting.place)
    tender.market.work()
    for tier in Tier:
        report = tender.verify(tier)
        assert (report["found"], report["code"]) == ([], 0), tier
        assert report["states"]["RK-01"] == "ok"
    assert opened.exchange.audit() == []


def test_the_seats_are_the_own_seats_of_the_people_who_signed_in(opened: Evaluated) -> None:
    """What a page asks: a member finds his or her seat, and nobody finds another's (EXP-14)."""
    with opened.sitting.ledger.read() as conn:
        for actor in opened.maker.stage.actors.values():
            found = experts.seat_of(conn, opened.tender.market.procedure_id, actor)
            assert found is None or found.seat in opened.sitting.seats
