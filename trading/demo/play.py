"""One tender played by everybody in it, with programs of their own; the scenes in their order are in ``scenes``."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rich.console import Console

from trading.audit.demo_clock import jump
from trading.audit.queries import is_relayed, newest_h
from trading.audit.service import platform_ms, wait_witnessed
from trading.demo import people
from trading.demo.cast import Organisation
from trading.demo.people import Standing
from trading.demo.stage import Stage
from trading.demo.tender import STAGE, Lot
from trading.kernel.errors import RuleBroken
from trading.kernel.roles import Actor
from trading.kernel.signed import SignedDocument
from trading.openings import queries as openings
from trading.openings.model import Place
from trading.procedures import queries as procedures
from trading.procedures.queries import LotRow

BEFORE_MS: Final = 3_000  # time is moved to shortly before what is awaited, and runs on from there
_PATIENCE_S: Final = 60.0


class TooSlow(Exception):
    """Something that the play waits for did not happen in time."""


@dataclass(slots=True, kw_only=True)
class Play:
    """The state of the play. ``base_url`` is the platform's address; everybody else uses only that."""

    stage: Stage
    base_url: str
    shift_file: Path
    console: Console
    reference: str = ""
    procedure_id: int = 0
    standing: Standing = field(default_factory=Standing)
    draw: str = ""
    members: list[str] = field(default_factory=list)  # logins of the experts who sit, known to themselves alone

    @property
    def data_dir(self) -> Path:
        """Return the platform's own directory: mails lie there, because a demonstration has no mail server."""
        return self.shift_file.parent

    def scene(self, zh: str, en: str) -> None:
        """Say what happens now."""
        self.console.print(f"[bold]▸[/bold] {zh} [dim]/ {en}[/dim]")

    # ------------------------------------------------------------------ people with their own programs

    def run(self, *words: str) -> str:
        """Let somebody run ``mingbiao`` with ``words``; return what it printed."""
        return people.run(*words)

    def run_together(self, commands: Sequence[Sequence[str]]) -> None:
        """Let several people run their commands at the same time."""
        people.run_together(commands)

    def sign(self, organisation: Organisation, role: str, *documents: Path) -> list[Path]:
        """Sign with ``mingbiao sign`` on the organisation's own machine, never by the server; return signed files."""
        key = str(self.stage.key_file(organisation, role))
        people.run("sign", *map(str, documents), "--key", key, "--yes")
        return [path.with_name(f"{path.name.removesuffix('.json')}.signed.json") for path in documents]

    @staticmethod
    def read(signed: Path) -> SignedDocument:
        """Read a signed file."""
        return SignedDocument.from_wire(signed.read_bytes())

    # ------------------------------------------------------------------ what has happened so far

    def now(self) -> int:
        """Return the platform's time, ms."""
        with self.stage.runtime.ledger.read() as conn:
            return platform_ms(conn)

    def place(self, lot: Lot) -> Place:
        """Return procedure, lot and stage."""
        return Place(procedure=self.reference, procedure_id=self.procedure_id, lot=lot.number, stage=STAGE)

    def lot(self, lot: Lot) -> LotRow:
        """Return the row of a lot."""
        with self.stage.runtime.ledger.read() as conn:
            return procedures.find_lot(conn, self.procedure_id, *lot.place)

    def close_at(self, lot: Lot) -> int:
        """Return the deadline of a published lot, ms."""
        found = self.lot(lot).close_at
        if found is None:
            raise ValueError(f"lot {lot.number} is not published")
        return found

    def opening(self, lot: Lot) -> openings.OpeningRow | None:
        """Return the opening of a lot, once it is ordered."""
        with self.stage.runtime.ledger.read() as conn:
            return openings.opening_row(conn, self.place(lot))

    def step(self, lot: Lot) -> str | None:
        """Return how far the opening of a lot is."""
        row = self.opening(lot)
        return None if row is None else row.step

    def answers(self, lot: Lot, kind: str) -> int:
        """Return how many custodians have answered."""
        with self.stage.runtime.ledger.read() as conn:
            return len(openings.answers(conn, self.place(lot), kind))

    # ------------------------------------------------------------------ time and waiting

    def until(self, happened: Callable[[], bool], what: str) -> None:
        """Wait until something has happened; ``TooSlow`` after a minute."""
        ends = time.monotonic() + _PATIENCE_S
        while not happened():
            if time.monotonic() >= ends:
                raise TooSlow(f"waited {_PATIENCE_S:.0f} s for {what}")
            time.sleep(0.2)

    def jump(self, to_ms: int) -> None:
        """Move demonstration time on; what is due already is done first, by the platform's own worker."""
        self.until(lambda: to_ms <= self.now() or self._jumped(to_ms), "what is due before time is moved on")

    def _jumped(self, to_ms: int) -> bool:
        try:
            jump(self.stage.runtime, Actor.system("demo"), to_ms, shift_file=self.shift_file)
        except RuleBroken as refusal:
            if refusal.code == "demo.past_due":
                return False
            raise
        return True

    def wait_published(self) -> None:
        """Wait until the worker has published everything that happened: page, feed, open data."""
        self.until(self._is_published, "publication")

    def _is_published(self) -> bool:
        with self.stage.runtime.ledger.read() as conn:
            return is_relayed(conn)

    def wait_witnessed(self) -> None:
        """Wait until the newest record stands in a witnessed checkpoint."""
        runtime = self.stage.runtime
        with runtime.ledger.read() as conn:
            newest = newest_h(conn)
        if newest is None or wait_witnessed(runtime, newest, _PATIENCE_S) is None:
            raise TooSlow("the newest record was not witnessed")


def at_once(acts: Sequence[Callable[[], None]]) -> None:
    """Do several things at the same time, as several people do; the first failure is raised."""
    with ThreadPoolExecutor(max_workers=max(1, len(acts))) as pool:
        for done in [pool.submit(act) for act in acts]:
            done.result()


def write_secret(path: Path, text: str) -> Path:
    """Write what only its owner may read."""
    path.touch(mode=0o600)
    path.write_text(text)
    return path
