"""Importing a file of history: streaming, in batches that each stay, from where an earlier run broke off.

Nothing of it is a record of this platform: no entry is written, and no table of the record is read or changed.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Final

from trading.audit.ledger import Ledger
from trading.history import queries, store
from trading.history.model import Given, Outcome, Row
from trading.history.rules.digest import digest
from trading.history.rules.faults import Fault, faults_of, parse
from trading.history.rules.pieces import Piece, pieces
from trading.kernel.digests import sha256
from trading.kernel.errors import IntegrityFailure, InvalidInput, NotFound

_CHUNK: Final = 1 << 20
_BATCH_ROWS: Final = 200
_BATCH_BYTES: Final = 8 << 20
_GZIP: Final = b"\x1f\x8b"
_LINES: Final = (".jsonl", ".ndjson")

Progress = Callable[[int, int], None]  # bytes of the content, rows


def given(path: Path, source: str) -> Given:
    """Return what is to be imported; the file is read once for its SHA-256."""
    with path.open("rb") as opened:
        read = hashlib.file_digest(opened, "sha256").digest()
        size = opened.tell()
    name = path.name.removesuffix(".gz").lower()
    return Given(sha256=read, name=path.name, source=source, size=size, lines=name.endswith(_LINES))


def import_file(ledger: Ledger, path: Path, source: str, progress: Progress = lambda _bytes, _rows: None) -> Outcome:
    """Import one file; the same file again changes nothing, and one that broke off goes on.

    Args:
        ledger: Of a role that may write history.
        path: Release packages, record packages, arrays or single releases, JSON Lines; ``.gz`` or not.
        source: Who published it.
        progress: Told after each batch.

    Raises:
        InvalidInput: ``history.too_large``, or ``history.archive``: it cannot be unpacked to its end. What was read
            until then stays, and the file is not told to be complete.
    """
    told = given(path, source)
    with ledger.upkeep() as conn:
        store.begin(conn, told, ledger.platform_time(conn))
        found = queries.one(conn, told.sha256.hex())
    if found is None:
        raise IntegrityFailure("a file that was just begun is not there")
    if found.done_at is not None:
        return _outcome(ledger, told, 0, was_done=True)
    return _run(ledger, path, told, found.rows, progress)


def _run(ledger: Ledger, path: Path, told: Given, there: int, progress: Progress) -> Outcome:
    content, number, size, read = hashlib.sha256(), 0, 0, 0
    batch: list[Row] = []
    tail = b""
    for piece in pieces(_chunks(path, content), lines=told.lines):
        if piece.raw is None:
            tail = piece.lead
            continue
        number += 1
        read += len(piece.lead) + len(piece.raw)
        if number <= there:
            continue
        batch.append(_row(piece, number))
        size += batch[-1].size
        if len(batch) == _BATCH_ROWS or size > _BATCH_BYTES:
            _add(ledger, told, batch)
            batch, size = [], 0
            progress(read, number)
    _add(ledger, told, batch)
    with ledger.upkeep() as conn:
        store.end(conn, told.sha256, tail, content.digest(), ledger.platform_time(conn))
    progress(read + len(tail), number)
    return _outcome(ledger, told, number - there, was_done=False)


def _chunks(path: Path, content: hashlib._Hash) -> Iterator[bytes]:
    try:
        with _opened(path) as opened:
            while chunk := opened.read(_CHUNK):
                content.update(chunk)
                yield chunk
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InvalidInput("history.archive", f"{path.name} cannot be unpacked: {error}") from error


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO | gzip.GzipFile]:
    with path.open("rb") as opened:
        is_packed = opened.read(len(_GZIP)) == _GZIP
        opened.seek(0)
        if not is_packed:
            yield opened
            return
        with gzip.GzipFile(fileobj=opened) as unpacked:
            yield unpacked


def _row(piece: Piece, number: int) -> Row:
    raw = piece.raw or b""
    value, faults = parse(raw)
    if not any(each.code in {"json.broken", "json.encoding"} for each in faults):
        faults += faults_of(value)
    return Row(
        number=number,
        lead=piece.lead,
        raw=raw,
        raw_sha256=sha256(raw),
        digest=digest(value),
        faults=tuple(faults),
    )


def _add(ledger: Ledger, told: Given, batch: list[Row]) -> None:
    with ledger.upkeep() as conn:
        keys = [key for each in batch if (key := _key(each)) is not None]
        known = queries.earlier(conn, keys) if keys else {}
        rows = []
        for each in batch:
            key = _key(each)
            before = None if key is None else known.setdefault(key, (each.raw_sha256, told.sha256, each.number))
            rows.append(_with_duplicate(each, told, before))
        store.add(conn, told.sha256, rows)


def _key(row: Row) -> tuple[str, str] | None:
    ocid, release_id = row.digest.ocid, row.digest.release_id
    return None if ocid is None or release_id is None else (ocid, release_id)


def _with_duplicate(row: Row, told: Given, before: tuple[bytes, bytes, int] | None) -> Row:
    """Return the row with the fault that an earlier one has the same ids; with another content or the same."""
    if before is None or before[1:] == (told.sha256, row.number):
        return row
    code = "duplicate.same" if before[0] == row.raw_sha256 else "duplicate.other"
    fault = Fault(code=code, path="id", detail=f"{before[1].hex()[:16]} {before[2]}")
    return replace(row, faults=(*row.faults, fault))


def _outcome(ledger: Ledger, told: Given, added: int, *, was_done: bool) -> Outcome:
    with ledger.upkeep() as conn:
        found = queries.one(conn, told.sha256.hex())
    if found is None:
        raise NotFound(told.name)
    return Outcome(sha256=found.sha256, rows=found.rows, faults=found.faults, added=added, was_done=was_done)


def is_whole(ledger: Ledger, sha256_hex: str) -> bool:
    """Whether the pieces of a file, put together, are what was imported.

    Raises:
        NotFound: No such file.
    """
    state = hashlib.sha256()
    with ledger.upkeep() as conn:
        found = queries.one(conn, sha256_hex)
        if found is None:
            raise NotFound(sha256_hex)
        for each in queries.content(conn, sha256_hex):
            state.update(each)
    return found.content_sha256 == state.hexdigest()
