"""Proofs for bundles and jobs: receipts against one witnessed note, consistency with older sizes (AL1 L8.2, L12.1).

A log that continues another one proves its own records by its own note, those of the earlier log by the final
checkpoint of that one, and the step between them by entry 0, ``log.continued``. Files of the earlier log have the names
that they would have in its own bundle, below ``before/`` (ADR 0047).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from trading.audit import queries
from trading.audit.queries import LoggedRecord
from trading.audit.rules.chain import entry_bytes
from trading.audit.rules.note import Checkpoint, parse_checkpoint_text, parse_note
from trading.audit.rules.proof import BEFORE, build_receipt
from trading.audit.service import LogReader, WitnessedNote
from trading.audit.tables import log_position
from trading.kernel.encoding import b64
from trading.kernel.errors import IntegrityFailure


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPart:
    """One of the logs that a bundle speaks of: where its files lie in the bundle, and the note that proves them.

    It covers the places from ``base`` to ``base + size − 1``.
    """

    prefix: str
    log: LogReader
    note: bytes
    size: int

    @property
    def base(self) -> int:
        """Return the place of its first entry."""
        return self.log.base

    @property
    def origin(self) -> str:
        """Return the name of the log."""
        return parse_checkpoint_text(parse_note(self.note).text).origin

    def holds(self, n: int) -> bool:
        """Whether the note covers place ``n``."""
        return self.base <= n < self.base + self.size

    def own(self, records: Iterable[LoggedRecord]) -> list[LoggedRecord]:
        """Return those records that this log proves."""
        return [each for each in records if self.holds(each.n)]

    def proof(self, record: LoggedRecord) -> bytes:
        """Return the receipt of a record that this log holds.

        Raises:
            IntegrityFailure: The stored record does not open its entry.
        """
        n = record.n - self.base
        entry = entry_bytes(record.h, n, record.p, record.t)
        path = self.log.proofs.inclusion(n, self.size)
        try:
            return build_receipt(entry, record.nonce, record.record, path, self.note).encode()
        except ValueError as error:
            raise IntegrityFailure(str(error)) from error


def log_parts(conn: Connection, log: LogReader, note: WitnessedNote) -> list[LogPart]:
    """Return the log of ``note`` and those that it continues, the newest first; nearly always one."""
    found = [LogPart(prefix="", log=log, note=note.note, size=note.own_size)]
    closed = queries.closed_logs(conn) if log.before is not None else []
    while (before := found[-1].log.before) is not None:
        last = closed.pop()
        if last.base != before.base:
            raise IntegrityFailure(f"{last.origin} begins at {last.base} in the database and at {before.base} in files")
        prefix = found[-1].prefix + BEFORE
        found.append(LogPart(prefix=prefix, log=before, note=last.checkpoint, size=last.size))
    return found


def continuations(conn: Connection, parts: Sequence[LogPart]) -> list[LoggedRecord]:
    """Return the records by which the later logs begin, ``log.continued``."""
    firsts = [part.base for part in parts if part.log.before is not None]
    return queries.logged(conn, log_position.c.n.in_(firsts)) if firsts else []


def place_of(parts: Sequence[LogPart], checkpoint: Checkpoint) -> int:
    """Return the size of a checkpoint, counted through all logs; one of an unknown log counts as the newest's."""
    return next((part.base for part in parts if part.origin == checkpoint.origin), parts[0].base) + checkpoint.size


def proof_files(conn: Connection, parts: Sequence[LogPart], records: Sequence[LoggedRecord]) -> dict[str, bytes]:
    """Return ``log/<n>.tlog-proof`` of every record under the note of its log, and what leads to earlier logs.

    Raises:
        IntegrityFailure: A stored record does not open its entry.
    """
    wanted = {each.n: each for each in (*records, *continuations(conn, parts))}
    files = {f"{part.prefix}checkpoint": part.note for part in parts if part.prefix}
    for part in parts:
        for record in part.own(wanted.values()):
            files[f"{part.prefix}log/{record.n - part.base}.tlog-proof"] = part.proof(record)
    return files


def is_covered(note: WitnessedNote, records: Iterable[LoggedRecord]) -> bool:
    """Return whether every record is in the note's tree, or in that of a log before it."""
    return all(record.n < note.size for record in records)


def seen_files(parts: Sequence[LogPart], places: Iterable[int]) -> dict[str, bytes]:
    """Return the consistency proofs from older checkpoints to the note of their log, where its files lie.

    ``places`` are their sizes, counted through all logs; where one log ends and the next begins nothing is to prove.
    """
    files: dict[str, bytes] = {}
    for part in parts:
        sizes = [place - part.base for place in places if part.base < place <= part.base + part.size]
        for path, data in consistency_files(part.log, sizes, part.size).items():
            files[part.prefix + path] = data
    return files


def continuation_proofs(conn: Connection, parts: Sequence[LogPart]) -> list[bytes]:
    """Return the receipt of each ``log.continued`` under the note of its log, the newest first.

    Raises:
        IntegrityFailure: A stored record does not open its entry.
    """
    records = continuations(conn, parts)
    return [part.proof(record) for part in parts if part.log.before is not None for record in part.own(records)]


def consistency_files(log: LogReader, sizes: Iterable[int], size: int) -> dict[str, bytes]:
    """Return ``consistency/<m>-<size>`` for each smaller size m; an empty tree and the same size need none.

    Sizes are those of this log alone.
    """
    return {
        f"consistency/{old}-{size}": "".join(b64(item) + "\n" for item in log.proofs.consistency(old, size)).encode()
        for old in sorted(set(sizes))
        if 0 < old < size
    }
