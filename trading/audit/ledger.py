"""Unit of work and ledger: the only file that commits (architecture, The write path; AL1 L4).

One use case is one ``with ledger.begin(actor)``: one transaction, READ COMMITTED, rolled back unless the block ends
normally. Rule L (AL1 L4.2): every row lock is taken before the first entry; a locking statement after ``record()`` is a
bug and raises. Nothing inside a unit of work may touch the network, files, mail or the queue.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

from psycopg.errors import LockNotAvailable
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from trading.audit import store
from trading.audit.model import Capture, Recorded, record_bytes
from trading.db import LOCK_TIMEOUT_MS
from trading.kernel.errors import RuleBroken
from trading.kernel.events import Event, Registry
from trading.kernel.roles import Actor

_UNIT: Final = "mingbiao.unit"
_LOCKING: Final = re.compile(
    r"\bFOR\s+(?:NO\s+KEY\s+)?UPDATE\b|\bFOR\s+(?:KEY\s+)?SHARE\b|\bact_begin\b|\bON\s+CONFLICT\b|^\s*LOCK\b",
    re.IGNORECASE,
)
_WAITED_S: Final = 0.05  # a statement that took longer may have waited for a lock and has used up part of the budget
_REFUSAL_ATTEMPTS: Final = 5
_SINGLE: Final = "AUTOCOMMIT"  # of statements that stand for themselves


@dataclass(slots=True, kw_only=True)
class UnitOfWork:
    """One act inside one transaction.

    Attributes:
        connection: For the stores of this act only; it is gone when the act ends.
        actor: Who acts.
        at: Database clock of the act in ms, captured as the first thing the transaction did (AL1 L4.3).
        request: Id of the web request, for the record.
        patient: Whether the act waits for locks without a limit.
    """

    connection: Connection
    actor: Actor
    at: int
    request: str | None
    patient: bool
    _registry: Registry
    _recorded: bool = False
    _waited_ms: float = field(default=0.0)
    _lowered: bool = False
    _started: float = 0.0

    def captured(self, at_ms: int) -> None:
        """Take ``at_ms``, which a server-side function captured, as the instant of this act."""
        self.at = at_ms

    def act_begin(self, procedure_id: int, lot: str, stage: str) -> Capture:
        """Capture the instant of receipt and, for an act that is in time, lock the procedure row FOR SHARE (L4.3).

        The first statement of an act of a participant. An act after the deadline takes no lock.
        """
        capture = store.act_begin(self.connection, procedure_id, lot, stage)
        self.at = capture.received_at
        return capture

    def record(self, what: Event, *, at: int | None = None) -> Recorded:
        """Write the entry of ``what``; from now on this transaction takes no new row lock (rule L).

        Args:
            what: Registered kind and complete body, otherwise ``ValueError``.
            at: Instant of the record in ms, if it is not that of the act.
        """
        self._registry.check(what)
        moment = self.at if at is None else at
        record = record_bytes(
            what,
            actor=self.actor.account,
            on_behalf_of=self.actor.organisation,
            at=moment,
            request=self.request,
        )
        entry_id, h = store.add_entry(self.connection, what.procedure_id, what.kind, record)
        self._recorded = True
        return Recorded(entry_id=entry_id, h=h, kind=what.kind, at=moment, body=what.body)

    def wake(self, errand: str, arg: Mapping[str, Any], due_at_ms: int) -> int:
        """Insert an errand that becomes due at ``due_at_ms``, in the same transaction; return its id."""
        return store.add_errand(self.connection, errand, arg, due_at_ms)

    def before_statement(self, statement: str) -> None:
        """Enforce rule L, and lower the lock time-out after a wait so that all locks together take at most 4 s."""
        if self._recorded and _LOCKING.search(statement):
            raise AssertionError(f"rule L: a row lock after the first entry (AL1 L4.2): {statement}")
        if self._waited_ms and not self._lowered and not self.patient:
            self._lowered = True  # before the statement below, which passes through here itself
            left = max(1, int(LOCK_TIMEOUT_MS - self._waited_ms))
            self.connection.exec_driver_sql(f"SET LOCAL lock_timeout = {left}")
        self._started = time.monotonic()

    def after_statement(self) -> None:
        """Note how long the statement took, if that can have been a wait for a lock."""
        elapsed = time.monotonic() - self._started
        if elapsed > _WAITED_S:
            self._waited_ms += elapsed * 1000
            self._lowered = False


class Ledger:
    """Opens units of work for one role, and read-only and technical transactions beside them."""

    def __init__(self, engine: Engine, *, registry: Registry, reader: Engine | None = None) -> None:
        """Use ``engine`` for writing and ``reader`` (a replica, or the reading role) for ``read``."""
        self.registry = registry
        self._engine = engine
        self._reader = (reader or engine).execution_options(postgresql_readonly=True)
        # The reading role cannot write, in a transaction or without one; the writing role must be told.
        self._glancer = reader.execution_options(isolation_level=_SINGLE) if reader else self._reader
        self._desk = engine.execution_options(isolation_level=_SINGLE)
        if not event.contains(engine, "before_cursor_execute", _before_execute):
            event.listen(engine, "before_cursor_execute", _before_execute)
            event.listen(engine, "after_cursor_execute", _after_execute)

    @contextmanager
    def begin(
        self, actor: Actor, *, request: str | None = None, patient: bool = False, at: int | None = None
    ) -> Iterator[UnitOfWork]:
        """Open one act; commit when the block ends normally, roll back otherwise.

        Args:
            actor: Who acts.
            request: Id of the web request, for the record.
            patient: Wait for locks without a limit; for the closer alone, which waits for every act in time (L4.5).
            at: Instant of the act in ms, captured by whoever holds the clock of a demonstration still (P13).

        Raises:
            RuleBroken: ``busy``: no connection, or no lock, within 4 s (TE1 T4.3).
        """
        connection, captured = self._open(actor, at)
        unit = UnitOfWork(
            connection=connection, actor=actor, at=captured, request=request, patient=patient, _registry=self.registry
        )
        info = connection.info
        try:
            if patient:
                store.wait_for_locks(connection)
            info[_UNIT] = unit
            yield unit
            connection.commit()
        except OperationalError as error:
            if isinstance(error.orig, LockNotAvailable):
                raise RuleBroken("busy", "TE1 T4.3") from error
            raise
        finally:
            info.pop(_UNIT, None)
            connection.close()

    def refuse(self, actor: Actor, what: Event, *, at: int | None = None, request: str | None = None) -> Recorded:
        """Write a refusal in its own transaction, after the refused one was rolled back (P11).

        A refusal ``busy`` is written as soon as there is a connection; ``at`` is then captured anew (TE1 T4.3).
        """
        for _ in range(_REFUSAL_ATTEMPTS - 1):
            with suppress(RuleBroken), self.begin(actor, request=request) as unit:
                return unit.record(what, at=at)
        with self.begin(actor, request=request) as unit:
            return unit.record(what, at=at)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a READ ONLY transaction, possibly on a replica; a statement that writes fails in PostgreSQL."""
        with _connect(self._reader) as connection:
            yield connection
            connection.commit()  # nothing is kept; but after a rollback the driver plans every statement anew

    @contextmanager
    def glance(self, *, credentials: bool = False) -> Iterator[Connection]:
        """Read without a transaction, which under READ COMMITTED gives no common picture and costs two round trips.

        For what is asked at every request. Not for what row-level security must be told in the same transaction.

        Args:
            credentials: Read as the writing role, which alone sees tokens; nothing is written here either.
        """
        with _connect(self._desk if credentials else self._glancer) as connection:
            yield connection

    @contextmanager
    def upkeep(self) -> Iterator[Connection]:
        """Open a transaction for tables of the desk, which are no record; commit when the block ends normally."""
        with _connect(self._engine) as connection:
            yield connection
            connection.commit()

    @staticmethod
    def platform_time(connection: Connection) -> int:
        """Return the database clock in ms, for what is no act: rows of the desk, pages that show the time."""
        return store.platform_time(connection)

    def _open(self, actor: Actor, at: int | None) -> tuple[Connection, int]:
        """Return a connection inside a transaction that knows its actor, and the instant captured there.

        The server may have closed a pooled connection since its last use. Nothing has happened before this first
        statement, so it is safe to send it once more on a new connection.
        """
        connection = _connect(self._engine)
        try:
            return connection, store.open_act(connection, actor, at)
        except DBAPIError as error:
            connection.close()
            if not error.connection_invalidated:
                raise
        connection = _connect(self._engine)
        return connection, store.open_act(connection, actor, at)


def _connect(engine: Engine) -> Connection:
    try:
        return engine.connect()
    except (PoolTimeout, OperationalError) as error:
        raise RuleBroken("busy", "TE1 T4.3") from error


def _before_execute(connection: Connection, _cursor: object, statement: str, *_others: object) -> None:
    unit: UnitOfWork | None = connection.info.get(_UNIT)
    if unit is not None:
        unit.before_statement(statement)


def _after_execute(connection: Connection, *_others: object) -> None:
    unit: UnitOfWork | None = connection.info.get(_UNIT)
    if unit is not None:
        unit.after_statement()
