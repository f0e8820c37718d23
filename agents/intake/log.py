"""The intake's own log: the format and the files of the platform's (AL1), one entry for each envelope."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Final

from agents.intake.state import IntakeState, Row
from trading.audit.files import LogProofs
from trading.audit.rules.policy import Policy
from trading.audit.rules.proof import ReceiptState, build_receipt
from trading.audit.rules.tiles import TILE_WIDTH, Tile, parse_bundle
from trading.audit.sequencer.client import clients_of
from trading.audit.sequencer.loading import entries_from, load
from trading.audit.sequencer.witnessing import WitnessLoop
from trading.audit.sequencer.writer import Hook, LogFiles, LogSigner
from trading.kernel.clock import Clock
from trading.kernel.errors import IntegrityFailure
from trading.storage.head import HeadStore
from trading.storage.tiles import CHECKPOINT, TileStore
from trading.storage.wal import WriteAheadLog

_LOOK_S: Final = 0.02


def _no_hook(_step: str) -> None:
    """Do nothing: the steps matter to tests alone."""


class IntakeLog:
    """The one writer of this log, with its witnesses. Safe to call from many threads."""

    def __init__(
        self,
        directory: Path,
        signer: LogSigner,
        state: IntakeState,
        policy: Policy,
        clock: Clock,
        hook: Hook = _no_hook,
    ) -> None:
        """Read the log, adopt what a crash left whole, and begin to show it to the witnesses.

        Raises:
            IntegrityFailure: Log and memory do not belong together.
            Conflict: Another process holds this log.
        """
        self.files = LogFiles(
            wal=WriteAheadLog(directory / "wal"),
            head=HeadStore(directory / "head"),
            tiles=TileStore(directory / "tiles"),
        )
        self._state = state
        self._clock = clock
        self._lock = Lock()
        self._failed = False
        self._proofs = LogProofs(self.files.tiles)
        try:
            self._writer, tail = load(self.files, signer, hook)
            for frame in tail:  # nothing of them was answered, but their rows are there
                self._writer.adopt(frame)
            self._settle()
        except BaseException:
            self.files.wal.close()
            raise
        self._witnesses = WitnessLoop(policy, clients_of(policy), self.files.tiles, clock)
        self._witnesses.start()
        if self._writer.head is not None:
            self._announce()

    def _settle(self) -> None:
        """Give the rows of a process that died their places, and forget what never got one."""
        end = self._state.end()
        if end > self._writer.size:
            raise IntegrityFailure(f"{end} envelopes are known, the log has {self._writer.size}: it was set back")
        for entry in entries_from(self._writer, end) if end < self._writer.size else ():
            self._state.place(entry.h, entry.n)
        self._state.forget_unplaced()

    def _announce(self) -> None:
        signed = self._writer.sign_head()
        self._writer.publish(signed)
        self._witnesses.offer(signed)

    def append(self, row: Row) -> int:
        """Log an envelope and return its place; its row is durable first, and placed before anybody hears of it."""
        with self._lock:
            if self._failed:
                raise IntegrityFailure("an entry could not be written; start the intake again")
            self._failed = True  # until all of it is done: what broke off half way is settled at the next start
            self._state.add(row)
            n = self._writer.size
            _, signed = self._writer.append([row.h], max(row.received_at, self._clock.now_ms()))
            self._state.place(row.h, n)
            self._writer.publish(signed)
            self._witnesses.offer(signed)
            self._failed = False
        return n

    def wait_witnessed(self, n: int, seconds: float, monotonic: Callable[[], float] = time.monotonic) -> bool:
        """Wait until a quorum has cosigned a tree with entry ``n``, or the time is up; return whether it has."""
        ends, is_known = monotonic() + seconds, self._first_witnessed(n) is not None
        while not is_known and monotonic() < ends:
            time.sleep(_LOOK_S)
            latest = self._witnesses.latest
            is_known = latest is not None and latest.size > n
        return is_known

    def receipt(self, row: Row) -> tuple[bytes, ReceiptState]:
        """Return the best receipt of an envelope: by the first checkpoint with it that a quorum has cosigned."""
        n = row.n
        if n is None:
            raise ValueError("an envelope without a place has no receipt")
        found = self._first_witnessed(n)
        with self._lock:
            size = found[0] if found else self._writer.size
            note = found[1] if found else self.files.tiles.read(CHECKPOINT)
            path = self._proofs.inclusion(n, size)
        if note is None:
            raise IntegrityFailure("the log has no checkpoint")
        receipt = build_receipt(self._entry(n, size), row.nonce, row.record, path, note)
        return receipt.encode(), ReceiptState.WITNESSED if found else ReceiptState.LOGGED

    def _first_witnessed(self, n: int) -> tuple[int, bytes] | None:
        for size, path in self.files.tiles.notes():
            if size > n and (note := self.files.tiles.read(path)) is not None:
                return size, note
        return None

    def _entry(self, n: int, size: int) -> bytes:
        index, offset = divmod(n, TILE_WIDTH)
        tiles, whole = self.files.tiles, Tile(None, index, TILE_WIDTH).path
        width = min(TILE_WIDTH, size - index * TILE_WIDTH)
        data = tiles.read(Tile(None, index, width).path) or tiles.read(whole) or tiles.read_wider(whole, offset + 1)
        if data is None:
            raise IntegrityFailure(f"the entry bundle {index} is missing")
        return parse_bundle(data)[offset]

    def close(self) -> None:
        """End; the log may be taken by another process."""
        self._witnesses.stop()
        self.files.wal.close()
