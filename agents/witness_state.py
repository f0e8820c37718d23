"""What a witness must never forget: the last checkpoint it cosigned of each log, and every signed note it refused.

One SQLite file beside the witness's key. Dangerous assumption first: this file is the witness's word. It is made once,
together with the key; a witness whose file is lost is retired with its key and never starts again from "first seen"
(AL1 L7.5), so opening a missing file is an error and not a fresh start.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from trading.audit.rules.cosigning import Judgement, Seen
from trading.audit.rules.note import Checkpoint, VerifierKey, parse_vkey
from trading.audit.rules.tree import EMPTY_ROOT
from trading.kernel.errors import Conflict, IntegrityFailure

DATABASE = "witness.sqlite3"
_BUSY_S = 10.0
_SCHEMA = """
CREATE TABLE identity (one INTEGER PRIMARY KEY CHECK (one = 1), vkey TEXT NOT NULL) STRICT;
CREATE TABLE seen (
  origin TEXT PRIMARY KEY,
  size   INTEGER NOT NULL CHECK (size >= 0),
  root   BLOB NOT NULL CHECK (length(root) = 32),
  note   BLOB
) STRICT;
CREATE TABLE refused (
  sha256     BLOB PRIMARY KEY,
  at_ms      INTEGER NOT NULL,
  origin     TEXT NOT NULL,
  status     INTEGER NOT NULL,
  reason     TEXT NOT NULL,
  fraud      INTEGER NOT NULL,
  known_size INTEGER NOT NULL,
  known_root BLOB NOT NULL,
  known_note BLOB,
  note       BLOB NOT NULL
) STRICT;
CREATE TRIGGER seen_grows BEFORE UPDATE ON seen
  WHEN NEW.origin <> OLD.origin OR NEW.size < OLD.size OR (NEW.size = OLD.size AND NEW.root <> OLD.root)
  BEGIN SELECT RAISE(ABORT, 'a witness never goes back'); END;
CREATE TRIGGER seen_stays BEFORE DELETE ON seen BEGIN SELECT RAISE(ABORT, 'a witness never forgets'); END;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownLogState:
    """Last cosigned checkpoint of one log; ``note`` carries the log's own signatures only."""

    origin: str
    seen: Seen
    note: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedNote:
    """A validly signed note that was refused, with what the witness knew then. Kept as evidence (AL1 L7.2)."""

    at_ms: int
    origin: str
    status: int
    reason: str
    fraud: bool
    known_size: int
    known_note: bytes | None
    note: bytes


class WitnessState:
    """The state file. One instance may be used by many threads, one file by several processes."""

    def __init__(self, directory: Path) -> None:
        path = directory / DATABASE
        if not path.is_file():
            raise IntegrityFailure(
                f"{path} is missing. A witness without its memory is retired with its key (AL1 L7.5), never restarted."
            )
        # mode=rw: SQLite must not make a new file if this one vanishes meanwhile.
        self._db = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=rw",
            uri=True,
            timeout=_BUSY_S,
            isolation_level=None,
            check_same_thread=False,
        )
        self._db.execute("PRAGMA synchronous = FULL")
        self._lock = Lock()
        self.key: VerifierKey = parse_vkey(self._db.execute("SELECT vkey FROM identity").fetchone()[0])

    @classmethod
    def create(cls, directory: Path, key: VerifierKey) -> WitnessState:
        """Make the state of a new witness.

        Raises:
            Conflict: The directory already holds the state of a witness.
        """
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = directory / DATABASE
        try:
            path.touch(mode=0o600, exist_ok=False)
        except FileExistsError as error:
            raise Conflict(f"{path} exists: this directory belongs to a witness already") from error
        database = sqlite3.connect(path, isolation_level=None)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.executescript(f"BEGIN; {_SCHEMA} COMMIT;")
        database.execute("INSERT INTO identity (one, vkey) VALUES (1, ?)", (key.vkey,))
        database.close()
        return cls(directory)

    def close(self) -> None:
        """Close the file, when no other thread is in the middle of a statement: SQLite would not survive that."""
        with self._lock:
            self._db.close()

    @contextmanager
    def _locked(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            yield self._db

    def know(self, origins: Iterable[str]) -> None:
        """Begin to remember these logs; those already known keep what is remembered."""
        with self._locked() as db:
            for origin in origins:
                db.execute("INSERT OR IGNORE INTO seen (origin, size, root) VALUES (?, 0, ?)", (origin, EMPTY_ROOT))

    def log(self, origin: str) -> KnownLogState:
        """Return what is known of one log that ``know`` has introduced."""
        with self._locked() as db:
            row = db.execute("SELECT size, root, note FROM seen WHERE origin = ?", (origin,)).fetchone()
        return KnownLogState(origin=origin, seen=Seen(size=row[0], root=row[1]), note=row[2])

    def logs(self) -> list[KnownLogState]:
        """Return all logs, in order of origin."""
        with self._locked() as db:
            rows = db.execute("SELECT origin, size, root, note FROM seen ORDER BY origin").fetchall()
        return [KnownLogState(origin=row[0], seen=Seen(size=row[1], root=row[2]), note=row[3]) for row in rows]

    def advance(self, seen: Seen, checkpoint: Checkpoint, note: bytes) -> bool:
        """Remember ``checkpoint`` if the last one is still ``seen``; durable when this returns.

        The comparison and the change are one statement, so of two requests that were judged against the same ``seen``
        only one wins. An unchanged log needs no write: its heartbeat changes nothing that must be remembered.

        Returns:
            False if another request was first; then nothing was changed.
        """
        if (checkpoint.size, checkpoint.root) == (seen.size, seen.root) and seen.size:
            return self.log(checkpoint.origin).seen == seen
        with self._locked() as db:
            cursor = db.execute(
                "UPDATE seen SET size = ?, root = ?, note = ? WHERE origin = ? AND size = ? AND root = ?",
                (checkpoint.size, checkpoint.root, note, checkpoint.origin, seen.size, seen.root),
            )
        return cursor.rowcount == 1

    def keep_refused(self, at_ms: int, known: KnownLogState, judgement: Judgement, note: bytes) -> None:
        """Keep a refused note; the same one again changes nothing."""
        with self._locked() as db:
            db.execute(
                "INSERT OR IGNORE INTO refused (sha256, at_ms, origin, status, reason, fraud, known_size, known_root,"
                " known_note, note) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    hashlib.sha256(bytes([judgement.fraud]) + note).digest(),
                    at_ms,
                    known.origin,
                    int(judgement.status),
                    judgement.reason,
                    int(judgement.fraud),
                    known.seen.size,
                    known.seen.root,
                    known.note,
                    note,
                ),
            )

    def refused(self) -> list[RefusedNote]:
        """Return the refused notes, oldest first."""
        with self._locked() as db:
            rows = db.execute(
                "SELECT at_ms, origin, status, reason, fraud, known_size, known_note, note FROM refused"
                " ORDER BY at_ms, sha256"
            ).fetchall()
        return [
            RefusedNote(
                at_ms=row[0],
                origin=row[1],
                status=row[2],
                reason=row[3],
                fraud=bool(row[4]),
                known_size=row[5],
                known_note=row[6],
                note=row[7],
            )
            for row in rows
        ]
