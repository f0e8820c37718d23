"""The sequencer: drains the queue batch by batch into the log (AL1 L5.1), and starts only after an audit (L5.3).

Three locks keep a second one away: an advisory lock on its database connection, ``flock`` on the write-ahead log, the
head's compare-and-swap. If it cannot explain what it finds, it stops and the log stays read-only.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from trading.audit.files import LogProofs
from trading.audit.rules.chain import parse_entry
from trading.audit.rules.cover import Rate
from trading.audit.rules.note import parse_checkpoint_text, parse_note
from trading.audit.rules.policy import Policy
from trading.audit.sequencer import loading, recovery
from trading.audit.sequencer.client import WitnessClient, clients_of
from trading.audit.sequencer.interview import ask_all, interview
from trading.audit.sequencer.publishing import PublicHead, Publisher
from trading.audit.sequencer.queue import AuditQueue
from trading.audit.sequencer.witnessing import MISSED_S, WitnessLoop
from trading.audit.sequencer.writer import Hook, LogFiles, LogSigner, LogWriter, SignedHead
from trading.kernel.clock import Clock
from trading.kernel.errors import Conflict, IntegrityFailure
from trading.kernel.events import Event
from trading.storage.tiles import CHECKPOINT
from trading.storage.wal import Frame

INTERVAL_S: Final = 0.05
BATCH: Final = 5_000
MAX_BACKWARD_MS: Final = 2_000
DELAY_MS: Final = 5_000
HOST: Final = "sequencer"
_RETRY_S: Final = 1.0
_EARLY_MS, _LATE_MS = 2_000, 1_000  # how far cosignature times may lie from a healthy clock (TE1 T5 step 3)
_log = logging.getLogger("mingbiao.sequencer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Parameters of L5.5."""

    interval_s: float = INTERVAL_S
    batch: int = BATCH
    heartbeat_s: float = 1.0
    retry_s: float = _RETRY_S
    missed_s: float = MISSED_S
    lock_s: float = 10.0
    cover: Rate | None = None  # how the public head grows; without it there is none


def _no_hook(_step: str) -> None:
    """Do nothing: the steps matter to tests alone."""


class Sequencer:
    """One running sequencer. ``start`` audits and may refuse; ``step`` logs one batch; ``close`` lets go."""

    def __init__(
        self,
        *,
        conninfo: str,
        files: LogFiles,
        signer: LogSigner,
        policy: Policy,
        clock: Clock,
        options: Options | None = None,
        hook: Hook = _no_hook,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._options = options or Options()
        self._files = files
        self._signer = signer
        self._policy = policy
        self._clock = clock
        self._hook = hook
        self._stop = threading.Event()
        self._delayed_from: int | None = None
        self._behind = True  # the queue may have waited long before this start
        self._drained_at = time.monotonic()
        self._queue = AuditQueue(conninfo, patience_s=self._options.lock_s)
        self._clients = clients_of(policy)
        self._witnesses = WitnessLoop(
            policy,
            self._clients,
            files.tiles,
            clock,
            heartbeat_s=self._options.heartbeat_s,
            missed_s=self._options.missed_s,
        )
        self._writer = LogWriter(files, signer, hook)
        self._is_held = False
        self._monotonic = monotonic
        self._public = PublicHead(files.tiles, signer)
        self._publisher: Publisher | None = None

    def stop(self) -> None:
        """Ask the loop to end after the present batch; may be called from a signal handler."""
        self._stop.set()

    def start(self) -> None:
        """Audit log, database and witnesses, adopt what a crash left, and get ready to sign (L5.3).

        Raises:
            IntegrityFailure: Something was set back or forked; nothing has been signed.
        """
        if (origin := self._queue.origin()) != self._signer.origin:
            raise IntegrityFailure(f"the database belongs to {origin}, the key to {self._signer.origin}")
        if self._signer.key not in self._policy.log_keys(origin):
            raise IntegrityFailure("the log key is not the one that the witness policy names")
        self._writer, tail = loading.load(self._files, self._signer, self._hook)
        adopted = recovery.settle(self._writer, self._queue, tail)
        self._wait_for_witnesses()
        cover = self._options.cover
        public = 0 if cover is None else self._public.size(self._writer.size)
        self._is_held = self._queue.is_held(HOST)
        for frame in adopted:
            self._adopt(frame)
        if self._writer.head is not None:
            self._announce(self._writer.sign_head())
        elif self._queue.base:
            self._begin_continued()
        if cover is not None:
            size, monotonic = self._writer.size, self._monotonic
            self._publisher = Publisher(cover, self._public, self._queue, size=size, public=public, monotonic=monotonic)
        self._witnesses.start()

    def run(self) -> None:
        """Log batch after batch until ``stop`` is called.

        Raises:
            IntegrityFailure: A witness knows more than we do, the clock went back, or a file changed under us.
        """
        while not self._stop.is_set():
            began = time.monotonic()
            if not self.step():
                self._stop.wait(max(0.0, began + self._options.interval_s - time.monotonic()))

    def close(self) -> None:
        """Let go of witnesses, write-ahead log and database."""
        self._witnesses.stop()
        self._files.wal.close()
        self._queue.close()

    def step(self) -> bool:
        """Log what is waiting; return whether the batch was full, so that the next one follows at once."""
        if self._witnesses.failure is not None:
            raise self._witnesses.failure
        rows = self._queue.drain(self._options.batch)
        self._hook("B1")
        if rows:
            self._log_batch(rows)
        if self._publisher is not None:
            self._publisher.keep(self._writer.size)
        is_full = len(rows) == self._options.batch
        self._note_delay(is_full=is_full)
        self._record_events()
        self._drained_at = time.monotonic()
        return is_full

    def _begin_continued(self) -> None:
        """Log ``log.continued`` alone, before all that has waited longer: it is entry 0 (L13)."""
        row = self._queue.continuation()
        if row is None:
            raise IntegrityFailure("this log continues another one, and no log.continued is queued")
        self._log_batch([row])

    def _log_batch(self, rows: list[tuple[int, bytes]]) -> None:
        self._queue.barrier()
        self._hook("B2")
        self._watch_age(rows[0][0])
        now = self._clock.now_ms()
        self._require_forward(now)
        first = self._writer.size
        entries, signed = self._writer.append([h for _, h in rows], now)
        self._place(first, [row_id for row_id, _ in rows], entries)
        self._hook("B9")
        inside = []
        if self._publisher is not None:
            self._publisher.logged([row_id for row_id, _ in rows])
            inside = self._publisher.inside(first, self._writer.size)
        self._announce(signed, inside)
        self._hook("B10")

    def _place(self, first: int, ids: list[int], entries: list[bytes]) -> None:
        parsed = [parse_entry(data) for data in entries]
        self._queue.place(first, ids, [entry.p for entry in parsed], [entry.t for entry in parsed])

    def _adopt(self, frame: Frame) -> None:
        """Take in a frame that was complete when the process died (L5.2)."""
        signed = self._writer.adopt(frame)
        recovery.complete(self._writer, self._queue)
        self._announce(signed)

    def _announce(self, signed: SignedHead, inside: Sequence[SignedHead] = ()) -> None:
        """Store the newest head and show it to the witnesses, after those that the public will see one day."""
        self._writer.publish(signed)
        self._witnesses.offer(signed, inside)

    def _require_forward(self, now: int) -> None:
        """Stop when the clock has gone back by more than 2 s: a hold, not a silent wait (L5.4)."""
        if now < self._writer.t - MAX_BACKWARD_MS:
            behind = self._writer.t - now
            if not self._is_held:
                reason = f"clock is {behind} ms behind the last entry"
                self._queue.record(
                    Event(kind="clock.hold", subject=f"host:{HOST}", body={"host": HOST, "reason": reason})
                )
            raise IntegrityFailure(f"the clock of this host is {behind} ms behind the last entry; nothing is logged")

    def _watch_age(self, entry_id: int) -> None:
        """Notice that entries have waited for more than 5 s; only then is the age of a queue worth a query."""
        if self._delayed_from is None and (self._behind or time.monotonic() - self._drained_at > DELAY_MS / 1000):
            at = self._queue.at_of(entry_id)
            if at is not None and self._clock.now_ms() - at > DELAY_MS:
                self._delayed_from = at

    def _note_delay(self, *, is_full: bool) -> None:
        """When the queue is short again, record from when to when entries were delayed (L5.5, TE1 T11 TE-06)."""
        self._behind = is_full
        if self._delayed_from is not None and not is_full:
            body = {"from": self._delayed_from, "to": self._clock.now_ms()}
            self._queue.record(Event(kind="log.delayed", subject="log", body=body))
            self._delayed_from = None

    def _record_events(self) -> None:
        while not self._witnesses.events.empty():
            self._queue.record(self._witnesses.events.get())
        if self._is_held and (latest := self._witnesses.latest) is not None:
            now = self._clock.now_ms()
            if all(now - _EARLY_MS - 1000 <= 1000 * t <= now + _LATE_MS for t in latest.times.values()):
                body = {"host": HOST, "size": latest.size}
                self._queue.record(Event(kind="clock.released", subject=f"host:{HOST}", body=body))
                self._is_held = False

    def _wait_for_witnesses(self) -> None:
        """Ask every witness what it knows; without a quorum of answers wait, and sign nothing (L5.3 step 5)."""
        head, stored = self._writer.head, self._files.tiles.read(CHECKPOINT)
        size = 0 if head is None else head.size
        # The file is not synced, and after a power cut it may be empty: then it tells nothing, and the witnesses do.
        note = parse_note(stored) if stored and stored.strip(b"\0") else None
        proofs = LogProofs(self._files.tiles)
        if note is not None:
            known = parse_checkpoint_text(note.text)
            if known.size > size or proofs.root(known.size, size) != known.root:
                raise IntegrityFailure(
                    f"the stored checkpoint of size {known.size} is not of this log: it was set back"
                )

        def ask(client: WitnessClient) -> None:
            interview(client, self._signer.origin, size, note, proofs)

        while not ask_all(self._policy, self._clients, ask, self._stop.is_set):
            if self._stop.wait(self._options.retry_s):
                raise Conflict("stopped before a quorum of witnesses answered")
            _log.warning("fewer than a quorum of witnesses answer; nothing is signed yet")
