"""One opened tender for the whole folder; every test evaluates a copy of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.databases import Database, Server, clone
from tests.support.journey import open_exchange
from tests.support.sitting import Sitting, opened_tender, seat_everybody, sitting_on
from trading.kernel.roles import Actor


@dataclass(frozen=True)
class Opened:
    database: Database
    reference: str
    agency: Actor
    bids: dict[str, str]
    objects: Path  # the object store, with every sealed part


@pytest.fixture(scope="session")
def opened(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    """A database in which the bids of a scoring tender are opened; nobody uses it any more."""
    with clone(server, demo=True) as database:
        with open_exchange(database, tmp_path_factory.mktemp("opened")) as exchange:
            tender = opened_tender(exchange)
            bids = {key: bidder.bid for key, bidder in tender.bidders.items()}
            agency, objects = exchange.market.stage.actors["drafter"], exchange.market.directory / "objects"
            found = Opened(database, tender.market.tender, agency, bids, objects)
        yield found


@pytest.fixture
def sitting(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sitting]:
    """A committee of five in front of the opened bids."""
    seat_everybody(monkeypatch)
    with sitting_on(opened.database, opened.reference, opened.agency, opened.bids) as found:
        yield found
