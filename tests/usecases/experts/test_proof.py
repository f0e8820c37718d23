"""The bundle of a draw made by the platform, checked by the offline verifier; and the stored state by replay."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from tests.support.made_committee import CommitteeMaker
from tests.support.market import Market
from tests.support.verifying import failures, memory_bundle
from tests.usecases.experts.test_secrecy import decide
from trading.audit.queries import records_of_draw
from trading.audit.replay import replay
from trading.commands.folds import COMPARES, FOLDS, REPLAYED
from trading.demo.stage import trust_document
from trading.disclosure.rules.tiers import Tier
from trading.disclosure.service import BundleExtras, export_draw
from trading.experts.queries import disclosed_records
from trading.experts.service import disclosure
from trading.kernel.errors import NotFound
from trading.notices.queries import log
from verifier.build import single_file_source
from verifier.progress import Progress
from verifier.report import STATE_OK, Report
from verifier.trust import read_trust
from verifier.verification import Options, verify_bundle


def finished(market: Market, maker: CommitteeMaker) -> str:
    """Draw and seat a committee with one refusal and one replacement, decide, disclose; return the draw."""
    maker.seated(market.tender)
    with maker.ledger.read() as conn:
        draw = str(conn.exec_driver_sql("SELECT draw FROM record.committee").scalar_one())
    decide(market)
    disclosure.disclose_names(maker.ledger, maker.actor("drafter"), market.tender)
    maker.until(lambda: "panel.disclosed" in market.kinds())
    return draw


def exported(market: Market, draw: str, tier: Tier, target: Path) -> Path:
    trust = trust_document(market.stage, "0" * 64)
    extras = BundleExtras(verifier=single_file_source(), trust=trust.doc, trust_sigs=trust.sigs_bytes)
    export_draw(market.runtime, draw, tier, target, extras)
    return target


def test_the_verifier_recomputes_the_draw(market: Market, maker: CommitteeMaker, tmp_path: Path) -> None:
    draw = finished(market, maker)
    with maker.ledger.read() as conn:  # its records are public all together: anybody may have their receipts
        told = {record.kind: log.entry(conn, record.h) for record in disclosed_records(conn, draw)}
    assert {"draw.sealed", "draw.seeded", "draw.result", "draw.disclosed"} <= set(told)
    assert {(each.kind, each.procedure) for each in told.values() if each} == {(kind, market.tender) for kind in told}
    trust = trust_document(market.stage, "0" * 64)
    for tier in (Tier.PUBLIC, Tier.AUDIT):
        with zipfile.ZipFile(exported(market, draw, tier, tmp_path / f"{tier}.zip")) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
        report = Report("Trust: given by the test", trusted=True)
        verify_bundle(memory_bundle(files), read_trust(trust.doc, trust.sigs_bytes), report, Options(), Progress())
        assert failures(report) == {}
        passed = {check.id for check in report.checks if check.state == STATE_OK}
        expected = {f"ED-{number:02d}" for number in range(1, 14)}
        assert passed >= (expected if tier is Tier.AUDIT else expected - {"ED-09", "ED-10", "ED-11"})


def test_a_draw_is_not_exported_before_it_is_disclosed(market: Market, maker: CommitteeMaker, tmp_path: Path) -> None:
    maker.admit(24)
    maker.plan(market.tender)
    draw = maker.sealed(market.tender)
    with maker.ledger.read() as conn:
        sealed = records_of_draw(conn, draw)
        assert disclosed_records(conn, draw) == []
        told = [log.entry(conn, record.h) for record in sealed]
    assert {"draw.sealed", "draw.committed"} <= {record.kind for record in sealed}
    assert {(each.kind, each.procedure) for each in told if each} == {(None, None)}
    for tier in (Tier.PUBLIC, Tier.AUDIT):
        with pytest.raises(NotFound):
            exported(market, draw, tier, tmp_path / "early.zip")


def test_the_stored_state_is_the_fold_of_the_records(market: Market, maker: CommitteeMaker) -> None:
    finished(market, maker)
    with market.database.connect("trading_auditor") as conn:
        ours = {"expert", "expert_identity", "committee", "committee_member", "panel_name", "pool_snapshot"}
        found = [
            each
            for each in replay(conn, FOLDS, REPLAYED, COMPARES)
            if each.table.startswith("draw") or each.table in ours
        ]
        assert found == []
    with market.database.connect() as owner:
        owner.exec_driver_sql("ALTER TABLE record.expert DISABLE TRIGGER USER")
        owner.exec_driver_sql("UPDATE record.expert SET unit = 'FRIEND' WHERE expert_id = 'E0000001'")
    with market.database.connect("trading_auditor") as conn:
        found = [each for each in replay(conn, FOLDS, REPLAYED, COMPARES) if each.table == "expert"]
        assert [(each.column, each.stored) for each in found] == [("unit", "FRIEND")]
