"""One small tender that went well, from the key ceremony to the result; what tests then damage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.databases import Database
from tests.support.journey import Exchange, Tender, open_exchange
from trading.demo.cast import BIDDERS

PRICES = {"qinghe": 128_600_00, "bolin": 126_450_00, "yunfan": 127_300_00}


@dataclass
class Played:
    """The platform while it runs, and its one tender."""

    exchange: Exchange
    tender: Tender


@contextmanager
def small_tender(database: Database, directory: Path) -> Iterator[Played]:
    """Yield a concluded tender of three bids, the first of them replaced; the platform runs until the end."""
    with open_exchange(database, directory, BIDDERS[:3]) as exchange:
        tender = exchange.tender_with_bids(PRICES)
        bidder, first = tender.bidders["qinghe"], tender.sealed["qinghe"].envelope.sha256
        tender.send("qinghe", bidder.seal(PRICES["qinghe"] - 1_00, seq=2, supersedes=first))
        tender.close()
        tender.order_opening()
        exchange.institutions.round()
        tender.reveal(*PRICES)
        exchange.institutions.round()
        assert tender.end_release() == []
        tender.open()
        assert tender.rank().failure is None
        exchange.settle()
        yield Played(exchange, tender)
