"""A whole run: a log with three witnesses is closed and continued, and one file verifies both (AL1 L13)."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.history import read_history
from tests.support.continued import REASON, ContinuedWorld, close, prepared, resume, witness_all
from tests.support.logs import LogWorld, foreign_growth
from tests.support.made_bids import make_signer
from tests.support.make_bundle import make_trust
from trading.audit import queries
from trading.audit.evidence import continuation_proofs, log_parts, seen_files
from trading.audit.ledger import Ledger
from trading.audit.rules.tree import verify_consistency
from trading.audit.runtime import Runtime
from trading.audit.service import reader, receipt, witnessed
from trading.bids.rules.trust import parse_trust
from trading.disclosure.service import BundleExtras, export_log
from trading.kernel.encoding import b64_decode
from trading.kernel.events import Event
from trading.kernel.roles import Actor
from trading.storage.local import LocalStore
from trading.storage.tiles import WITNESSED
from verifier.build import single_file_source

ACTOR = Actor.system("test")


@dataclass
class Run:
    """The world before and after, one platform on the later one, and a reader with one file and a trust file."""

    before: LogWorld
    after: ContinuedWorld
    runtime: Runtime
    folder: Path

    def verify(self, file: Path, *options: str) -> tuple[int, dict[str, Any]]:
        program = self.folder / "verify.py"
        program.write_bytes(single_file_source())
        words = [
            sys.executable,
            str(program),
            str(file),
            "--trust",
            str(self.folder / "trust.json"),
            "--json",
            *options,
        ]
        done = subprocess.run(words, capture_output=True, check=False, timeout=60)
        return done.returncode, json.loads(done.stdout)

    def failures(self, *options: str) -> tuple[int, set[str]]:
        code, report = self.verify(self.folder / "log.zip", *options)
        return code, {check["id"] for check in report["checks"] if check["failures"]}


def write(ledger: Ledger, count: int) -> None:
    with ledger.begin(ACTOR) as uow:
        for number in range(count):
            uow.record(Event(kind="config.changed", subject="setting:x", body={"what": str(number)}))


class Listed:
    """What a trust file says of the log."""

    def __init__(self, world: ContinuedWorld) -> None:
        self.policy, self.origin, self.stampers = world.policy_text, world.origin, dict[str, bytes]()


def run_through(world: LogWorld, ledger: Ledger, tmp_path: Path) -> Run:
    """Make 260 records, the closing, 30 records more; everything exported as one bundle."""
    write(ledger, 260)
    witness_all(world)
    write(ledger, 5)
    close(world)
    after = resume(prepared(world, tmp_path / "next"))
    write(ledger, 30)
    witness_all(after)
    runtime = Runtime(
        ledger=ledger,
        objects=LocalStore(tmp_path / "objects"),
        log_dir=after.log_dir / "tiles",
        origin=after.origin,
        demo=False,
        clock=world.clock,
        witness_policy=after.policy_text,
    )
    supervisor = make_signer("11310000SUPER00001", "监管部门", "supervisor")
    trust, sigs = make_trust(Listed(after), [supervisor], supervisor)  # type: ignore[arg-type]  # what it needs of a log
    (tmp_path / "trust.json").write_bytes(trust)
    export_log(runtime, tmp_path / "log.zip", BundleExtras(verifier=single_file_source(), trust=trust, trust_sigs=sigs))
    return Run(world, after, runtime, tmp_path)


def test_one_file_verifies_both_logs_and_what_their_holders_kept(
    world: LogWorld, ledger: Ledger, tmp_path: Path
) -> None:
    run = run_through(world, ledger, tmp_path)
    _verifies_whole(run)
    _verifies_receipts(run)
    _leads_offline_programs(run)
    _shows_a_cut(run)


def _verifies_whole(run: Run) -> None:
    code, report = run.verify(run.folder / "log.zip")
    assert [check for check in report["checks"] if check["failures"] or check["gaps"]] == []
    assert code == 0
    assert report["facts"]["log"] == f"{run.before.origin}, 260 entries; continued in {run.after.origin}, 36 entries"
    assert run.after.fsck().exit_code == 0


def _verifies_receipts(run: Run) -> None:
    """A receipt of the closed log is what it was; those of the next one count from its own entry 0."""
    with run.runtime.ledger.read() as conn:
        records = [queries.logged_records(conn, n, n + 1)[0] for n in (7, 260, 295)]
        issued = [receipt(conn, reader(run.runtime.log_dir), each.h) for each in records]
    assert records[1].data["body"]["reason"] == REASON
    told = []
    for each in issued:
        assert each is not None
        file = run.folder / "one.tlog-proof"
        file.write_bytes(each.text)
        code, report = run.verify(file)
        assert code == 0
        told.append(report["facts"]["receipt"])
    places = ((7, run.before), (0, run.after), (35, run.after))
    assert told == [f"WITNESSED, entry {n} of {world.origin}" for n, world in places]


def _leads_offline_programs(run: Run) -> None:
    """What jobs and stations get: growth from what was seen in either log, and the way to the closed one."""
    log, runtime = reader(run.runtime.log_dir), run.runtime
    note = witnessed(runtime, log)
    assert note is not None
    with runtime.ledger.read() as conn:
        parts = log_parts(conn, log, note)
        proofs = continuation_proofs(conn, parts)
    files = seen_files(parts, [0, 100, 260, 270, 296])
    assert sorted(files) == ["before/consistency/100-260", "consistency/10-36"]
    hashes = [b64_decode(line) for line in files["before/consistency/100-260"].decode().splitlines()]
    spans = read_history(parse_trust((run.folder / "trust.json").read_bytes()), note.note, proofs)
    assert [(span.base, span.checkpoint.size) for span in spans] == [(0, 260), (260, 36)]
    verify_consistency(100, 260, hashes, parts[1].log.proofs.root(100, 260), spans[0].checkpoint.root)


def _shows_a_cut(run: Run) -> None:
    """Whoever still has the key of the closed log shows witnesses that nobody told more of it: a holder proves it."""
    kept, more = run.folder / "kept", run.folder / "more"
    kept.write_bytes(run.before.tiles.read(WITNESSED) or b"")
    run.before.copy_log(run.folder / "thief")
    (run.folder / "thief" / "head" / "closed").unlink()
    more.write_bytes(foreign_growth(run.before, run.folder / "thief", entries=3))
    assert run.failures("--against", str(kept)) == (0, set())
    assert run.failures("--against", str(more)) == (1, {"AL-06"})
