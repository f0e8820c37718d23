"""What lives of programs that write do: a sequencer logs what waits, an object store is given objects."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

import psycopg
from typing_extensions import override

from tests.support.lives import Gate
from tests.support.logs import LOG_SEED
from tests.support.polling import eventually
from trading.audit.rules.cover import SETTLE_S, Rate
from trading.audit.rules.policy import parse_policy
from trading.audit.sequencer.command import open_files
from trading.audit.sequencer.loop import Options, Sequencer
from trading.audit.sequencer.publishing import PublicHead, Publisher
from trading.audit.sequencer.queue import AuditQueue
from trading.audit.sequencer.writer import LogSigner
from trading.kernel.clock import FixedClock
from trading.kernel.errors import MingbiaoError
from trading.storage import wal
from trading.storage.local import LocalStore

REFUSED: Final = 3  # exit code of a life that an error ended
FAILED: Final = "not stored"
TOLD: Final = Path("/told")  # there is no such folder; unlinking in it marks the moment at which a promise was made

COVER: Final = Rate(quantum=86, window_s=1.0)  # three windows for a few more entries than a tile

# The next heartbeat comes after the end of a life, unless the witnesses were slow to answer the first one.
QUIET: Final = Options(interval_s=0.005, heartbeat_s=3.0, retry_s=0.02)

Variant = Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPlace:
    """Where a sequencer works. ``segment_bytes`` closes a segment of the write-ahead log early."""

    conninfo: str
    log_dir: Path
    origin: str
    policy: str
    now_ms: int
    segment_bytes: int = wal.SEGMENT_BYTES
    size: int = 0  # of the log, where it does not grow any more


def nothing(gate: Gate) -> None:
    """Wait until this thread is watched."""
    gate.wait()


def log_everything(gate: Gate, place: LogPlace, variant: Variant | None = None) -> None:
    """Log what waits and have it witnessed; the main thread is watched."""
    _prepare(place, variant)
    gate.wait()
    _run(place, _log)


def log_more(gate: Gate, place: LogPlace, variant: Variant | None = None) -> None:
    """Log what waits and have it witnessed; the main thread is watched once it has started."""

    def act(sequencer: Sequencer) -> None:
        sequencer.start()
        gate.wait()
        _log_waiting(sequencer)

    _prepare(place, variant)
    _run(place, act)


def begin(gate: Gate, place: LogPlace, variant: Variant | None = None) -> None:
    """Only start; the main thread is watched."""
    _prepare(place, variant)
    gate.wait()
    _run(place, Sequencer.start)


def witness_everything(gate: Gate, place: LogPlace, variant: Variant | None = None) -> None:
    """Log what waits and have it witnessed; the thread that talks to the witnesses is watched."""

    def act(sequencer: Sequencer) -> None:
        loop = sequencer._witnesses
        run = loop._run

        def watched() -> None:
            gate.wait()
            run()

        loop._thread = threading.Thread(target=watched, daemon=True)
        _log(sequencer)

    _prepare(place, variant)
    _run(place, act)


def publish_everything(gate: Gate, place: LogPlace, variant: Variant | None = None) -> None:
    """Move the public head over what is logged, window by window; the main thread is watched."""
    _prepare(place, variant)
    gate.wait()
    try:
        files = open_files(place.log_dir)
        with closing(files.wal):
            _publish(PublicHead(files.tiles, LogSigner(place.origin, LOG_SEED)), place.size)
    except (MingbiaoError, OSError) as error:
        sys.stderr.write(f"the sequencer stops: {error}\n")
        sys.exit(REFUSED)


class _NoPads(AuditQueue):
    """The queue of a publisher that has entries enough: it needs no pads, and says nothing about its rate."""

    def __init__(self) -> None: ...

    @override
    def pad(self, count: int) -> list[int]:
        del count
        return []


def _publish(head: PublicHead, size: int) -> None:
    head_at = head.size(size)
    now = 0.0
    publisher = Publisher(COVER, head, _NoPads(), size=size, public=head_at, monotonic=lambda: now)
    for _ in range(size // COVER.quantum + 1):
        now += COVER.window_s + SETTLE_S
        publisher.keep(size)


def _prepare(place: LogPlace, variant: Variant | None) -> None:
    wal.SEGMENT_BYTES = place.segment_bytes  # type: ignore[misc]  # in this process alone
    if variant is not None:
        variant()


def _log(sequencer: Sequencer) -> None:
    sequencer.start()
    _log_waiting(sequencer)


def _log_waiting(sequencer: Sequencer) -> None:
    while sequencer.step():
        pass
    witnesses, size = sequencer._witnesses, sequencer._writer.size
    eventually(lambda: witnesses.failure or (witnesses.latest is not None and witnesses.latest.size == size))
    sequencer.step()


def _run(place: LogPlace, act: Callable[[Sequencer], None]) -> None:
    """Do what ``mingbiao sequencer`` does, and end as it does when the disk lets it down."""
    try:
        sequencer = Sequencer(
            conninfo=place.conninfo,
            files=open_files(place.log_dir),
            signer=LogSigner(place.origin, LOG_SEED),
            policy=parse_policy(place.policy),
            clock=FixedClock(place.now_ms),
            options=QUIET,
        )
        with closing(sequencer):
            act(sequencer)
    except (MingbiaoError, OSError, psycopg.Error) as error:
        sys.stderr.write(f"the sequencer stops: {error}\n")
        sys.exit(REFUSED)


def store_everything(gate: Gate, root: Path, contents: list[bytes], variant: Variant | None = None) -> None:
    """Give a store these contents one after the other; say the digest of each, or that it was not stored."""
    if variant is not None:
        variant()
    gate.wait()
    try:
        store = LocalStore(root)
    except OSError:
        sys.exit(REFUSED)
    for data in contents:
        try:
            digest, _ = store.put_stream(BytesIO(data))
        except OSError:
            gate.say(FAILED)
        else:
            (TOLD / digest).unlink(missing_ok=True)
            gate.say(digest)


def store_pieces(gate: Gate, root: Path, contents: list[bytes], variant: Variant | None = None) -> None:
    """Give a store these pieces of one upload; say the name of each when it counts."""
    if variant is not None:
        variant()
    store = LocalStore(root)
    gate.wait()
    for data in contents:
        name, _ = store.pieces.put("u1", BytesIO(data))
        (TOLD / name).unlink(missing_ok=True)
        gate.say(name)
