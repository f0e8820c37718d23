"""What a contributor must never forget: the spec of each attempt, what it committed, the one seal it answered.

One SQLite file in a directory with mode 0700. It is what makes the client answer one seal per attempt; a contributor
that lost it stays silent in that attempt, and its random number is recovered from the custodians.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from agents.memory import Memory

DATABASE: Final = "contributor.sqlite3"
_SCHEMA: Final = """
CREATE TABLE attempt (
  draw TEXT NOT NULL, attempt INTEGER NOT NULL,
  spec BLOB NOT NULL, policy BLOB NOT NULL, party TEXT NOT NULL,
  PRIMARY KEY (draw, attempt)
) STRICT;
CREATE TABLE contribution (
  sha256 TEXT PRIMARY KEY,
  draw TEXT NOT NULL, attempt INTEGER NOT NULL,
  wire BLOB NOT NULL,
  sealed_r BLOB NOT NULL,
  answer BLOB
) STRICT;
CREATE TABLE seal (
  draw TEXT NOT NULL, attempt INTEGER NOT NULL,
  sealed_h TEXT NOT NULL,
  proof BLOB NOT NULL,
  reveal BLOB NOT NULL,
  PRIMARY KEY (draw, attempt)
) STRICT;
CREATE TABLE evidence (
  draw TEXT NOT NULL, attempt INTEGER NOT NULL, what TEXT NOT NULL,
  data BLOB NOT NULL
) STRICT;
CREATE TRIGGER a_spec_stays BEFORE UPDATE ON attempt BEGIN SELECT RAISE(ABORT, 'one spec per attempt'); END;
CREATE TRIGGER a_seal_stays BEFORE UPDATE ON seal BEGIN SELECT RAISE(ABORT, 'one seal per attempt'); END;
CREATE TRIGGER a_seal_is_kept BEFORE DELETE ON seal BEGIN SELECT RAISE(ABORT, 'one seal per attempt'); END;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A spec under which this contributor committed: signed spec and policy in wire form, own party id."""

    spec: bytes
    policy: bytes
    party: str


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Committed:
    """One contribution: signed, with its r sealed by the vault, and what the platform answered."""

    sha256: str
    wire: bytes
    sealed_r: bytes
    answer: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Answered:
    """The one seal that was answered: its proof and the reveal, in wire form."""

    sealed_h: str
    proof: bytes
    reveal: bytes


class State(Memory):
    """The opened file."""

    FILE = DATABASE
    SCHEMA = _SCHEMA

    def attempt(self, draw: str, attempt: int) -> Attempt | None:
        """Return the spec that was answered for an attempt."""
        row = self._db.execute(
            "SELECT spec, policy, party FROM attempt WHERE draw = ? AND attempt = ?", (draw, attempt)
        ).fetchone()
        return None if row is None else Attempt(spec=row[0], policy=row[1], party=row[2])

    def add_attempt(self, draw: str, attempt: int, value: Attempt) -> None:
        """Store the spec of an attempt."""
        self._db.execute(
            "INSERT INTO attempt VALUES (?, ?, ?, ?, ?)", (draw, attempt, value.spec, value.policy, value.party)
        )

    def contributions(self, draw: str, attempt: int) -> list[Committed]:
        """Return the contributions of an attempt, oldest first."""
        rows = self._db.execute(
            "SELECT sha256, wire, sealed_r, answer FROM contribution WHERE draw = ? AND attempt = ? ORDER BY rowid",
            (draw, attempt),
        )
        return [Committed(sha256=row[0], wire=row[1], sealed_r=row[2], answer=row[3]) for row in rows]

    def add_contribution(self, draw: str, attempt: int, value: Committed) -> None:
        """Store a contribution before it leaves this machine."""
        row = (value.sha256, draw, attempt, value.wire, value.sealed_r, value.answer)
        self._db.execute("INSERT INTO contribution VALUES (?, ?, ?, ?, ?, ?)", row)

    def set_answer(self, sha256: str, answer: bytes) -> None:
        """Keep what the platform answered to a contribution: the receipt is what proves a suppression."""
        self._db.execute("UPDATE contribution SET answer = ? WHERE sha256 = ?", (answer, sha256))

    def answered(self, draw: str, attempt: int) -> Answered | None:
        """Return the seal that was answered."""
        row = self._db.execute(
            "SELECT sealed_h, proof, reveal FROM seal WHERE draw = ? AND attempt = ?", (draw, attempt)
        ).fetchone()
        return None if row is None else Answered(sealed_h=row[0], proof=row[1], reveal=row[2])

    def add_seal(self, draw: str, attempt: int, value: Answered) -> None:
        """Store the one seal of an attempt with its reveal, before the reveal leaves this machine."""
        self._db.execute(
            "INSERT INTO seal VALUES (?, ?, ?, ?, ?)", (draw, attempt, value.sealed_h, value.proof, value.reveal)
        )

    def keep(self, draw: str, attempt: int, what: str, data: bytes) -> None:
        """Keep what proves a fork or a suppression."""
        self._db.execute("INSERT INTO evidence VALUES (?, ?, ?, ?)", (draw, attempt, what, data))

    def kept(self, draw: str, attempt: int) -> list[tuple[str, bytes]]:
        """Return the evidence of an attempt."""
        rows = self._db.execute("SELECT what, data FROM evidence WHERE draw = ? AND attempt = ?", (draw, attempt))
        return [(row[0], row[1]) for row in rows]
