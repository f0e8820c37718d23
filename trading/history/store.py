"""Rows of foreign history; each statement may run twice and changes nothing the second time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import insert

from trading.history.model import Given, Row
from trading.history.tables import fault, file, row


def begin(conn: Connection, given: Given, at: int) -> None:
    """Insert a file of which no row is there yet."""
    values = {
        "sha256": given.sha256,
        "name": given.name,
        "source": given.source,
        "size": given.size,
        "kind": "lines" if given.lines else "document",
        "rows": 0,
        "faults": 0,
        "begun_at": at,
    }
    conn.execute(insert(file).values(**values).on_conflict_do_nothing(constraint="pk_file"))


def add(conn: Connection, sha256: bytes, rows: Sequence[Row]) -> None:
    """Insert rows that follow those that are there, with their faults."""
    if not rows:
        return
    added = [
        {
            "file_sha256": sha256,
            "number": each.number,
            "lead": each.lead,
            "raw": each.raw,
            "raw_sha256": each.raw_sha256,
            **asdict(each.digest),
            "faults": len(each.faults),
        }
        for each in rows
    ]
    conn.execute(insert(row).on_conflict_do_nothing(constraint="pk_row"), added)
    faults = [
        {"file_sha256": sha256, "row_number": each.number, "number": number, **_plain(asdict(told))}
        for each in rows
        for number, told in enumerate(each.faults, 1)
    ]
    if faults:
        conn.execute(insert(fault).on_conflict_do_nothing(constraint="pk_fault"), faults)
    # Counted once, also where two imports of the same file run at the same time.
    here = (file.c.sha256 == sha256) & (file.c.rows == rows[0].number - 1)
    wrong = sum(len(each.faults) for each in rows)
    conn.execute(file.update().where(here).values(rows=file.c.rows + len(rows), faults=file.c.faults + wrong))


def end(conn: Connection, sha256: bytes, tail: bytes, content_sha256: bytes, at: int) -> None:
    """Note that every row of a file is there."""
    values = {"tail": tail, "content_sha256": content_sha256, "done_at": at}
    conn.execute(file.update().where(file.c.sha256 == sha256, file.c.done_at.is_(None)).values(**values))


def _plain(told: dict[str, str]) -> dict[str, str]:
    """A path may have any character that JSON has; the database has no place for U+0000 or half of a pair."""
    return {
        name: text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()[:1_000] for name, text in told.items()
    }
