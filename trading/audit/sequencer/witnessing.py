"""The witness loop: shows every newest head to all witnesses and keeps the notes a quorum has cosigned (AL1 L7.3).

It runs in its own thread and never blocks batching: while one round runs, newer heads wait and only the newest is shown
next. A witness that does not answer is left out of the following rounds until it does.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Final, TypeAlias

from trading.audit.files import LogProofs
from trading.audit.rules.cosigning import Cosigned, SizeConflict, verified_cosignatures, with_cosignatures
from trading.audit.rules.note import SignatureLine, VerifierKey
from trading.audit.rules.policy import Policy
from trading.audit.sequencer.client import TIMEOUT_S, WitnessClient, WitnessUnreachable
from trading.audit.sequencer.interview import offer, require_known
from trading.audit.sequencer.writer import SignedHead
from trading.crypto.notes import verify_note_signature
from trading.kernel.clock import Clock
from trading.kernel.errors import InvalidInput
from trading.kernel.events import Event
from trading.storage.tiles import TileStore

HEARTBEAT_S: Final = 1.0
MISSED_S: Final = 60.0
_MOST_BOUNDARIES: Final = 64  # heads of the public that may wait for witnesses
_GRACE_S: Final = 0.1  # once a quorum has cosigned, how long the others may still join this note
_log = logging.getLogger("mingbiao.witnessing")

Lines: TypeAlias = dict[VerifierKey, tuple[SignatureLine, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Witnessed:
    """Result of a round that met the quorum: times in whole seconds by key."""

    size: int
    times: Mapping[VerifierKey, int]


class WitnessLoop:
    """Shows the newest head to all witnesses and keeps the notes that a quorum has cosigned."""

    def __init__(
        self,
        policy: Policy,
        clients: Sequence[WitnessClient],
        tiles: TileStore,
        clock: Clock,
        *,
        heartbeat_s: float = HEARTBEAT_S,
        missed_s: float = MISSED_S,
    ) -> None:
        self.failure: Exception | None = None
        self.events: SimpleQueue[Event] = SimpleQueue()
        self.latest: Witnessed | None = None
        self._policy = policy
        self._clients = clients
        self._tiles = tiles
        self._clock = clock
        self._heartbeat_s = heartbeat_s
        self._proofs = LogProofs(tiles)
        self._changed = threading.Condition()
        self._newest: SignedHead | None = None
        self._boundaries: deque[SignedHead] = deque()
        self._stopped = False
        self._busy: dict[Future[Lines], WitnessClient] = {}
        self._missed_s = missed_s
        self._answered = dict.fromkeys(clients, (time.monotonic(), clock.now_ms()))
        self._reported: set[WitnessClient] = set()
        self._pool = ThreadPoolExecutor(max_workers=max(1, len(clients)), thread_name_prefix="witness")
        self._thread = threading.Thread(target=self._run, name="witness-loop", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the round that is running."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join()
        self._pool.shutdown(wait=True)
        for client in self._clients:
            client.close()

    def offer(self, signed: SignedHead, boundaries: Sequence[SignedHead] = ()) -> None:
        """Make ``signed`` the newest head; smaller boundaries are shown one by one before it (AL1 L6)."""
        with self._changed:
            self._newest = signed
            self._boundaries.extend(boundaries)
            if len(self._boundaries) > _MOST_BOUNDARIES:
                self._boundaries.clear()  # too far behind: skipped boundaries have no cosignatures
            self._changed.notify()

    def _run(self) -> None:
        shown, repeated, due = -1, -1, time.monotonic()
        while (target := self._next(shown, due)) is not None:
            due = time.monotonic() + self._heartbeat_s
            try:
                is_kept = self._round(target)
            except Exception as error:  # noqa: BLE001 - whatever ended this thread must end the process, not go unseen
                self.failure = error
                return
            self._report_missed()
            size = target.checkpoint.size
            if is_kept or repeated == size:
                shown = size
            else:  # once more, when those still asked have answered: a witness never signs a size below one it knows
                repeated = size
                wait(self._busy, TIMEOUT_S)
                self._show_again(target)

    def _show_again(self, target: SignedHead) -> None:
        with self._changed:
            self._boundaries.appendleft(target)

    def _next(self, shown: int, due: float) -> SignedHead | None:
        """Wait for a head larger than ``shown`` or for the heartbeat; return None at the end."""
        with self._changed:
            while not self._stopped:
                while self._boundaries:
                    if (boundary := self._boundaries.popleft()).checkpoint.size > shown:
                        return boundary
                newest = self._newest
                left = due - time.monotonic()
                if newest is not None and (newest.checkpoint.size > shown or left <= 0):
                    return newest
                self._changed.wait(None if newest is None else left)
        return None

    def _round(self, target: SignedHead) -> bool:
        """Show one head to every witness that is free; keep the note if a quorum cosigned it, and return whether."""
        waiting: set[Future[Lines]] = set()
        for client in self._clients:
            if client not in self._busy.values():
                future = self._pool.submit(self._ask, client, target)
                self._busy[future] = client
                waiting.add(future)
        lines: Lines = {}
        end = time.monotonic() + TIMEOUT_S
        has_quorum = False
        while waiting and (left := end - time.monotonic()) > 0:
            done, waiting = wait(waiting, left, FIRST_COMPLETED)
            for future in done:
                lines |= self._collect(future)
            if not has_quorum and self._policy.is_met(lines):
                has_quorum, end = True, min(end, time.monotonic() + _GRACE_S)
        for future in [each for each in self._busy if each.done()]:
            self._collect(future)  # late answers count for the witness, not for this note
        if has_quorum:
            self._keep(target, lines)
        return has_quorum

    def _collect(self, future: Future[Lines]) -> Lines:
        client = self._busy.pop(future, None)
        if client is None:
            return {}
        try:
            lines = future.result()
        except WitnessUnreachable as error:
            _log.debug("witness %s: %s", client.names[0], error)
            return {}
        self._answered[client] = (time.monotonic(), self._clock.now_ms())
        self._reported.discard(client)
        return lines

    def _keep(self, target: SignedHead, lines: Lines) -> None:
        ordered = [lines[key][0] for key in self._policy.witness_keys if key in lines]
        size = target.checkpoint.size
        self._tiles.keep_witnessed(size, with_cosignatures(target.note, ordered).encode())
        self.latest = Witnessed(size=size, times={key: time_s for key, (_, time_s) in lines.items()})

    def _ask(self, client: WitnessClient, target: SignedHead) -> Lines:
        size = target.checkpoint.size
        answer = offer(client, client.known, size, target.note, self._proofs)
        if isinstance(answer, SizeConflict):
            require_known(client, answer.size, size)
            client.known = answer.size
            answer = offer(client, client.known, size, target.note, self._proofs)
        if not isinstance(answer, Cosigned):
            raise WitnessUnreachable(f"no cosignature: {answer}")
        client.known = size
        try:
            return verified_cosignatures(answer.lines, target.checkpoint, client.keys, verify_note_signature)
        except InvalidInput as error:
            raise WitnessUnreachable(str(error)) from error

    def _report_missed(self) -> None:
        """Measure by the monotonic clock: demonstration time may jump by hours between two rounds (P13)."""
        now = time.monotonic()
        for client in self._clients:
            answered, since = self._answered[client]
            if now - answered > self._missed_s and client not in self._reported:
                self._reported.add(client)
                _log.error("witness %s has not answered for %.0f s", client.names[0], now - answered)
                body = {"since": since, "witness": client.names[0]}
                self.events.put(Event(kind="witness.missed", subject=f"witness:{client.names[0]}", body=body))
