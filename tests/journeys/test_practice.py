"""A bidder practises the whole path: everybody else in it is the platform, and the path is that of real tenders."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

import pytest

from tests.support.campaigns import LONG
from tests.support.databases import Server, clone
from tests.support.exporting import Exporter
from tests.support.market import Bidder, Market, open_market
from tests.support.polling import eventually
from trading.accounts.service.people import CONSOLE
from trading.assembly import SUBSCRIPTIONS
from trading.audit.queries import records_of
from trading.audit.relay import relay
from trading.audit.replay import replay
from trading.bids.rules.policy import PolicyPackage, check_package, parse_policy
from trading.bids.rules.schedule import DRAIN_MS
from trading.bids.rules.trust import parse_trust
from trading.commands.folds import COMPARES, FOLDS, REPLAYED
from trading.crypto.signatures import verify_signature
from trading.custody import queries as custody_queries
from trading.demo.cast import BIDDERS
from trading.demo.stage import trust_document
from trading.disclosure.service import export_log
from trading.kernel.signed import SignedDocument
from trading.openings.rules.factors import make_factor
from trading.participation import practising, service
from trading.participation.queries.values import OwnLot
from trading.participation.rules.practice import CUSTODIANS
from trading.parties.queries import keys_of
from trading.practice.crew import Crew
from trading.practice.parties import set_up
from trading.procedures import queries as procedures
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


def opened(market: Market, crew: Crew, *, confirmed: bool) -> OwnLot:
    """Bid twice, wait for the opening, confirm it or not; return what the bidder's page then shows."""
    bidder = asked(market, crew)
    started = bidder.client.post(f"/api/v1/procedures/{market.tender}/lots/1/bids", json={"stage": "all"}).get_json()
    package, trust = PolicyPackage.from_wire(started), practising.trust(market.runtime, market.now())
    checked = check_package(package, parse_trust(trust), verify_signature)
    bidder.bid, market.policy = started["bid"], parse_policy(package.policy.doc)
    first = bidder.seal(48_000_00)
    assert bidder.submit(first).status_code == HTTPStatus.CREATED
    second = bidder.seal(47_000_00, seq=2, supersedes=first.envelope.sha256)
    assert bidder.submit(second).status_code == HTTPStatus.CREATED
    market.advance_to(checked.schedule.close + DRAIN_MS + 1_000)
    eventually(played(market, crew, "share.checked"), seconds=60)
    market.advance_to(market.now() + MINUTE)
    eventually(played(market, crew, "factor.opened"), seconds=60)
    if confirmed:
        factor = make_factor(bidder.bid, second.envelope.sha256, second.s_b)
        assert bidder.post("factor", SignedDocument(factor).wire()).status_code == HTTPStatus.CREATED
    market.advance_to(market.now() + 5 * MINUTE)
    eventually(played(market, crew, "opening.completed"), seconds=60)
    actor = market.stage.actors[bidder.key]
    return service.own_lot(market.runtime, actor, market.tender, "1", market.now())[1]


def test_the_whole_path_to_the_own_bid_opened(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with practised(server, tmp_path) as (market, crew):
        own = opened(market, crew, confirmed=True)
        assert own.opened is not None
        assert (own.opened.verdict, own.opened.total) == ("OK", 47_000_00)
        relay(market.runtime, SUBSCRIPTIONS)
        market.work()
        assert "notice.publication" not in market.kinds()
        assert crew.round() == 0, "what is over is let go"
        assert list((tmp_path / "practice" / "stations").iterdir()) == []
        nobody_else_reads_it(market)
        with market.database.connect("trading_auditor") as conn:
            assert list(replay(conn, FOLDS, REPLAYED, COMPARES)) == []
        exporter = Exporter(market, trust_document(market.stage, "0" * 64), tmp_path, capsys)
        export_log(market.runtime, tmp_path / "log.zip", exporter.extras)
        assert exporter.verify(tmp_path / "log.zip") == []


def nobody_else_reads_it(market: Market) -> None:
    """Also after its opening nothing names it, and no record of it is disclosed by its position or its commitment.

    Commitments stand in the tiles of the log, so everybody knows those of practice, too.
    """
    public = market.client()
    for path in ("/api/v1/procedures", "/feed.atom", "/log/explorer"):
        answer = public.get(path)
        assert (answer.status_code, "PRACTICE-2" in answer.text) == (HTTPStatus.OK, False), path
    told = {each["h"] for each in public.get("/api/v1/records?limit=1000").get_json()["records"]}
    with market.runtime.ledger.read() as conn:
        own = records_of(conn, procedures.find(conn, market.tender).id)
    assert len(own) > 20
    for record in own:
        h = record.h.hex()
        assert h not in told, record.kind
        assert public.get(f"/api/v1/records/{record.n}").status_code == HTTPStatus.NOT_FOUND, record.kind
        assert public.get(f"/api/v1/receipts/{h}").status_code == HTTPStatus.NOT_FOUND, record.kind
        assert "PRACTICE" not in public.get(f"/log/entries/{h}").text, record.kind


@pytest.mark.skipif(not LONG, reason="an opening more; set MINGBIAO_CAMPAIGN=long")
def test_a_bid_that_is_not_confirmed_counts_as_revoked(server: Server, tmp_path: Path) -> None:
    with practised(server, tmp_path) as (market, crew):
        own = opened(market, crew, confirmed=False)
        assert own.opened is not None
        assert own.opened.verdict != "OK"
        assert own.opened.total is None


@pytest.mark.skipif(not LONG, reason="a close more; set MINGBIAO_CAMPAIGN=long")
def test_without_a_bid_it_fails_like_a_real_one_and_leaves_nothing_to_do(server: Server, tmp_path: Path) -> None:
    with practised(server, tmp_path) as (market, crew):
        asked(market, crew)
        market.advance_to(market.now() + 12 * MINUTE)
        eventually(played(market, crew, "lot.failed"), seconds=60)
        crew.round()
        with market.runtime.ledger.read() as conn:
            keys = [key for party in CUSTODIANS for key in keys_of(conn, party.code, "custodian")]
            assert [job.kind for key in keys for job in custody_queries.waiting(conn, key.kid, 0)] == []
