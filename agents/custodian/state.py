"""What an agent must never forget: its keys, the policies it admitted, what it answered, the last checkpoint it saw.

One SQLite file in a directory with mode 0700. Dangerous assumption first: this file is what makes the agent answer a
question only once (SB1 S13.4). An agent that lost it must not be restored from an older copy; its institution says that
the key is lost, and n_c − k losses are harmless.

Seeds and factors are sealed by the vault before they come here; answers contain no secret.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from typing_extensions import override

from agents.memory import Memory
from trading.kernel.errors import Conflict

DATABASE = "state.sqlite3"
_SCHEMA = """
CREATE TABLE share_key (
  sha256 TEXT PRIMARY KEY,
  tender TEXT NOT NULL, lot TEXT NOT NULL, stage TEXT NOT NULL,
  wire   BLOB NOT NULL,
  seed   BLOB
) STRICT;
CREATE UNIQUE INDEX one_key_per_place ON share_key (tender, lot, stage) WHERE seed IS NOT NULL;
CREATE TABLE admitted (
  tender TEXT NOT NULL, lot TEXT NOT NULL, stage TEXT NOT NULL,
  policy_sha256 TEXT NOT NULL,
  policy        BLOB NOT NULL,
  custodian     INTEGER NOT NULL,
  agency        TEXT NOT NULL,
  first_close   INTEGER NOT NULL,
  PRIMARY KEY (tender, lot, stage)
) STRICT;
CREATE TABLE answer (
  kind TEXT NOT NULL, tender TEXT NOT NULL, lot TEXT NOT NULL, stage TEXT NOT NULL,
  question TEXT NOT NULL,
  answer   BLOB NOT NULL,
  at       INTEGER NOT NULL,
  PRIMARY KEY (kind, tender, lot, stage, question)
) STRICT;
CREATE TABLE ordered (
  sha256 TEXT PRIMARY KEY,
  tender TEXT NOT NULL, lot TEXT NOT NULL, stage TEXT NOT NULL,
  seq INTEGER NOT NULL,
  doc BLOB NOT NULL
) STRICT;
CREATE TABLE envelope (sha256 TEXT PRIMARY KEY, doc BLOB NOT NULL) STRICT;
CREATE TABLE released (
  order_sha256 TEXT NOT NULL,
  envelope_sha256 TEXT NOT NULL,
  PRIMARY KEY (order_sha256, envelope_sha256)
) STRICT;
CREATE TABLE renounced (envelope_sha256 TEXT PRIMARY KEY) STRICT;
CREATE TABLE factor (sha256 TEXT PRIMARY KEY, bid TEXT NOT NULL, sealed BLOB NOT NULL, ack BLOB NOT NULL) STRICT;
CREATE TABLE approval (
  question TEXT NOT NULL, kid TEXT NOT NULL, wire BLOB NOT NULL,
  PRIMARY KEY (question, kid)
) STRICT;
CREATE TABLE checkpoint (origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL, note BLOB NOT NULL) STRICT;
CREATE TABLE job (at INTEGER NOT NULL) STRICT;
CREATE TRIGGER an_answer_stays BEFORE UPDATE ON answer BEGIN SELECT RAISE(ABORT, 'one answer per question'); END;
CREATE TRIGGER an_answer_is_kept BEFORE DELETE ON answer BEGIN SELECT RAISE(ABORT, 'one answer per question'); END;
CREATE TRIGGER a_log_grows BEFORE UPDATE ON checkpoint
  WHEN NEW.size < OLD.size OR (NEW.size = OLD.size AND NEW.root <> OLD.root)
  BEGIN SELECT RAISE(ABORT, 'the agent never goes back'); END;
CREATE TRIGGER a_close_stays BEFORE UPDATE ON admitted WHEN NEW.first_close <> OLD.first_close
  BEGIN SELECT RAISE(ABORT, 'the first schedule seen stays'); END;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Tender, lot and stage, or a draw with empty lot and stage: what one share key is for."""

    tender: str
    lot: str
    stage: str

    @classmethod
    def of_draw(cls, draw: str) -> Place:
        """Return the place of a draw; no lot has an empty name."""
        return cls(tender=draw, lot="", stage="")

    @property
    def is_draw(self) -> bool:
        """Return whether it is a draw."""
        return not self.lot

    @property
    def row(self) -> tuple[str, str, str]:
        """Return the three columns."""
        return self.tender, self.lot, self.stage

    @override
    def __str__(self) -> str:
        if self.is_draw:
            return self.tender
        return f"{self.tender} / {self.lot} / {self.stage}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareKey:
    """A share key: its signed document in wire form, and the sealed seed, ``None`` once destroyed."""

    sha256: str
    wire: bytes
    sealed_seed: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """The policy admitted for a place: own index, name of the agency that signed it, ``close`` first seen (ms).

    The policy of a draw has neither: they are empty and 0.
    """

    policy_sha256: str
    policy: bytes
    custodian: int
    agency: str
    first_close: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The last checkpoint of a log: the agent is a small witness."""

    size: int
    root: bytes
    note: bytes


class State(Memory):
    """The memory of one agent. Every method is one transaction unless it runs inside ``transaction()``."""

    FILE = DATABASE
    SCHEMA = _SCHEMA
    ONE_THREAD = False

    # Share keys.

    def add_key(self, place: Place, key: ShareKey) -> None:
        """Store a new share key."""
        self._db.execute(
            "INSERT INTO share_key VALUES (?, ?, ?, ?, ?, ?)", (key.sha256, *place.row, key.wire, key.sealed_seed)
        )

    def key_of(self, place: Place) -> ShareKey | None:
        """Return the living share key of a place."""
        row = self._db.execute(
            "SELECT sha256, wire, seed FROM share_key WHERE tender = ? AND lot = ? AND stage = ? AND seed IS NOT NULL",
            place.row,
        ).fetchone()
        return None if row is None else ShareKey(sha256=row[0], wire=row[1], sealed_seed=row[2])

    def key(self, sha256: str) -> ShareKey | None:
        """Return a share key, destroyed or not, by the name of its document."""
        row = self._db.execute("SELECT sha256, wire, seed FROM share_key WHERE sha256 = ?", (sha256,)).fetchone()
        return None if row is None else ShareKey(sha256=row[0], wire=row[1], sealed_seed=row[2])

    def destroy_seed(self, place: Place) -> None:
        """Overwrite the seed of a place for ever."""
        self._db.execute("UPDATE share_key SET seed = NULL WHERE tender = ? AND lot = ? AND stage = ?", place.row)

    # Policies.

    def admitted(self, place: Place) -> Admitted | None:
        """Return what was admitted for a place."""
        row = self._db.execute(
            "SELECT policy_sha256, policy, custodian, agency, first_close FROM admitted"
            " WHERE tender = ? AND lot = ? AND stage = ?",
            place.row,
        ).fetchone()
        if row is None:
            return None
        return Admitted(policy_sha256=row[0], policy=row[1], custodian=row[2], agency=row[3], first_close=row[4])

    def admit(self, place: Place, value: Admitted) -> None:
        """Store an admission; ``first_close`` of an earlier one stays."""
        self._db.execute(
            "INSERT INTO admitted VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
            " policy_sha256 = excluded.policy_sha256, policy = excluded.policy, custodian = excluded.custodian,"
            " agency = excluded.agency",
            (*place.row, value.policy_sha256, value.policy, value.custodian, value.agency, value.first_close),
        )

    def policies(self) -> list[tuple[Place, Admitted]]:
        """Return every admitted policy."""
        rows = self._db.execute("SELECT tender, lot, stage FROM admitted ORDER BY tender, lot, stage").fetchall()
        places = [Place(tender=row[0], lot=row[1], stage=row[2]) for row in rows]
        return [(place, admitted) for place in places if (admitted := self.admitted(place)) is not None]

    # Questions and answers.

    def answer(self, kind: str, place: Place, question: str) -> bytes | None:
        """Return the stored answer to a question."""
        row = self._db.execute(
            "SELECT answer FROM answer WHERE kind = ? AND tender = ? AND lot = ? AND stage = ? AND question = ?",
            (kind, *place.row, question),
        ).fetchone()
        return None if row is None else row[0]

    def questions(self, kind: str, place: Place) -> list[str]:
        """Return the questions of a kind that were answered for a place, oldest first."""
        rows = self._db.execute(
            "SELECT question FROM answer WHERE kind = ? AND tender = ? AND lot = ? AND stage = ? ORDER BY rowid",
            (kind, *place.row),
        )
        return [row[0] for row in rows]

    def add_answer(self, kind: str, place: Place, question: str, answer: bytes, at: int) -> None:
        """Store an answer before it leaves the agent; it never changes afterwards.

        Raises:
            Conflict: Another process of this agent has answered the question meanwhile.
        """
        row = (kind, *place.row, question, answer, at)
        try:
            self._db.execute("INSERT INTO answer VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        except sqlite3.IntegrityError as error:
            raise Conflict(f"another process answered this {kind}; ask again") from error

    # Orders, envelopes and what was released.

    def add_order(self, place: Place, sha256: str, seq: int, doc: bytes) -> None:
        """Store an order that was answered; an order for another station may be released without a check of its own."""
        self._db.execute(
            "INSERT INTO ordered VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", (sha256, *place.row, seq, doc)
        )

    def orders(self, place: Place) -> list[bytes]:
        """Return the answered orders of a place by ``seq``, oldest first."""
        rows = self._db.execute(
            "SELECT doc FROM ordered WHERE tender = ? AND lot = ? AND stage = ? ORDER BY seq", place.row
        )
        return [row[0] for row in rows]

    def add_envelope(self, sha256: str, doc: bytes) -> None:
        """Keep an envelope of an answered order: the release and factor acknowledgements need it."""
        self._db.execute("INSERT INTO envelope VALUES (?, ?) ON CONFLICT DO NOTHING", (sha256, doc))

    def envelope(self, sha256: str) -> bytes | None:
        """Return a kept envelope."""
        row = self._db.execute("SELECT doc FROM envelope WHERE sha256 = ?", (sha256,)).fetchone()
        return None if row is None else row[0]

    def add_released(self, order_sha256: str, envelope_sha256: str) -> None:
        """Note that a share of the envelope was released."""
        self._db.execute("INSERT INTO released VALUES (?, ?)", (order_sha256, envelope_sha256))

    def was_released(self, envelope_sha256: str) -> bool:
        """Return whether a share of the envelope ever left this agent."""
        row = self._db.execute("SELECT 1 FROM released WHERE envelope_sha256 = ?", (envelope_sha256,)).fetchone()
        return row is not None

    def renounce(self, envelope_sha256: str) -> None:
        """Note the statement that no share of the envelope was, and so none will be, released."""
        self._db.execute("INSERT INTO renounced VALUES (?) ON CONFLICT DO NOTHING", (envelope_sha256,))

    def is_renounced(self, envelope_sha256: str) -> bool:
        """Return whether a statement of non-release names the envelope."""
        row = self._db.execute("SELECT 1 FROM renounced WHERE envelope_sha256 = ?", (envelope_sha256,)).fetchone()
        return row is not None

    # Approvals of releases by people of the institution.

    def add_approval(self, question: str, kid: str, wire: bytes) -> bool:
        """Keep a person's approval; return whether it is the first under this key."""
        row = (question, kid, wire)
        return self._db.execute("INSERT INTO approval VALUES (?, ?, ?) ON CONFLICT DO NOTHING", row).rowcount == 1

    def approvals(self, question: str) -> list[bytes]:
        """Return the approvals of one release in wire form."""
        return [row[0] for row in self._db.execute("SELECT wire FROM approval WHERE question = ?", (question,))]

    # Factors handed to this custodian.

    def add_factor(self, sha256: str, bid: str, sealed: bytes, ack: bytes) -> None:
        """Keep a sealed factor with the acknowledgement given for it."""
        self._db.execute("INSERT INTO factor VALUES (?, ?, ?, ?)", (sha256, bid, sealed, ack))

    def factor(self, sha256: str) -> tuple[bytes, bytes] | None:
        """Return a sealed factor and its acknowledgement (wire form)."""
        row = self._db.execute("SELECT sealed, ack FROM factor WHERE sha256 = ?", (sha256,)).fetchone()
        return None if row is None else (row[0], row[1])

    def factors(self) -> list[tuple[str, str]]:
        """Return name and bid of every factor kept."""
        return [(row[0], row[1]) for row in self._db.execute("SELECT sha256, bid FROM factor ORDER BY rowid")]

    # The log.

    def seen(self, origin: str) -> Seen | None:
        """Return the last checkpoint of a log."""
        row = self._db.execute("SELECT size, root, note FROM checkpoint WHERE origin = ?", (origin,)).fetchone()
        return None if row is None else Seen(size=row[0], root=row[1], note=row[2])

    def see(self, origin: str, seen: Seen) -> None:
        """Remember a checkpoint; the file refuses a smaller one and another root of the same size."""
        self._db.execute(
            "INSERT INTO checkpoint VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
            " size = excluded.size, root = excluded.root, note = excluded.note",
            (origin, seen.size, seen.root, seen.note),
        )

    # Rate limit.

    def take_turn(self, at: int, *, limit: int, window_ms: int) -> bool:
        """Count a job and return whether no more than ``limit`` began in the last ``window_ms``."""
        with self.transaction():
            self._db.execute("DELETE FROM job WHERE at <= ? OR at > ?", (at - window_ms, at))
            count: int = self._db.execute("SELECT count(*) FROM job").fetchone()[0]
            if count >= limit:
                return False
            self._db.execute("INSERT INTO job VALUES (?)", (at,))
        return True
