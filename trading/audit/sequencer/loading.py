"""The log as it lies on disk, read again at the start of its one writer (L5.3 steps 1 to 3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from trading.audit.rules.chain import Entry, parse_entry
from trading.audit.rules.tiles import TILE_WIDTH, GrowingTree, Tile, parse_bundle, split_hashes
from trading.audit.sequencer.writer import Hook, LogFiles, LogSigner, LogWriter
from trading.kernel.errors import IntegrityFailure, InvalidInput
from trading.storage.head import Head
from trading.storage.wal import Frame

_REBUILD_ENTRIES: Final = 65_536  # entries between two writings of tiles while all of them are rebuilt


def load(files: LogFiles, signer: LogSigner, hook: Hook) -> tuple[LogWriter, list[Frame]]:
    """Rebuild the writer at the stored head and return it with the whole frames that lie beyond (L5.3 steps 1 to 3).

    The last tiles are recomputed from the write-ahead log; if that does not lead to the head, all of them are. The head
    is written again: the process before us may have ended before its rename was durable.

    Raises:
        IntegrityFailure: Write-ahead log and head do not belong together.
    """
    head = files.head.read()
    if head is not None and head.origin != signer.origin:
        raise IntegrityFailure(f"the head belongs to {head.origin}, this sequencer to {signer.origin}")
    files.tiles.begin()
    if head is not None:
        files.head.swap(head, head)
    size = 0 if head is None else head.size
    base = max(0, size - 1) // TILE_WIDTH * TILE_WIDTH  # one entry at least is read again: it holds the last t
    if base:
        try:
            return _from_base(files, signer, hook, base, head)
        except (InvalidInput, IntegrityFailure):
            pass  # tiles are not synced: after a power cut they may be stale or missing, and all are rebuilt
    return _from_base(files, signer, hook, 0, head)


def _from_base(
    files: LogFiles, signer: LogSigner, hook: Hook, base: int, head: Head | None
) -> tuple[LogWriter, list[Frame]]:
    writer = LogWriter(files, signer, hook)
    if base:
        writer.tree = GrowingTree.load(base, files.tiles.read)
        last = files.tiles.read(Tile(0, base // TILE_WIDTH - 1).path)
        writer.previous = split_hashes(last or b"", TILE_WIDTH)[-1]
    last_frame, tail = _replay(writer, 0 if head is None else head.size)
    if head is not None and writer.tree.root() != head.root:
        raise IntegrityFailure(f"the write-ahead log does not lead to the root of the head at size {head.size}")
    writer.head = head
    writer.write_tiles()
    files.wal.cut(tail[-1] if tail else last_frame)
    return writer, tail


def _replay(writer: LogWriter, size: int) -> tuple[Frame | None, list[Frame]]:
    """Extend the writer from the write-ahead log to ``size``; return the last frame used and those beyond."""
    base, written = writer.size, writer.size
    last: Frame | None = None
    tail: list[Frame] = []
    for frame in writer.files.wal.frames(base):
        if frame.first >= size:
            tail.append(frame)
            continue
        entries = parse_bundle(frame.payload, frame.count)
        try:
            writer.extend(entries[max(0, base - frame.first) :])
        except InvalidInput as error:
            raise IntegrityFailure(f"{frame.segment}: {error}") from error
        last = frame
        if writer.size - written >= _REBUILD_ENTRIES:
            writer.write_tiles()
            written = writer.size
    if writer.size != size:
        raise IntegrityFailure(f"the write-ahead log leads to size {writer.size}, the head stands at {size}")
    return last, tail


def entries_from(writer: LogWriter, n: int) -> Iterator[Entry]:
    """Yield the entries of the write-ahead log from index ``n`` on, those beyond the head included."""
    for frame in writer.files.wal.frames(n):
        for data in parse_bundle(frame.payload, frame.count):
            entry = parse_entry(data)
            if entry.n >= n:
                yield entry
