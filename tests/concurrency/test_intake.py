"""The supervisor's intake and the closer: processes of their own, HTTP, a real log (SB1 S7.6, TE1 T5 step 4)."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from agents.bid.commands import main as bid_commands
from agents.bid.workdir import BidName, WorkDir
from agents.intake.cli import main as intake_commands
from agents.sealing import SealedBid
from tests.build.dummy_envelopes import MemoryStore
from tests.build.market import DemoTime, Market, OpenLot, Party, open_market, runtime_of
from tests.support.databases import Database
from tests.support.intakes import IntakeProcess, made_intake
from tests.support.logs import LogWorld
from tests.support.polling import eventually
from trading.audit.runtime import IntakeService
from trading.bids import closing, intake, queries
from trading.bids.rules.policy import PolicyPackage
from trading.bids.rules.schedule import DRAIN_MS
from trading.crypto.keyfiles import save_es256
from trading.crypto.signatures import Es256Signer
from trading.custody import queries as custody
from trading.disclosure.service import BundleExtras, export_log
from trading.documents import queries as documents
from trading.kernel.canonical import loads_object
from trading.kernel.digests import sha256_hex
from trading.kernel.errors import RuleBroken
from trading.procedures import queries as procedures
from trading.storage.intake import IntakeFolder, carrier_of
from verifier.bundle import open_bundle
from verifier.progress import Progress
from verifier.report import STATE_OK, Report
from verifier.trust import read_trust
from verifier.verification import Options, verify_bundle


@dataclass(kw_only=True)
class Sitting:
    """A market whose tender names a running intake."""

    market: Market
    world: LogWorld
    time: DemoTime
    lot: OpenLot
    intake: IntakeProcess
    package: PolicyPackage

    def sealed(self, bidder: Party, *, seq: int = 1, supersedes: str | None = None) -> SealedBid:
        bid = self.market.start_bid(self.lot, bidder)
        context = self.market.context(self.lot, bidder, bid, seq=seq)
        return self.market.seal(self.lot, context, total=100_00 + seq, supersedes=supersedes)

    def hand_over(self, bidder: Party, sealed: SealedBid, held: tuple[str, ...] = ()) -> tuple[int, dict[str, Any]]:
        return self.intake.hand_over(sealed, bidder.signer, self.package, held)

    def pass_by(self) -> None:
        self.time.move_to(self.lot.close + DRAIN_MS + 1)

    def look(self) -> bool:
        """Run the closer once; return whether the lot is closed."""
        closing.run(self.market.runtime, self.lot.arg)
        return bool(self.bodies("tender.closed"))

    def bodies(self, kind: str) -> list[dict[str, Any]]:
        query = "SELECT record FROM log.audit_entry WHERE procedure_id = %s AND kind = %s ORDER BY id"
        with self.market.ledger.read() as conn:
            rows = conn.exec_driver_sql(query, (self.lot.procedure_id, kind)).scalars()
            return [loads_object(bytes(row))["body"] for row in rows]


@pytest.fixture
def sitting(demo_database: Database, tmp_path: Path) -> Iterator[Sitting]:
    time = DemoTime(database=demo_database, shift_file=tmp_path / "demo-shift")
    world = LogWorld(demo_database, tmp_path, clock=time.clock)
    supervisor = Es256Signer.generate()
    try:
        with made_intake(tmp_path / "intake", supervisor, time.shift_file) as process:
            market = open_market(runtime_of(demo_database, world, MemoryStore(), threads=4), bidders=4)
            market.enrol_supervisor(supervisor)
            for witness in world.witnesses:
                witness.learn(process.key)
            market.runtime = replace(market.runtime, witness_policy=world.policy_text)
            process.start(market.trust_file(supervisor))
            service = IntakeService(vkey=process.vkey, url=process.url, carrier=carrier_of(process.url, process.token))
            market.runtime = replace(market.runtime, intake=service)
            (lot,) = market.publish(intake=True)
            with market.ledger.read() as conn:
                row = procedures.find_lot(conn, lot.procedure_id, lot.lot, lot.stage)
                package = custody.package(conn, row)
            yield Sitting(market=market, world=world, time=time, lot=lot, intake=process, package=package)
    finally:
        world.close()


@dataclass(kw_only=True)
class Sent:
    """What the bidders sent: what the intake brings, what does not continue its bid, when it was received."""

    next_version: SealedBid
    alone: SealedBid
    stray: SealedBid
    received_at: int


def test_the_close_has_what_the_intake_took_whoever_dies_on_the_way(
    sitting: Sitting, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The intake is killed, so the close waits; then the closer dies between list and close; then the lot is closed."""
    sent = hand_over_around_the_deadline(sitting, tmp_path)
    port = sitting.intake.port
    sitting.intake.stop(signal.SIGKILL)
    with sitting.world.running():
        eventually(lambda: sitting.look() or bool(sitting.bodies("closing.blocked")))
        assert not sitting.look()
        assert [body["reason"] for body in sitting.bodies("closing.blocked")] == ["intake"]
        with pytest.raises(RuleBroken, match=r"closing\.void"):
            closing.close_lot(sitting.market.runtime, *sitting.lot.place, heartbeat_size=0)
        sitting.intake.start(sitting.market.trust_file(sitting.intake.signer), port)
        require_lists_that_are_carried(sitting, tmp_path)
        eventually(lambda: dies(sitting, monkeypatch))
        assert sitting.bodies("tender.closed") == sitting.bodies("bid.refused") == []
        eventually(sitting.look)
    require_entered(sitting, sent)
    verify_platform(sitting, tmp_path)


def hand_over_around_the_deadline(sitting: Sitting, folder: Path) -> Sent:
    """Before, at and after it; a version that the platform has; one that continues it; one that does not."""
    first, second, third, fourth = sitting.market.bidders
    bids = {party.code: sitting.sealed(party) for party in (first, second, third, fourth)}
    sitting.market.submit(first, bids[first.code])
    next_version = sitting.sealed(first, seq=2, supersedes=bids[first.code].envelope.sha256)
    stray = sitting.sealed(second, seq=3, supersedes="ab" * 32)
    assert sitting.hand_over(first, bids[first.code], held=("main", "price"))[0] == 201  # the platform has it, too
    assert sitting.hand_over(first, next_version)[0] == 201
    assert sitting.hand_over(second, stray)[0] == 201
    sitting.time.move_to(sitting.lot.close - 2_000)
    assert "entry 3" in client(sitting, second, bids[second.code], folder)
    status, receipt = sitting.hand_over(second, bids[second.code])  # the same bytes again
    assert (status, receipt["state"]) == (200, "witnessed")
    assert ask(sitting) is None  # bids are still due
    sitting.time.move_to(sitting.lot.close)
    assert sitting.hand_over(third, bids[third.code])[1]["code"] == "bid.late"
    sitting.pass_by()
    assert sitting.hand_over(fourth, bids[fourth.code])[1]["code"] == "bid.late"
    assert sitting.intake.call("POST", f"/lists/{sitting.lot.policy.sha256}", b"{}")[0] == 401
    assert sitting.intake.call("GET", f"/parts/{'ab' * 32}")[0] == 401
    return Sent(next_version=next_version, alone=bids[second.code], stray=stray, received_at=receipt["received_at"])


def require_entered(sitting: Sitting, sent: Sent) -> None:
    via = {body["envelope_sha256"]: body for body in sitting.bodies("bid.received") if body["via"] == "intake"}
    assert via.keys() == {sent.next_version.envelope.sha256, sent.alone.envelope.sha256}
    assert via[sent.alone.envelope.sha256]["received_at"] == sent.received_at < sitting.lot.close
    (refused,) = sitting.bodies("bid.refused")
    assert (refused["code"], refused["envelope_sha256"]) == ("bid.version_conflict", sent.stray.envelope.sha256)
    (closed,) = sitting.bodies("tender.closed")
    assert closed["count"] == 2
    assert len(listed_by(sitting, closed)) == 4
    stored = sitting.market.runtime.objects
    assert all(stored.stat(sha256_hex(data)) for data in sent.alone.parts.values())


def verify_platform(sitting: Sitting, folder: Path) -> None:
    """The bundle that the platform exports: its verifier finds the list, the receipts and the refusal in order."""
    trust = sitting.market.trust_file(sitting.intake.signer)
    extras = BundleExtras(verifier=b"", trust=trust, trust_sigs=b"[]")
    with sitting.world.running():
        eventually(lambda: exported(sitting, folder / "log.zip", extras))
    report = Report("Trust: given by the test", trusted=True)
    verify_bundle(open_bundle(folder / "log.zip"), read_trust(trust), report, Options(), Progress())
    found = {check.id: check for check in report.checks}
    for check_id in ("AL-07", "AL-08", "SB-06", "SB-07", "SB-08", "SB-21", "TE-05"):
        assert (found[check_id].state, found[check_id].failures) == (STATE_OK, []), check_id
    assert any("2 of 2 bids PROVEN_ON_TIME" in text for _, text in found["TE-05"].notes)


def exported(sitting: Sitting, target: Path, extras: BundleExtras) -> bool:
    """Export the whole log once its end is witnessed."""
    with sitting.market.ledger.read() as conn:
        waiting = conn.exec_driver_sql(
            "SELECT count(*) FROM log.audit_entry e WHERE NOT EXISTS"
            " (SELECT 1 FROM log.log_position p WHERE p.entry_id = e.id)"
        ).scalar_one()
        size = conn.exec_driver_sql("SELECT count(*) FROM log.log_position").scalar_one()
    note = sitting.world.tiles.read("witnessed")
    if waiting or note is None or int(note.split(b"\n")[1]) < size:
        return False
    export_log(sitting.market.runtime, target, extras)
    return True


def ask(sitting: Sitting) -> intake.Listed | None:
    with sitting.market.ledger.read() as conn:
        row = procedures.find(conn, sitting.lot.tender)
        lot = procedures.find_lot(conn, row.id, sitting.lot.lot, sitting.lot.stage)
    return intake.obtain(sitting.market.runtime, row, lot)


def listed_by(sitting: Sitting, closed: dict[str, Any]) -> list[str]:
    with sitting.market.ledger.read() as conn:
        stored = documents.get(conn, bytes.fromhex(closed["intake_list_sha256"]))
    assert stored is not None
    envelopes: list[str] = loads_object(stored.doc)["envelopes"]
    return envelopes


def client(sitting: Sitting, bidder: Party, sealed: SealedBid, folder: Path) -> str:
    """Hand over with ``mingbiao bid hand-over``; return what it says."""
    name = BidName(api="http://127.0.0.1:9", bid=sealed.context.bid, bidder=bidder.code, **place_of(sitting.lot))
    work = WorkDir.create(folder / "bid", name, sitting.market.trust_file(sitting.intake.signer))
    work.keep_package(sitting.package)
    version = work.path / "versions" / "1"
    (version / "parts").mkdir(parents=True)
    (version / "document.json").write_bytes(sealed.envelope.wire_bytes())
    for part, data in sealed.parts.items():
        (version / "parts" / f"{part}.age").write_bytes(data)
    save_es256(folder / "bidder.key", bidder.signer, None)
    words = ["hand-over", "--dir", work.path, "--key", folder / "bidder.key", "--intake", sitting.intake.url]
    result = CliRunner().invoke(bid_commands, list(map(str, words)), env={"LANG": "en_GB.UTF-8", "LC_ALL": ""})
    assert result.exit_code == 0, result.output
    (head,) = work.versions()
    assert (head.at_intake, work.head(), work.handed_over()) == (True, head, head)
    return result.output


def place_of(lot: OpenLot) -> dict[str, str]:
    return {"lot": lot.lot, "stage": lot.stage, "tender": lot.tender}


def require_lists_that_are_carried(sitting: Sitting, folder: Path) -> None:
    """Air gap: a folder stands for the address. Nothing carried, or another key than the schedule's, is no list."""
    service, out = sitting.market.runtime.intake, folder / "carried"
    assert service is not None
    carried = replace(service, carrier=IntakeFolder(root=out))
    for other in (carried, replace(service, vkey=service.vkey.replace("demo.intake", "demo.other"))):
        sitting.market.runtime = replace(sitting.market.runtime, intake=other)
        assert ask(sitting) is None
    carry(sitting, out)
    sitting.market.runtime = replace(sitting.market.runtime, intake=carried)
    found = ask(sitting)
    assert found is not None
    assert [each.refusal for each in found.judged] == [None] * 4
    sitting.market.runtime = replace(sitting.market.runtime, intake=service)


def carry(sitting: Sitting, out: Path) -> None:
    """Write the list with ``mingbiao intake list``."""
    (policy, schedule) = (out.with_name(name) for name in ("policy.json", "schedule.json"))
    policy.write_bytes(sitting.package.policy.wire_bytes())
    schedule.write_bytes(sitting.package.schedule.wire_bytes())
    words = ["list", "--url", sitting.intake.url, "--token-file", sitting.intake.directory / "token"]
    words += ["--policy", policy, "--schedule", schedule, "--out", out]
    result = CliRunner().invoke(intake_commands, list(map(str, words)))
    assert result.exit_code == 0, result.output


class Killed(BaseException):
    """Stands for SIGKILL: nothing of the product catches it."""


def dies(sitting: Sitting, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Let the closer die after everything of the list is entered and before the close entry."""

    def die(*_given: object) -> None:
        raise Killed

    with monkeypatch.context() as dying:
        dying.setattr(queries, "manifest", die)
        try:
            closing.run(sitting.market.runtime, sitting.lot.arg)
        except Killed:
            return True
    return False
