"""Start of the sequencer: settle what a crash left in the log, and compare it with the database (L5.2, L5.3).

Nothing is signed here. Whatever a crash cannot explain raises ``IntegrityFailure``: the log stays read-only and a
person decides, because continuing could fork it.
"""

from __future__ import annotations

from trading.audit.rules.chain import check_chain, parse_entry
from trading.audit.rules.tiles import TILE_WIDTH, parse_bundle
from trading.audit.sequencer.loading import entries_from
from trading.audit.sequencer.queue import AuditQueue
from trading.audit.sequencer.writer import LogWriter, entry_time
from trading.kernel.errors import IntegrityFailure, InvalidInput
from trading.storage.wal import Frame


def settle(writer: LogWriter, queue: AuditQueue, tail: list[Frame]) -> list[Frame]:
    """Compare with the database, complete its positions, cut what is not to be adopted (L5.3 steps 3 and 4).

    Returns:
        The frames beyond the head that the caller adopts once the witnesses have been asked.

    Raises:
        IntegrityFailure: Database or log was set back: entries without records, or positions beyond the head.
    """
    end = queue.end()
    if end > writer.size:
        raise IntegrityFailure(
            f"the database knows {end} positions, the log has {writer.size} entries: the log was set back"
        )
    _compare(writer, queue, end)
    complete(writer, queue)
    adopted = _adoptable(writer, queue, tail)
    if len(adopted) < len(tail):
        writer.files.wal.cut(adopted[-1] if adopted else _last_frame(writer))
    return adopted


def _compare(writer: LogWriter, queue: AuditQueue, end: int) -> None:
    """Compare the newest positions with the write-ahead log; ``fsck`` compares all of them."""
    first = max(0, end - TILE_WIDTH)
    stored = dict(queue.placed(first))
    for entry in entries_from(writer, first):
        if entry.n < end and stored.get(entry.n) != entry.h:
            raise IntegrityFailure(f"position {entry.n} of the database is not entry {entry.n} of the log")


def complete(writer: LogWriter, queue: AuditQueue) -> None:
    """Write the positions that are missing up to the size of the log: a crash before B9 left them out.

    Raises:
        IntegrityFailure: An entry of the log has no record in the database.
    """
    end = queue.end()
    if end == writer.size:
        return
    missing = [entry for entry in entries_from(writer, end) if entry.n < writer.size]
    rows = queue.find([entry.h for entry in missing])
    for entry in missing:
        if entry.h not in rows:
            raise IntegrityFailure(
                f"entry {entry.n} of the log has no record: the database was set back. Restore the records first."
            )
    ids = [rows[entry.h] for entry in missing]
    queue.place(end, ids, [entry.p for entry in missing], [entry.t for entry in missing])


def _adoptable(writer: LogWriter, queue: AuditQueue, tail: list[Frame]) -> list[Frame]:
    """Return the frames that were complete when the process died: they chain on, and every entry still waits (L5.2)."""
    adopted: list[Frame] = []
    previous, t, size = writer.previous, writer.t, writer.size
    for frame in tail:
        entries = parse_bundle(frame.payload, frame.count)
        try:
            previous = check_chain(entries, first=size, previous=previous, t=t)
        except InvalidInput:
            break
        waiting = queue.find([parse_entry(data).h for data in entries], unsequenced=True)
        if len(waiting) != len(entries):
            break
        adopted.append(frame)
        size, t = size + frame.count, entry_time(entries[-1])
    return adopted


def _last_frame(writer: LogWriter) -> Frame | None:
    last = None
    if writer.size:
        for frame in writer.files.wal.frames(writer.size - 1):
            if frame.first < writer.size:
                last = frame
    return last
