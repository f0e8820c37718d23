"""Unit of work and ledger: the only file that commits (architecture, The write path; AL1 L4).

One use case is one ``with ledger.begin(actor)``: one transaction, READ COMMITTED, rolled back unless the block ends
normally. Rule L (AL1 L4.2): every row lock is taken before the first entry; a locking statement after ``record()`` is a
bug and raises. Nothing inside a unit of work may touch the network, files, mail or the queue.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

from psycopg.errors import LockNotAvailable
from psycopg.types.json import Jsonb
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from trading.audit.model import Capture, Recorded
from trading.db import LOCK_TIMEOUT_MS, from_ms, to_ms
from trading.kernel import canonical
from trading.kernel.errors import RuleBroken
from trading.kernel.events import Event, Registry
from trading.kernel.ids import new_row_id
from trading.kernel.roles import Actor

_UNIT: Final = "mingbiao.unit"
_LOCKING: Final = re.compile(
    r"\bFOR\s+(?:NO\s+KEY\s+)?UPDATE\b|\bFOR\s+(?:KEY\s+)?SHARE\b|\bact_begin\b|\bON\s+CONFLICT\b|^\s*LOCK\b",
    re.IGNORECASE,
)
_WAITED_S: Final = 0.05  # a statement that took longer may have waited for a lock and has used up part of the budget
_REFUSAL_ATTEMPTS: Final = 5
_OPEN: Final = (
    "SELECT set_config('mingbiao.actor', %s, true), set_config('mingbiao.organisation', %s, true),"
    " set_config('mingbiao.roles', %s, true), log.platform_time()"
)
_ACT_BEGIN: Final = "SELECT received_at, phase, close_at, hold FROM log.act_begin(%s, %s, %s)"
_INSERT: Final = (
    "INSERT INTO log.audit_entry (procedure_id, kind, record, nonce) VALUES (%s, %s, %s, %s) RETURNING id, h"
)
_WAKE: Final = "INSERT INTO desk.errand (id, name, arg, due_at) VALUES (%s, %s, %s, %s)"


@dataclass(slots=True, kw_only=True)
class UnitOfWork:
    """One act inside one transaction.

    Attributes:
        connection: For the stores of this act only; it is gone when the act ends.
        actor: Who acts.
        at: Database clock of the act in ms, captured as the first thing the transaction did (AL1 L4.3).
        request: Id of the web request, for the record.
    """

    connection: Connection
    actor: Actor
    at: int
    request: str | None
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
        row = self.connection.exec_driver_sql(_ACT_BEGIN, (procedure_id, lot, stage)).one()
        self.at = to_ms(row.received_at)
        close_at = None if row.close_at is None else to_ms(row.close_at)
        return Capture(received_at=self.at, phase=row.phase, close_at=close_at, hold=row.hold)

    def record(self, what: Event, *, at: int | None = None) -> Recorded:
        """Write the entry of ``what``; from now on this transaction takes no new row lock (rule L).

        Args:
            what: Registered kind and complete body, otherwise ``ValueError``.
            at: Instant of the record in ms, if it is not that of the act.
        """
        self._registry.check(what)
        moment = self.at if at is None else at
        record = canonical.dumps(
            {
                "actor": self.actor.account,
                "article": what.article,
                "at": moment,
                "body": dict(what.body),
                "kind": what.kind,
                "on_behalf_of": self.actor.organisation,
                "procedure": what.procedure,
                "request": self.request,
                "subject": what.subject,
                "v": 1,
            }
        )
        values = (what.procedure_id, what.kind, record, secrets.token_bytes(32))
        row = self.connection.exec_driver_sql(_INSERT, values).one()
        self._recorded = True
        return Recorded(entry_id=row.id, h=bytes(row.h), kind=what.kind, at=moment, body=what.body)

    def wake(self, errand: str, arg: Mapping[str, Any], due_at_ms: int) -> int:
        """Insert an errand that becomes due at ``due_at_ms``, in the same transaction; return its id."""
        errand_id = new_row_id()
        self.connection.exec_driver_sql(_WAKE, (errand_id, errand, Jsonb(dict(arg)), from_ms(due_at_ms)))
        return errand_id

    def before_statement(self, statement: str) -> None:
        """Enforce rule L, and lower the lock time-out after a wait so that all locks together take at most 4 s."""
        if self._recorded and _LOCKING.search(statement):
            raise AssertionError(f"rule L: a row lock after the first entry (AL1 L4.2): {statement}")
        if self._waited_ms and not self._lowered:
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
        if not event.contains(engine, "before_cursor_execute", _before_execute):
            event.listen(engine, "before_cursor_execute", _before_execute)
            event.listen(engine, "after_cursor_execute", _after_execute)

    @contextmanager
    def begin(self, actor: Actor, *, request: str | None = None) -> Iterator[UnitOfWork]:
        """Open one act; commit when the block ends normally, roll back otherwise.

        Raises:
            RuleBroken: ``busy``: no connection, or no lock, within 4 s (TE1 T4.3).
        """
        connection, at = self._open(actor)
        unit = UnitOfWork(connection=connection, actor=actor, at=at, request=request, _registry=self.registry)
        info = connection.info
        try:
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

    @contextmanager
    def upkeep(self) -> Iterator[Connection]:
        """Open a transaction for tables of the desk, which are no record; commit when the block ends normally."""
        with _connect(self._engine) as connection:
            yield connection
            connection.commit()

    def _open(self, actor: Actor) -> tuple[Connection, int]:
        """Return a connection inside a transaction that knows its actor, and the instant captured there.

        The server may have closed a pooled connection since its last use. Nothing has happened before this first
        statement, so it is safe to send it once more on a new connection.
        """
        roles = ",".join(sorted(actor.roles))
        values = (actor.account, actor.organisation or "", roles)
        connection = _connect(self._engine)
        try:
            row = connection.exec_driver_sql(_OPEN, values).one()
        except DBAPIError as error:
            connection.close()
            if not error.connection_invalidated:
                raise
            connection = _connect(self._engine)
            row = connection.exec_driver_sql(_OPEN, values).one()
        return connection, to_ms(row.platform_time)


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
