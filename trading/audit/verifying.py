"""The full check of the log from its public files, with the progress of the run (ux page 19).

The same comparisons as ``fsck``, but from the entry bundles instead of the sequencer's write-ahead log, so that a
worker can run it: bundles ↔ chain ↔ tiles ↔ root ↔ every kept note and its signatures, positions ↔ entries, records ↔
commitments. It stops at the checkpoint that it saw first. A run is an errand; its row carries how far it has come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, select, update
from typing_extensions import override

from trading.audit.files import bundled_entries
from trading.audit.fsck import Fsck
from trading.audit.ledger import Ledger
from trading.audit.model import Finding, Report
from trading.audit.rules.note import parse_checkpoint_text, parse_note
from trading.audit.rules.policy import Policy
from trading.audit.tables import errand
from trading.kernel.errors import IntegrityFailure, InvalidInput
from trading.kernel.ids import random_name
from trading.kernel.roles import Actor
from trading.storage.tiles import CHECKPOINT

ERRAND: Final = "audit.verify"
PASSES: Final = 2  # every entry is read for the chain and the tree, and again beside its position and record
MOST_FINDINGS: Final = 100
#: Check of ``Report.findings`` to the name that a result gives it, in the order of the result.
CHECKS: Final[Mapping[str, tuple[str, ...]]] = {
    "chain": ("chain", "wal", "head", "continued"),
    "tiles": ("tile",),
    "notes": ("note",),
    "tokens": ("token",),
    "positions": ("position", "overdue", "queue"),
    "records": ("record",),
}
STATE: Final = "state"  # the stored rows are the fold of their histories (``audit.replay``)
APART: Final = "apart"  # rows that only a role of its own may see; ``mingbiao verify-audit`` compares them
#: Told (entries read, entries to read).
Progress = Callable[[int, int], None]


class LogCheck(Fsck):
    """One run over the files that a worker may read: ``log_dir`` is the directory of tiles and notes."""

    def __init__(
        self,
        conn: Connection,
        log_dir: Path,
        origin: str,
        policy: Policy,
        roots: Mapping[str, Sequence[bytes]],
        progress: Progress,
    ) -> None:
        super().__init__(conn, log_dir.parent, origin, policy, roots)
        self._tell = progress
        self._read = 0

    @override
    def run(self) -> Report:
        """Compare everything up to the newest checkpoint and return the report."""
        self._report.size = self._head_size()
        notes = self._notes()
        self._walk(notes)
        self._partial_tiles()
        self._check_tokens()
        self._positions()
        self._earlier_logs()
        self._overdue()
        return self._report

    @override
    def _head_size(self) -> int:
        """Return the size of the newest checkpoint when the run began."""
        if not self._report.size:
            data = self._tiles.read(CHECKPOINT)
            self._report.size = 0 if data is None else parse_checkpoint_text(parse_note(data).text).size
        return self._report.size

    @override
    def _entries(self) -> Iterator[bytes]:
        """Yield the entries of the bundles up to the checkpoint, telling the progress with each bundle."""
        size = self._report.size

        def tell(read: int) -> None:
            self._read += read
            self._tell(self._read, PASSES * size)

        yield from bundled_entries(self._tiles, size, tell)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One named check of a result: passed, failed, or not made (``ok`` is None), and what was found."""

    name: str
    ok: bool | None
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One full verification: who asked for it and when (ms), how far it is, and its result when it is over."""

    name: str
    account: str
    asked_at: int
    state: str  # waiting, running, done
    done: int = 0
    total: int = 0
    size: int = 0
    ended_at: int | None = None
    checks: tuple[Check, ...] = field(default_factory=tuple)

    @property
    def ok(self) -> bool | None:
        """Whether every check passed; None while one was not made."""
        made = [check.ok for check in self.checks if check.name != APART]
        if False in made:
            return False
        return None if not made or None in made else True

    @property
    def percent(self) -> int:
        """Return how far it is, rounded down."""
        if self.state == "done":
            return 100
        return 100 * self.done // self.total if self.total else 0

    def to_json(self) -> dict[str, Any]:
        """Return what the errand's row carries."""
        return {
            "account": self.account,
            "asked_at": self.asked_at,
            "checks": [[check.name, check.ok, list(check.details)] for check in self.checks],
            "done": self.done,
            "ended_at": self.ended_at,
            "run": self.name,
            "size": self.size,
            "state": self.state,
            "total": self.total,
        }


def run_of(arg: Mapping[str, Any]) -> Run:
    """Return the run that an errand's row carries."""
    return Run(
        name=arg["run"],
        account=arg["account"],
        asked_at=arg["asked_at"],
        state=arg.get("state", "waiting"),
        done=arg.get("done", 0),
        total=arg.get("total", 0),
        size=arg.get("size", 0),
        ended_at=arg.get("ended_at"),
        checks=tuple(Check(name=name, ok=ok, details=tuple(details)) for name, ok, details in arg.get("checks", ())),
    )


def checks_of(report: Report) -> list[Check]:
    """Return the named checks of a report."""
    found = []
    for name, codes in CHECKS.items():
        faults, skipped = _told(report.findings, codes), _told(report.unchecked, codes)
        ok = False if faults else None if skipped else True
        found.append(Check(name=name, ok=ok, details=(faults or skipped)[:MOST_FINDINGS]))
    return found


def _told(findings: Sequence[Finding], codes: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{each.place}: {each.detail}" for each in findings if each.check in codes)


def newest(conn: Connection, limit: int = 10) -> list[Run]:
    """Return the newest runs, the last asked for first."""
    query = select(errand.c.arg).where(errand.c.name == ERRAND).order_by(errand.c.due_at.desc()).limit(limit)
    return [run_of(row.arg) for row in conn.execute(query)]


def ask(ledger: Ledger, actor: Actor) -> Run:
    """Put a full verification on the list of errands; one that waits or runs already is returned instead."""
    with ledger.begin(actor) as uow:
        going = next((run for run in newest(uow.connection) if run.state != "done"), None)
        if going is not None:
            return going
        run = Run(name=random_name(10), account=actor.account, asked_at=uow.at, state="waiting")
        uow.wake(ERRAND, run.to_json(), uow.at)
        return run


def save(ledger: Ledger, run: Run) -> None:
    """Keep how far a run is, for every page that shows it."""
    with ledger.upkeep() as conn:
        mine = errand.c.arg["run"].astext == run.name
        conn.execute(update(errand).where(errand.c.name == ERRAND, mine).values(arg=run.to_json()))


def verify_log(
    conn: Connection,
    log_dir: Path,
    origin: str,
    policy: Policy,
    roots: Mapping[str, Sequence[bytes]],
    progress: Progress,
) -> tuple[int, Sequence[Check]]:
    """Run the check of the log; return the size that it covered, and its named checks."""
    try:
        report = LogCheck(conn, log_dir, origin, policy, roots, progress).run()
    except (InvalidInput, IntegrityFailure) as error:
        return 0, [Check(name="chain", ok=False, details=(str(error),))]
    return report.size, checks_of(report)
