"""A log with a public head that a test moves on window by window, and the application over it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from flask import Flask

from tests.support.databases import Server, clone
from tests.support.feeds import Crawler, feed_app, written
from tests.support.logs import FAST, LogWorld
from trading.audit.ledger import Ledger
from trading.audit.queries import entry_by_h
from trading.audit.rules.cover import Rate
from trading.audit.rules.note import parse_checkpoint_text, parse_note
from trading.audit.sequencer.loop import Sequencer
from trading.storage.tiles import CHECKPOINT, PUBLIC

QUANTUM, WINDOW_S = 8, 10.0


@dataclass
class CoveredLog:
    """The parts of it; nothing is logged and no head moves but by these methods."""

    log: LogWorld
    sequencer: Sequencer
    ledger: Ledger
    app: Flask
    time: dict[str, float]

    def logged(self) -> None:
        """Log what waits; the public head stays."""
        self.sequencer.step()

    def window(self) -> int:
        """Let a window pass and return the size of the public head."""
        self.time["now"] += WINDOW_S
        self.sequencer.step()
        self.time["now"] += 1.0
        self.sequencer.step()
        self.time["now"] -= 1.0
        return self.size(f"{PUBLIC}/{CHECKPOINT}")

    def passed(self, h: str) -> int:
        """Let windows pass until the public head is above the entry with this commitment; return the head's size.

        Pads come at random moments, so nobody can say how many windows that takes.
        """
        self.logged()
        with self.ledger.read() as conn:
            entry = entry_by_h(conn, bytes.fromhex(h))
        assert entry is not None
        assert entry.position is not None
        while (size := self.window()) <= entry.position.n:
            pass
        return size

    def size(self, path: str) -> int:
        data = self.log.tiles.read(path)
        return 0 if data is None else parse_checkpoint_text(parse_note(data).text).size

    def write(self, kind: str, procedure_id: int = 1, **body: object) -> str:
        return written(self.ledger, kind, procedure_id, **body)

    def crawler(self, limit: int = 100) -> Crawler:
        return Crawler(self.app.test_client(), limit)

    def told(self, limit: int = 100) -> list[str]:
        return [each["h"] for each in self.crawler(limit).new()]


@contextmanager
def covered_log(server: Server, directory: Path) -> Iterator[CoveredLog]:
    """Yield a fresh one; its application is that of production."""
    time = {"now": 100.0}
    with clone(server) as database:
        log = LogWorld(database, directory)
        try:
            options = replace(FAST, cover=Rate(quantum=QUANTUM, window_s=WINDOW_S))
            with log.sequencer(options=options, monotonic=lambda: time["now"]) as sequencer:
                sequencer.start()
                app = feed_app(database, log.log_dir / "tiles", directory, demo=False, policy=log.policy_text)
                yield CoveredLog(log, sequencer, app.extensions["runtime"].ledger, app, time)
        finally:
            log.close()
