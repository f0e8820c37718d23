"""Bundles of a market of tests through the verifier's own command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.market import Market
from trading.disclosure.rules.tiers import Tier
from trading.disclosure.service import BundleExtras, export_log, export_procedure
from trading.kernel.signed import SignedDocument
from verifier.build import single_file_source
from verifier.cli import main


class Exporter:
    """Exports what the platform has now and verifies it with the supervisor's trust file."""

    def __init__(self, market: Market, trust: SignedDocument, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.market, self.folder, self.capsys = market, folder, capsys
        self.extras = BundleExtras(verifier=single_file_source(), trust=trust.doc, trust_sigs=trust.sigs_bytes)
        self.states: dict[str, list[str]] = {}
        self.trust = folder / "trust.json"
        self.trust.write_bytes(trust.doc)

    def complaints(self) -> dict[str, Any]:
        """Everything that is not ok, per bundle."""
        market, found = self.market, {}
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
