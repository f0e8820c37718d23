"""A tender published in a log that is then closed: its bids are opened in the next log (AL1 L13, ADR 0047)."""

from __future__ import annotations

import pytest

from agents.bid.receipts import check_receipt, of_version
from agents.http import Refused
from tests.support.campaigns import LONG
from tests.support.continued_exchange import continue_exchange, pin_everywhere
from tests.support.databases import Server, clone
from tests.support.journey import Tender, open_exchange
from tests.support.small_tender import PRICES
from trading.bids.rules.trust import parse_trust
from trading.demo.cast import BIDDERS
from trading.disclosure.rules.tiers import Tier


@pytest.mark.skipif(not LONG, reason="a whole tender over two logs: MINGBIAO_CAMPAIGN=long")
@pytest.mark.parametrize("ordered", [False, True], ids=["before the deadline", "after the order"])
def test_bids_of_a_closed_log_are_opened_in_the_next_one(
    server: Server,
    tmp_path_factory: pytest.TempPathFactory,
    ordered: bool,  # noqa: FBT001 - a case
) -> None:
    directory = tmp_path_factory.mktemp("continued")
    with clone(server, demo=True) as database, open_exchange(database, directory, BIDDERS[:3]) as exchange:
        tender = exchange.tender_with_bids(PRICES)
        if ordered:
            tender.close()
            tender.order_opening()
        with continue_exchange(exchange, tender) as trust:
            with pytest.raises(Refused, match="wrong_audience"):
                exchange.institutions.servers["notary"].round()
            pin_everywhere(exchange, tender, trust)
            _receipts_stay(tender, trust.doc)
            if not ordered:
                tender.close()
                tender.order_opening()
            _open(tender)
            report = tender.verify(Tier.AUDIT)
            assert (report["found"], report["code"]) == ([], 0)


def _receipts_stay(tender: Tender, trust: bytes) -> None:
    """A bidder's receipt of the closed log is judged by that log's keys, under the later trust file."""
    bidder, sealed = tender.bidders["bolin"], tender.sealed["bolin"]
    rows = bidder.client.get("/api/v1/bids").get_json()["bids"]
    h = next(row["versions"][0]["h"] for row in rows if row["bid"] == bidder.bid)
    text = bidder.client.get(f"/api/v1/receipts/{h}").get_json()["receipt"]
    expected = of_version("sb1.envelope", sealed.envelope.sha256, bidder.bid)
    verified = check_receipt(text.encode(), parse_trust(trust), expected)
    assert verified.state.is_witnessed
    assert verified.verified.checkpoint.origin == tender.market.database.origin


def _open(tender: Tender) -> None:
    institutions = tender.exchange.institutions
    institutions.round()
    tender.reveal(*PRICES)
    institutions.round()
    tender.end_release()
    tender.open()
    assert {key: verdict for key, (verdict, _faults) in tender.verdicts().items()} == dict.fromkeys(PRICES, "OK")
    assert tender.rank().failure is None
