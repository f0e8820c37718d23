"""What outsiders and auditors can download of the demonstration, kept in one folder for other people's tools."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trading.demo import cast
from trading.demo.people import command, environment
from trading.demo.play import Play
from trading.demo.scenes.opening import station_home
from trading.demo.stage import Stage, trust_document
from trading.demo.tender import LOTS, Lot
from trading.disclosure import service as disclosure
from trading.disclosure.rules.tiers import Tier
from trading.disclosure.service import BundleExtras
from trading.evaluation.queries import ranking_of
from trading.kernel.digests import sha256_hex
from trading.kernel.signed import SignedDocument
from trading.notices.service.exporting import write_ocds
from trading.up.programs import ROOT
from verifier.build import single_file_source


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What ``mingbiao verify`` said of a bundle: its exit code and its report."""

    name: str
    code: int
    output: str


def hand_out_trust(stage: Stage) -> None:
    """Write the supervisor's trust file, which names the verifier's hash, as document and in wire form."""
    signed = trust_document(stage, sha256_hex(single_file_source()))
    (stage.folder / "trust.json").write_bytes(signed.doc)
    stage.trust_file.write_bytes(signed.wire_bytes())


def keep(play: Play, target: Path) -> None:
    """Write bundles, trust file, the log as a static site, receipts and the revealed parts to ``target``."""
    target.mkdir(parents=True, exist_ok=True)
    runtime, stage = play.stage.runtime, play.stage
    trust = SignedDocument.from_wire(stage.trust_file.read_bytes())
    extras = BundleExtras(verifier=single_file_source(), trust=trust.doc, trust_sigs=trust.sigs_bytes)
    (target / "trust.json").write_bytes(trust.doc)
    disclosure.export_procedure(runtime, play.reference, Tier.BIDDERS, target / "public.zip", extras)
    disclosure.export_draw(runtime, play.draw, Tier.AUDIT, target / "draw.zip", extras)
    disclosure.export_log(runtime, target / "audit.zip", extras)
    disclosure.write_log_site(runtime, target / "log")
    write_ocds(runtime, target / "ocds")
    _receipts(stage, target / "receipts")
    for lot in LOTS:
        shutil.copytree(station_home(play, lot) / "revealed", target / "revealed", dirs_exist_ok=True)


def _receipts(stage: Stage, target: Path) -> None:
    for bidder in cast.BIDDERS:
        home = stage.home(bidder)
        for receipt in sorted(home.rglob("*.tlog-proof")):
            kept = target / bidder.key / receipt.relative_to(home)
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_bytes(receipt.read_bytes())


def verify(target: Path, name: str) -> Verified:
    """Run ``mingbiao verify`` on a bundle with the trust file, as anybody would."""
    words = ("verify", str(target / name), "--trust", str(target / "trust.json"))
    done = subprocess.run(  # noqa: S603 - our own program
        command(*words), cwd=ROOT, env=environment(), capture_output=True, text=True, check=False
    )
    return Verified(name=name, code=done.returncode, output=done.stdout + done.stderr)


def summary(play: Play, verified: list[Verified], seconds: float) -> dict[str, Any]:
    """Return the play in figures, for programs."""
    return {
        "demo": True,
        "lots": [_lot(play, lot) for lot in LOTS],
        "origin": play.stage.runtime.origin,
        "procedure": play.reference,
        "seconds": round(seconds, 1),
        "verified": {one.name: one.code for one in verified},
        "verifier_sha256": sha256_hex(single_file_source()),
    }


def _lot(play: Play, lot: Lot) -> dict[str, Any]:
    with play.stage.runtime.ledger.read() as conn:
        ranking = ranking_of(conn, play.procedure_id, *lot.place)
    if ranking is None:
        raise ValueError(f"lot {lot.number} has no ranking")
    return {
        "award": {name: ranking.first[name] for name in ("bid", "bidder", "price")},
        "bids": len(lot.bidders),
        "lot": lot.number,
        "ranking": ranking.items,
    }


def write_summary(target: Path, figures: dict[str, Any]) -> None:
    """Write ``summary.json``."""
    (target / "summary.json").write_text(json.dumps(figures, ensure_ascii=False, indent=1), encoding="utf-8")
