"""A bidder practises the whole path: everybody else in it is the platform, and the path is that of real tenders."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.databases import Server, clone
from tests.support.exporting import Exporter
from tests.support.market import Bidder, Market, open_market
from tests.support.polling import eventually
from trading.accounts.service.people import CONSOLE
from trading.assembly import SUBSCRIPTIONS
from trading.audit.relay import relay
from trading.audit.replay import replay
from trading.bids.rules.policy import PolicyPackage, check_package, parse_policy
from trading.bids.rules.schedule import DRAIN_MS
from trading.bids.rules.trust import parse_trust
from trading.commands.folds import COMPARES, FOLDS, REPLAYED
from trading.crypto.signatures import verify_signature
from trading.demo.cast import BIDDERS
from trading.demo.stage import trust_document
from trading.disclosure.service import export_log
from trading.kernel.signed import SignedDocument
from trading.openings.rules.factors import make_factor
from trading.participation import practising
from trading.practice.crew import Crew
from trading.practice.parties import set_up
from trading.up.probes import SECOND

MINUTE = 60_000


@contextmanager
def practised(server: Server, folder: Path) -> Iterator[tuple[Market, Crew]]:
    with clone(server, demo=True) as database, open_market(database, folder, BIDDERS[:2]) as market:
        set_up(market.runtime, folder / "practice", (CONSOLE, SECOND))
        with market.serving() as address:
            yield market, Crew(runtime=market.runtime, folder=folder / "practice", url=address)


def asked(market: Market, crew: Crew) -> Bidder:
    """Ask for a practice tender, and wait until bids are taken."""
    bidder = Bidder(market, BIDDERS[0])
    market.tender = practising.ask(market.runtime.ledger, market.stage.actors[bidder.key], 10)
    eventually(played(market, crew, "practice.opened"))
    return bidder


def played(market: Market, crew: Crew, kind: str) -> Callable[[], bool]:
    def look() -> bool:
        market.work()
        crew.round()
        return kind in market.kinds()

    return look


def test_the_whole_path(server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with practised(server, tmp_path) as (market, crew):
        bidder = asked(market, crew)
        started = bidder.client.post(f"/api/v1/procedures/{market.tender}/lots/1/bids", json={"stage": "all"})
        package, trust = PolicyPackage.from_wire(started.get_json()), practising.trust(market.runtime, market.now())
        checked = check_package(package, parse_trust(trust), verify_signature)
        bidder.bid, market.policy = started.get_json()["bid"], parse_policy(package.policy.doc)
        first = bidder.seal(48_000_00)
        assert bidder.submit(first).status_code == 201
        second = bidder.seal(47_000_00, seq=2, supersedes=first.envelope.sha256)
        assert bidder.submit(second).status_code == 201
        market.advance_to(checked.schedule.close + DRAIN_MS + 1_000)
        eventually(played(market, crew, "share.checked"), seconds=60)
        market.advance_to(market.now() + MINUTE)
        eventually(played(market, crew, "factor.opened"))
        factor = make_factor(bidder.bid, second.envelope.sha256, second.s_b)
        assert bidder.post("factor", SignedDocument(factor).wire()).status_code == 201
        market.advance_to(market.now() + 5 * MINUTE)
        eventually(played(market, crew, "opening.completed"), seconds=60)
        relay(market.runtime, SUBSCRIPTIONS)
        market.work()
        assert "notice.publication" not in market.kinds()
        with market.database.connect("trading_auditor") as conn:
            assert list(replay(conn, FOLDS, REPLAYED, COMPARES)) == []
        exporter = Exporter(market, trust_document(market.stage, "0" * 64), tmp_path, capsys)
        export_log(market.runtime, tmp_path / "log.zip", exporter.extras)
        assert exporter.verify(tmp_path / "log.zip") == []
