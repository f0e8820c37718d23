"""What synthetic bidders leave: old parts are swept, the proof stays, and nobody else loses a byte."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import Table, func, select, update

from agents.probe.rounds import Prober
from agents.probe.state import ProbeState
from tests.support.market import Bidder, Market
from trading.audit.replay import replay
from trading.audit.runtime import Runtime
from trading.bids import copying, sweeping, uploads
from trading.bids.rules.envelope import parse_envelope
from trading.bids.tables import bid, bid_fingerprint, bid_version, copied, part
from trading.commands.audits import fsck
from trading.commands.folds import COMPARES, FOLDS, REPLAYED
from trading.demo.cast import numbered_bidder
from trading.storage.local import LocalStore
from trading.storage.objects import StoreAway
from trading.storage.pair import PairedStore
from trading.up.probes import set_up

VERSIONS = 3
OLD = "old versions of synthetic bidders whose parts may be gone"


@dataclass
class Rig:
    """A market with a bidder of two versions, and a synthetic bidder that has sent a few; ``hidden`` is its bid."""

    market: Market
    bidder: Bidder
    prober: Prober

    @property
    def hidden(self) -> str:
        return self.prober.state.identity.bid

    @property
    def store(self) -> LocalStore:
        assert isinstance(self.market.runtime.objects, LocalStore)
        return self.market.runtime.objects

    def send(self) -> None:
        self.prober._send(self.prober._platform())

    def later(self, ms: int) -> None:
        """Let every part have come so much earlier."""
        with self.market.runtime.ledger.upkeep() as conn:
            conn.execute(update(part).values(stored_at=part.c.stored_at - ms))

    def parts(self, reference: str) -> list[str]:
        """Return the parts of every version of a bid, the newest last."""
        query = select(bid_version.c.bytes).join(bid, bid.c.id == bid_version.c.bid_id)
        query = query.where(bid.c.reference == reference, bid_version.c.kind == "envelope").order_by(bid_version.c.seq)
        with self.market.runtime.ledger.read() as conn:
            docs = [bytes(doc) for doc in conn.execute(query).scalars()]
        return [each.sha256 for doc in docs for each in parse_envelope(doc).parts]

    def rows(self, table: Table, *conditions: Any) -> int:  # noqa: ANN401 - any of SQLAlchemy's
        with self.market.runtime.ledger.upkeep() as conn:
            return conn.execute(select(func.count()).select_from(table).where(*conditions)).scalar_one()

    def fingerprints(self) -> int:
        of_lot = select(bid.c.procedure_id).where(bid.c.reference == self.hidden)
        return self.rows(bid_fingerprint, bid_fingerprint.c.procedure_id.in_(of_lot))

    def check(self, folder: Path, **variables: str) -> tuple[dict[str, str], dict[str, int]]:
        """Return what ``mingbiao fsck --objects`` finds wrong with objects, by place, and what it counts."""
        market = self.market
        (folder / "policy").write_text(market.world.policy_text)
        environment = {
            "DATABASE_URL": market.database.url("trading_auditor"),
            "LOG_DIR": str(market.world.log_dir),
            "LOG_ORIGIN": "log.test/audit",
            "OBJECT_STORE_URL": (market.directory / "objects").as_uri(),
            "WITNESS_POLICY": str(folder / "policy"),
            **variables,
        }
        told = json.loads(CliRunner().invoke(fsck, ["--json", "--objects"], env=environment).stdout)
        found = {each["place"]: each["detail"] for each in told["findings"] if each["check"] == "object"}
        return found, told["counts"]


@pytest.fixture(scope="module")
def rig(market: Market, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    folder = tmp_path_factory.mktemp("probe") / "operator"
    set_up(market.runtime, folder, "operator")
    bidder = Bidder(market, numbered_bidder(16))
    bidder.start()
    first = bidder.seal(4_000_000)
    assert bidder.submit(first).status_code in {201, 202}
    second = bidder.seal(4_100_000, seq=2, supersedes=first.envelope.sha256)
    assert bidder.submit(second).status_code in {201, 202}
    with market.serving() as base:
        yield Rig(market, bidder, Prober(ProbeState(folder), base, market.runtime.clock))


@pytest.fixture
def sent(rig: Rig) -> Rig:
    """Some more versions, as old as may be swept."""
    for _ in range(VERSIONS):
        rig.send()
    rig.later(sweeping.KEEP_MS)
    return rig


def kept(rig: Rig, reference: str) -> list[bool]:
    return [rig.store.stat(digest) is not None for digest in rig.parts(reference)]


def test_old_parts_go_and_the_proof_stays(sent: Rig, tmp_path: Path) -> None:
    versions = sent.rows(bid_version)
    assert uploads.sweep(sent.market.runtime, {}) is not None
    assert kept(sent, sent.hidden) == [False] * (VERSIONS - 1) + [True], "the standing version stays whole"
    assert kept(sent, sent.bidder.bid) == [True] * 4, "the control: bidders lose nothing, old versions included"
    assert sent.rows(bid_version) == versions
    assert sent.rows(part, part.c.bid_reference == sent.hidden) == 1
    assert sent.fingerprints() == 6, "of the standing version"
    with sent.market.database.connect() as conn:
        assert list(replay(conn, FOLDS, REPLAYED, COMPARES)) == []
    sent.send()
    found, counts = sent.check(tmp_path)
    assert (found, counts[OLD]) == ({}, VERSIONS)


def test_what_is_younger_stays_and_a_round_is_bounded(sent: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    uploads.sweep(sent.market.runtime, {})
    before = len(sent.parts(sent.hidden))
    for _ in range(4):
        sent.send()
    sent.later(sweeping.KEEP_MS - 60_000)
    uploads.sweep(sent.market.runtime, {})
    assert kept(sent, sent.hidden)[before:] == [True] * 4
    sent.later(60_000)
    monkeypatch.setattr(sweeping, "MOST_PARTS", 2)
    uploads.sweep(sent.market.runtime, {})
    assert kept(sent, sent.hidden)[before:] == [False, False, True, True]


def test_a_lost_part_of_a_bid_or_of_the_standing_version_is_still_found(sent: Rig, tmp_path: Path) -> None:
    uploads.sweep(sent.market.runtime, {})
    lost = [sent.parts(sent.hidden)[-1], sent.parts(sent.bidder.bid)[0]]
    data = [sent.store.get(digest) for digest in lost]
    for digest in lost:
        sent.store.remove(digest)
    assert sent.check(tmp_path)[0] == dict.fromkeys(lost, "is missing")
    assert [sent.store.put(each) for each in data] == lost


def test_a_part_that_another_bid_has_too_stays(sent: Rig) -> None:
    digest = sent.parts(sent.hidden)[-2]
    data = sent.store.get(digest)
    assert sent.bidder.put_part(data, digest).status_code == 201
    sent.later(sweeping.KEEP_MS)
    uploads.sweep(sent.market.runtime, {})
    assert sent.store.get(digest) == data
    with sent.market.runtime.ledger.upkeep() as conn:
        conn.execute(
            part.delete().where(part.c.bid_reference == sent.bidder.bid, part.c.sha256 == bytes.fromhex(digest))
        )
    uploads.sweep(sent.market.runtime, {})
    assert sent.store.stat(digest) is None


def paired(rig: Rig, folder: Path) -> Runtime:
    pair = PairedStore(first=rig.store, second=LocalStore(folder))
    return replace(rig.market.runtime, objects=pair, copies=pair)


def test_of_two_stores_neither_brings_them_back(sent: Rig, tmp_path: Path) -> None:
    runtime, second = paired(sent, tmp_path / "copies"), LocalStore(tmp_path / "copies")
    old, standing = sent.parts(sent.hidden)[-2:]
    assert copying.copy(runtime, {}) is not None
    uploads.sweep(runtime, {})
    assert (sent.store.stat(old), second.stat(old)) != (None, None), "the round that compares does it"
    for _ in range(2):
        assert copying.compare(runtime, {}) is not None
        assert (sent.store.stat(old), second.stat(old)) == (None, None)
        assert None not in {sent.store.stat(standing), second.stat(standing)}
    assert sent.rows(copied, copied.c.sha256 == bytes.fromhex(old)) == 0
    told = len(sent.market.bodies("bid.replicated"))
    assert copying.copy(runtime, {}) is not None
    assert len(sent.market.bodies("bid.replicated")) == told, "told once, also without its parts"
    assert sent.check(tmp_path, OBJECT_COPY_URL=(tmp_path / "copies").as_uri())[0] == {}
    with sent.market.runtime.ledger.upkeep() as conn:
        conn.execute(copied.delete().where(copied.c.sha256.in_(select(part.c.sha256))))


def test_a_store_that_keeps_everything_stops_nothing(
    sent: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_self: LocalStore, _digest: str) -> None:
        raise StoreAway("403 AccessDenied")

    rows = sent.rows(part, part.c.bid_reference == sent.hidden)
    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING, "mingbiao.storage"):
        patch.setattr(LocalStore, "remove", refuse)
        assert uploads.sweep(sent.market.runtime, {}) is not None
    assert "lets no old parts" in caplog.text
    assert sent.rows(part, part.c.bid_reference == sent.hidden) == rows
    assert all(kept(sent, sent.hidden)[-VERSIONS:])
