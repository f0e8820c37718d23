"""Bundles that the platform exports of a tender it ran itself, at three moments, through the verifier's command."""

from __future__ import annotations

import pytest

from tests.support.databases import Server, clone
from tests.support.exporting import Exporter
from tests.support.market import LOT, STAGE, open_market
from tests.support.stamping import stamping
from tests.web.api.test_ceremony import Play
from trading.awards import service as awards
from trading.demo.cast import BIDDERS
from trading.evaluation import service as evaluation


def test_bundles_of_the_platform_verify(
    server: Server, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = tmp_path_factory.mktemp("bundles")
    with (
        clone(server, demo=True) as database,
        open_market(database, directory, BIDDERS) as market,
        market.serving() as base,
    ):
        play = Play(market, base)
        exporter = Exporter(market, play.institutions.trust, directory, capsys)
        try:
            play.publish()
            play.bid()
            assert exporter.complaints() == {}
            play.close()
            station = play.order()
            play.objection(station)
            assert exporter.complaints() == {}
            play.reveal(station)
            play.release(station)
            play.open(station)
            actor = market.stage.actors["drafter"]
            evaluation.evaluate(market.runtime.ledger, actor, market.tender, LOT, STAGE)
            awards.determine(market.runtime.ledger, actor, market.tender, LOT, STAGE)
            market.work()
            with stamping(market) as authorities:
                assert authorities.stamp() == 2
                exporter.trust.write_bytes(authorities.trusted(play.institutions.trust.doc))
                assert exporter.complaints() == {}
                assert set(exporter.states["AL-11"]) == set(exporter.states["TE-08"]) == {"ok"}
        finally:
            play.institutions.close()
