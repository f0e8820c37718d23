"""What an intake must never forget: every envelope that it received, and the record that opens its entry.

One SQLite file beside the log. A row is durable before its entry is appended, and gets its place afterwards; a row
without a place was never answered, so it is forgotten at the next start and its bidder sends the same bytes again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Final

from trading.kernel.errors import Conflict, IntegrityFailure

DATABASE: Final = "intake.sqlite3"
_BUSY_S: Final = 10.0
_SCHEMA: Final = """
CREATE TABLE identity (one INTEGER PRIMARY KEY CHECK (one = 1), vkey TEXT NOT NULL) STRICT;
CREATE TABLE handed (
  sha256        TEXT PRIMARY KEY,
  h             BLOB NOT NULL UNIQUE,
  n             INTEGER UNIQUE,
  nonce         BLOB NOT NULL,
  record        BLOB NOT NULL,
  envelope      BLOB NOT NULL,
  policy_sha256 TEXT NOT NULL,
  received_at   INTEGER NOT NULL
) STRICT;
CREATE TABLE announced (sha256 TEXT PRIMARY KEY, size INTEGER NOT NULL) STRICT;
CREATE TABLE deadline (policy_sha256 TEXT PRIMARY KEY, close INTEGER NOT NULL) STRICT;
CREATE TRIGGER handed_stays BEFORE DELETE ON handed WHEN OLD.n IS NOT NULL
  BEGIN SELECT RAISE(ABORT, 'an intake never forgets'); END;
CREATE TRIGGER handed_is_kept BEFORE UPDATE ON handed WHEN OLD.n IS NOT NULL
  BEGIN SELECT RAISE(ABORT, 'what was received stays as it is'); END;
"""
_COLUMNS: Final = "sha256, h, n, nonce, record, envelope, policy_sha256, received_at"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One envelope: ``envelope`` is its wire form, ``record`` with ``nonce`` opens ``h``, ``n`` is its place."""

    sha256: str
    h: bytes
    n: int | None
    nonce: bytes
    record: bytes
    envelope: bytes
    policy_sha256: str
    received_at: int


class IntakeState:
    """The state file; many threads of one process may use it."""

    def __init__(self, directory: Path) -> None:
        path = directory / DATABASE
        if not path.is_file():
            raise IntegrityFailure(f"{path} is missing; an intake without its memory is not started again")
        self._db = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=rw",
            uri=True,
            timeout=_BUSY_S,
            isolation_level=None,
            check_same_thread=False,
        )
        self._db.execute("PRAGMA synchronous = FULL")
        self._lock = Lock()
        self.vkey: str = self._db.execute("SELECT vkey FROM identity").fetchone()[0]

    @classmethod
    def create(cls, directory: Path, vkey: str) -> None:
        """Make the state of a new intake.

        Raises:
            Conflict: There is one.
        """
        path = directory / DATABASE
        try:
            path.touch(mode=0o600, exist_ok=False)
        except FileExistsError as error:
            raise Conflict(f"{path} exists: this directory belongs to an intake already") from error
        database = sqlite3.connect(path, isolation_level=None)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.executescript(f"BEGIN; {_SCHEMA} COMMIT;")
        database.execute("INSERT INTO identity (one, vkey) VALUES (1, ?)", (vkey,))
        database.close()

    def close(self) -> None:
        """Close the file."""
        with self._locked() as database:
            database.close()

    @contextmanager
    def _locked(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            yield self._db

    def add(self, row: Row) -> None:
        """Remember an envelope, durably, before its entry is appended."""
        values = (row.sha256, row.h, row.n, row.nonce, row.record, row.envelope, row.policy_sha256, row.received_at)
        with self._locked() as database:
            database.execute(f"INSERT INTO handed ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)  # noqa: S608 - own names

    def place(self, h: bytes, n: int) -> None:
        """Remember the place of an entry; the same place again changes nothing.

        Raises:
            IntegrityFailure: No envelope has this commitment: log and memory do not belong together.
        """
        with self._locked() as database:
            known = database.execute("SELECT n FROM handed WHERE h = ?", (h,)).fetchone()
            if known is None:
                raise IntegrityFailure(f"entry {n} of the log has no envelope: the memory was set back")
            if known[0] is None:
                database.execute("UPDATE handed SET n = ? WHERE h = ?", (n, h))

    def forget_unplaced(self) -> None:
        """Forget what was never answered."""
        with self._locked() as database:
            database.execute("DELETE FROM handed WHERE n IS NULL")

    def end(self) -> int:
        """Return the number of places that are remembered."""
        with self._locked() as database:
            count: int = database.execute("SELECT count(n) FROM handed").fetchone()[0]
        return count

    def find(self, sha256: str) -> Row | None:
        """Return an envelope that has its place, or None."""
        with self._locked() as database:
            query = f"SELECT {_COLUMNS} FROM handed WHERE sha256 = ? AND n IS NOT NULL"  # noqa: S608 - own names
            row = database.execute(query, (sha256,)).fetchone()
        return None if row is None else _row(row)

    def of_policy(self, policy_sha256: str, before_ms: int) -> list[Row]:
        """Return the envelopes under a policy that were received before an instant, by their names."""
        query = (
            f"SELECT {_COLUMNS} FROM handed WHERE policy_sha256 = ? AND received_at < ? AND n IS NOT NULL"  # noqa: S608 - own names
            " ORDER BY sha256"
        )
        with self._locked() as database:
            rows = database.execute(query, (policy_sha256, before_ms)).fetchall()
        return [_row(row) for row in rows]

    def announce(self, parts: Iterable[tuple[str, int]]) -> None:
        """Remember which parts, by SHA-256 and size, somebody who holds a signed envelope may send."""
        with self._locked() as database:
            database.executemany("INSERT OR IGNORE INTO announced (sha256, size) VALUES (?, ?)", list(parts))

    def announced(self, sha256: str) -> int | None:
        """Return the size of a part that may be sent, or None."""
        with self._locked() as database:
            row = database.execute("SELECT size FROM announced WHERE sha256 = ?", (sha256,)).fetchone()
        return None if row is None else int(row[0])

    def know_deadline(self, policy_sha256: str, close: int) -> None:
        """Remember the latest deadline that the agency has signed."""
        with self._locked() as database:
            database.execute(
                "INSERT INTO deadline (policy_sha256, close) VALUES (?, ?)"
                " ON CONFLICT (policy_sha256) DO UPDATE SET close = max(close, excluded.close)",
                (policy_sha256, close),
            )

    def deadline(self, policy_sha256: str) -> int:
        """Return the latest deadline that the agency is known to have signed; 0 if none is known."""
        with self._locked() as database:
            row = database.execute("SELECT close FROM deadline WHERE policy_sha256 = ?", (policy_sha256,)).fetchone()
        return 0 if row is None else int(row[0])


def _row(values: tuple[Any, ...]) -> Row:
    names = ("sha256", "h", "n", "nonce", "record", "envelope", "policy_sha256", "received_at")
    return Row(**dict(zip(names, values, strict=True)))
