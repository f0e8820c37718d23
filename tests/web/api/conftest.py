"""A market whose lot takes bids, one for all modules: each test uses bidders or custodians of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.databases import Server, clone
from tests.support.market import Market, open_market
from trading.demo.cast import BIDDERS, numbered_bidder


@pytest.fixture(scope="session")
def market(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    """An open lot, its share keys held by custodians of this process."""
    bidders = (*BIDDERS, *(numbered_bidder(number) for number in range(17)))
    with (
        clone(server, demo=True) as database,
        open_market(database, tmp_path_factory.mktemp("market"), bidders) as market,
    ):
        market.draft()
        market.prove_local_keys()
        market.publish()
        yield market
