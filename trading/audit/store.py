"""The statements of the write path. Each is one round trip; the driver prepares them once per connection."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, Final

from psycopg.types.json import Jsonb
from sqlalchemy import Connection

from trading.audit.model import Capture
from trading.audit.rules.chain import NONCE_BYTES
from trading.db import from_ms, to_ms
from trading.kernel.ids import new_row_id
from trading.kernel.roles import Actor

_NAME: Final = (
    "SELECT set_config('mingbiao.actor', %s, true), set_config('mingbiao.organisation', %s, true),"
    " set_config('mingbiao.roles', %s, true)"
)
_OPEN: Final = f"{_NAME}, log.platform_time()"
_ACT_BEGIN: Final = "SELECT received_at, phase, close_at, hold FROM log.act_begin(%s, %s, %s)"
_INSERT: Final = (
    "INSERT INTO log.audit_entry (procedure_id, kind, record, nonce) VALUES (%s, %s, %s, %s) RETURNING id, h"
)
_WAKE: Final = "INSERT INTO desk.errand (id, name, arg, due_at) VALUES (%s, %s, %s, %s)"


def open_act(connection: Connection, actor: Actor, at: int | None = None) -> int:
    """Tell the transaction its actor, for row policies, and return the database clock in ms (AL1 L4.3).

    ``at`` is an instant that was captured already; then the clock is not read.
    """
    values = (actor.account, actor.organisation or "", ",".join(sorted(actor.roles)))
    if at is not None:
        connection.exec_driver_sql(_NAME, values)
        return at
    return to_ms(connection.exec_driver_sql(_OPEN, values).one().platform_time)


def wait_for_locks(connection: Connection) -> None:
    """Take the lock time-out off this transaction."""
    connection.exec_driver_sql("SET LOCAL lock_timeout = 0")


def platform_time(connection: Connection) -> int:
    """Return the database clock in ms."""
    return to_ms(connection.exec_driver_sql("SELECT log.platform_time()").scalar_one())


def act_begin(connection: Connection, procedure_id: int, lot: str, stage: str) -> Capture:
    """Capture the instant of receipt, then lock the procedure row if the act is in time (AL1 L4.3)."""
    row = connection.exec_driver_sql(_ACT_BEGIN, (procedure_id, lot, stage)).one()
    close_at = None if row.close_at is None else to_ms(row.close_at)
    return Capture(received_at=to_ms(row.received_at), phase=row.phase, close_at=close_at, hold=row.hold)


def add_entry(connection: Connection, procedure_id: int | None, kind: str, record: bytes) -> tuple[int, bytes]:
    """Insert an entry under a fresh nonce; return its id and its commitment ``h``."""
    values = (procedure_id, kind, record, secrets.token_bytes(NONCE_BYTES))
    row = connection.exec_driver_sql(_INSERT, values).one()
    return row.id, bytes(row.h)


def add_errand(connection: Connection, name: str, arg: Mapping[str, Any], due_at_ms: int) -> int:
    """Insert an errand and return its id."""
    errand_id = new_row_id()
    connection.exec_driver_sql(_WAKE, (errand_id, name, Jsonb(dict(arg)), from_ms(due_at_ms)))
    return errand_id
