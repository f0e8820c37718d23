"""Proofs for bundles and jobs: receipts against one witnessed note, consistency with older sizes (AL1 L8.2, L12.1)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, select

from trading.audit.queries import LoggedRecord
from trading.audit.rules.chain import entry_bytes
from trading.audit.rules.proof import build_receipt
from trading.audit.service import LogReader, WitnessedNote
from trading.audit.tables import log_position
from trading.kernel.encoding import b64
from trading.kernel.errors import IntegrityFailure


def proof_files(
    conn: Connection, log: LogReader, note: WitnessedNote, records: Sequence[LoggedRecord]
) -> dict[str, bytes]:
    """Return ``log/<n>.tlog-proof`` of every record, all against ``note``.

    Raises:
        ValueError: A record is not in the note's tree. The caller asks ``is_covered`` first.
        IntegrityFailure: A stored record does not open its entry.
    """
    wanted = [record.n for record in records]
    query = select(log_position.c.n, log_position.c.p).where(log_position.c.n.in_(wanted))
    previous = {row.n: bytes(row.p) for row in conn.execute(query)}
    return {f"log/{record.n}.tlog-proof": _proof(log, note, record, previous[record.n]) for record in records}


def _proof(log: LogReader, note: WitnessedNote, record: LoggedRecord, previous: bytes) -> bytes:
    entry = entry_bytes(record.h, record.n, previous, record.t)
    path = log.proofs.inclusion(record.n, note.size)
    try:
        return build_receipt(entry, record.nonce, record.record, path, note.note).encode()
    except ValueError as error:
        raise IntegrityFailure(str(error)) from error


def is_covered(note: WitnessedNote, records: Iterable[LoggedRecord]) -> bool:
    """Return whether every record is in the note's tree."""
    return all(record.n < note.size for record in records)


def consistency_files(log: LogReader, sizes: Iterable[int], size: int) -> dict[str, bytes]:
    """Return ``consistency/<m>-<size>`` for each smaller size m; an empty tree and the same size need none."""
    return {
        f"consistency/{old}-{size}": "".join(b64(item) + "\n" for item in log.proofs.consistency(old, size)).encode()
        for old in sorted(set(sizes))
        if 0 < old < size
    }
