"""The sequencer's side of the database: one direct connection that also holds the lock of the log (AL1 L5, L5.1).

Not through a pooler: losing this connection means losing the lock, and then the process stops.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Sequence
from typing import Final

import psycopg

from trading.audit.model import record_bytes
from trading.audit.queries import SEQUENCER_LOCK
from trading.audit.rules.chain import NONCE_BYTES
from trading.kernel.errors import Conflict, IntegrityFailure
from trading.kernel.events import Event

ACTOR: Final = "system:sequencer"
_RETRY_S: Final = 0.05
# The queue is nearly always empty when the server takes its statistics; a plan made from them would read every entry.
# A forbidden scan counts as enormously dear, and for a dear statement the server would compile machine code each time.
_SESSION: Final = (
    "SET synchronous_commit = on; SET jit = off;"
    " SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_seqscan = off"
)
# Rows as they become visible, in one snapshot, in the order of their ids; never "id above the last one" (AL1 L4.4).
# The inner query is looked up for each queued row: joined, it might be read from its beginning at every drain.
_DRAIN: Final = """
    SELECT q.entry_id, e.h
      FROM (SELECT entry_id FROM log.audit_queue ORDER BY entry_id LIMIT %s) q
     CROSS JOIN LATERAL (SELECT h FROM log.audit_entry WHERE id = q.entry_id OFFSET 0) e
     ORDER BY q.entry_id
"""
_PLACE: Final = """
    WITH logged AS (DELETE FROM log.audit_queue WHERE entry_id = ANY(%(ids)s))
    INSERT INTO log.log_position (n, entry_id, p, t)
    SELECT %(first)s + u.place - 1, u.id, u.p, u.t
      FROM unnest(%(ids)s::bigint[], %(ps)s::bytea[], %(ts)s::bigint[]) WITH ORDINALITY AS u(id, p, t, place)
"""
_FIND: Final = "SELECT e.h, e.id FROM log.audit_entry e WHERE e.h = ANY(%s)"
_UNSEQUENCED: Final = """
    SELECT e.h, e.id FROM log.audit_entry e JOIN log.audit_queue q ON q.entry_id = e.id WHERE e.h = ANY(%s)
"""
_PLACED: Final = """
    SELECT p.n, e.h FROM log.log_position p JOIN log.audit_entry e ON e.id = p.entry_id WHERE p.n >= %s ORDER BY p.n
"""
_PAD: Final = """
    INSERT INTO log.audit_entry (kind, record, nonce)
    SELECT 'log.pad', %(record)s, nonce FROM unnest(%(nonces)s::bytea[]) AS nonce
    RETURNING id
"""
# A log that is closed takes nothing any more, also from a sequencer that a database of yesterday has let start (L13).
_BARRIER: Final = """
    UPDATE log.sequencer_barrier SET beat = beat + 1
     WHERE NOT EXISTS (SELECT FROM log.closed_log c JOIN log.origin o ON o.origin = c.origin)
"""
_CLOSED: Final = "SELECT EXISTS (SELECT FROM log.closed_log c JOIN log.origin o ON o.origin = c.origin)"
_CONTINUATION: Final = """
    SELECT e.id, e.h FROM log.audit_queue q JOIN log.audit_entry e ON e.id = q.entry_id
     WHERE e.kind = 'log.continued' ORDER BY e.id DESC LIMIT 1
"""
_CLOCK_RECORDS: Final = """
    SELECT e.kind, e.record FROM log.audit_entry e WHERE e.kind IN ('clock.hold', 'clock.released') ORDER BY e.id DESC
"""


def _field(record: bytes, *path: str) -> object:
    """Return a field of a record; None if it is not there or the record is no JSON at all."""
    try:
        value = json.loads(record)
    except ValueError:
        return None
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


class AuditQueue:
    """Queue, positions and barrier of one database."""

    def __init__(self, conninfo: str, *, patience_s: float = 10.0) -> None:
        """Connect and take the lock of the log.

        The server may need a moment to notice that the sequencer before us has died, so the lock is asked for again
        until ``patience_s`` have passed.

        Raises:
            Conflict: Another sequencer holds it.
        """
        self._connection = psycopg.connect(conninfo, autocommit=True, application_name="sequencer")
        self._connection.prepare_threshold = 1
        self._cursor = self._connection.cursor(binary=True)
        self._cursor.execute(_SESSION, binary=False)
        deadline = time.monotonic() + patience_s
        while not self._value("SELECT pg_try_advisory_lock(%s)", SEQUENCER_LOCK):
            if time.monotonic() >= deadline:
                self.close()
                raise Conflict("another sequencer holds the lock of this log")
            time.sleep(_RETRY_S)
        self.base = self._integer("SELECT base FROM log.origin")  # place of the first entry of this log

    def close(self) -> None:
        """Give up the connection and with it the lock."""
        self._connection.close()

    def origin(self) -> str:
        """Return the origin that the database belongs to.

        Raises:
            IntegrityFailure: The log of this name is closed.
        """
        name = str(self._value("SELECT origin FROM log.origin"))
        if self._value(_CLOSED):
            raise IntegrityFailure(f"the log {name} is closed: it is continued under another name or not at all")
        return name

    def continuation(self) -> tuple[int, bytes] | None:
        """Return id and ``h`` of the queued record that begins a log after a closed one; None if none is queued."""
        return self._cursor.execute(_CONTINUATION).fetchone()

    def drain(self, limit: int) -> list[tuple[int, bytes]]:
        """Return id and ``h`` of the entries that are committed and not logged, in log order (B1)."""
        return self._cursor.execute(_DRAIN, (limit,)).fetchall()

    def barrier(self) -> None:
        """Commit durably: everything that the last ``drain`` saw is on disk when this returns (B2).

        Raises:
            IntegrityFailure: The log is closed.
        """
        if self._cursor.execute(_BARRIER).rowcount != 1:
            raise IntegrityFailure("the log is closed: nothing is appended or signed")

    def place(self, first: int, ids: Sequence[int], previous: Sequence[bytes], times: Sequence[int]) -> None:
        """Write the positions from index ``first`` on and take the entries off the queue, in one transaction (B9).

        Args:
            first: Index of the first entry.
            ids: Row ids in log order.
            previous: ``p`` of each entry.
            times: ``t`` of each entry, ms.
        """
        values = {"first": self.base + first, "ids": list(ids), "ps": list(previous), "ts": list(times)}
        if self._cursor.execute(_PLACE, values).rowcount != len(ids):
            raise IntegrityFailure("the database did not take every position")

    def end(self) -> int:
        """Return the index after the last position of this log."""
        return max(0, self._integer("SELECT coalesce(max(n) + 1, 0) FROM log.log_position") - self.base)

    def find(self, commitments: Sequence[bytes], *, unsequenced: bool = False) -> dict[bytes, int]:
        """Return the row ids of the entries with these commitments; with ``unsequenced`` only of queued ones."""
        return dict(self._cursor.execute(_UNSEQUENCED if unsequenced else _FIND, (list(commitments),)).fetchall())

    def placed(self, n: int) -> list[tuple[int, bytes]]:
        """Return index and ``h`` of every position from index ``n`` on."""
        rows = self._cursor.execute(_PLACED, (self.base + n,)).fetchall()
        return [(place - self.base, h) for place, h in rows]

    def is_held(self, host: str) -> bool:
        """Return whether the newest clock record of ``host`` is a hold (TE1 T3)."""
        for kind, record in self._cursor.execute(_CLOCK_RECORDS).fetchall():
            if _field(record, "body", "host") == host:
                return bool(kind == "clock.hold")
        return False

    def at_of(self, entry_id: int) -> int | None:
        """Return ``at`` of a record in ms; None if it has none, which must never stop the log."""
        record = self._value("SELECT record FROM log.audit_entry WHERE id = %s", entry_id)
        at = _field(record, "at") if isinstance(record, bytes) else None
        return at if isinstance(at, int) else None

    def now_ms(self) -> int:
        """Return the database clock in ms."""
        return self._integer("SELECT floor(extract(epoch FROM log.platform_time()) * 1000)::bigint")

    def record(self, event: Event) -> None:
        """Insert an entry of the sequencer itself; it is drained like all others."""
        record = record_bytes(event, actor=ACTOR, at=self.now_ms())
        self._cursor.execute(
            "INSERT INTO log.audit_entry (kind, record, nonce) VALUES (%s, %s, %s)",
            (event.kind, record, secrets.token_bytes(NONCE_BYTES)),
        )

    def pad(self, count: int) -> list[int]:
        """Insert pads, records like all others with a nonce of their own, and return their row ids (AL1 L6)."""
        record = record_bytes(Event(kind="log.pad", subject="log", body={}), actor=ACTOR, at=self.now_ms())
        nonces = [secrets.token_bytes(NONCE_BYTES) for _ in range(count)]
        return [row[0] for row in self._cursor.execute(_PAD, {"nonces": nonces, "record": record}).fetchall()]

    def _integer(self, query: str, *values: object) -> int:
        value = self._value(query, *values)
        if not isinstance(value, int):
            raise TypeError(f"{value!r} is not an integer")
        return value

    def _value(self, query: str, *values: object) -> object:
        row = self._cursor.execute(query, values).fetchone()
        return None if row is None else row[0]
