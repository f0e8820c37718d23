"""Bundles that the platform exports of a tender it ran itself, at three moments, through the verifier's command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.databases import Server, clone
from tests.support.market import LOT, STAGE, open_market
from tests.support.stamping import stamping
from tests.web.api.test_ceremony import Play
from trading.awards import service as awards
from trading.demo.cast import BIDDERS
from trading.disclosure.rules.tiers import Tier
from trading.disclosure.service import BundleExtras, export_log, export_procedure
from trading.evaluation import service as evaluation
from verifier.build import single_file_source
from verifier.cli import main


class Exporter:
    """Exports what the platform has now and verifies it with the supervisor's trust file."""

    def __init__(self, play: Play, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.play, self.folder, self.capsys = play, folder, capsys
        trust = play.institutions.trust
        self.extras = BundleExtras(verifier=single_file_source(), trust=trust.doc, trust_sigs=trust.sigs_bytes)
        self.states: dict[str, list[str]] = {}
        self.trust = folder / "trust.json"
        self.trust.write_bytes(trust.doc)

    def complaints(self) -> dict[str, Any]:
        """Everything that is not ok, per bundle."""
        market, found = self.play.market, {}
        self.states = {}
        for tier in Tier:
            target = self.folder / f"{tier.value}.zip"
            export_procedure(market.runtime, market.tender, tier, target, self.extras)
            found[tier.value] = self.verify(target)
        export_log(market.runtime, self.folder / "log.zip", self.extras)
        found["log"] = self.verify(self.folder / "log.zip")
        return {name: rows for name, rows in found.items() if rows}

    def verify(self, target: Path) -> list[str]:
        self.capsys.readouterr()
        code = main([str(target), "--trust", str(self.trust), "--json"])
        report = json.loads(self.capsys.readouterr().out)
        for check in report["checks"]:
            self.states.setdefault(check["id"], []).append(check["state"])
        rows = [
            f"{check['id']}: {row['place']}: {row['text']}"
            for check in report["checks"]
            for row in (*check["failures"], *check["gaps"])
        ]
        return rows or ([] if code == 0 else [f"exit code {code}"])


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
        exporter = Exporter(play, directory, capsys)
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
