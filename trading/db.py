"""Engines by role, the shared metadata, column types and the statements that guard a table (AL1 L3).

SQLAlchemy Core only. Every engine talks to one PostgreSQL server as one role; the role, not this module, decides what a
process may do. Instants are integers in milliseconds everywhere in Python and ``timestamptz`` in the database.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import TIMESTAMP, BigInteger, Column, Connection, Engine, ForeignKey, MetaData, create_engine, make_url
from sqlalchemy.engine import URL, Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine
from typing_extensions import override

LOCK_TIMEOUT_MS = 4_000  # for all locks of one act together, shorter than the drain of 5 s (AL1 L4.3)
ACQUIRE_TIMEOUT_S = 4.0  # no connection within this time is the refusal ``busy`` (TE1 T4.3)
IDLE_IN_TRANSACTION_MS = 30_000  # a process that hangs inside an act must not hold up a closer for ever

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_TABLE = re.compile(r"record\.[a-z][a-z0-9_]{0,62}\Z")
_COLUMN = re.compile(r"[a-z][a-z0-9_]{0,62}\Z")


def to_ms(instant: datetime) -> int:
    """Return an aware instant as milliseconds since the epoch, rounded down.

    Rounding down keeps ``received_at < close`` true for the last microseconds before a deadline (TE1 T1).
    """
    return (instant - _EPOCH) // _MILLISECOND


def from_ms(ms: int) -> datetime:
    """Return milliseconds since the epoch as an aware UTC instant."""
    return _EPOCH + timedelta(milliseconds=ms)


class Instant(TypeDecorator[int]):
    """``timestamptz`` in the database, integer milliseconds in Python."""

    impl: TypeEngine[Any] | type[TypeEngine[Any]] = TIMESTAMP(timezone=True)
    cache_ok: bool | None = True

    @override
    def process_bind_param(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else from_ms(value)

    @override
    def process_result_value(self, value: Any | None, dialect: Dialect) -> int | None:
        return None if value is None else to_ms(value)


def entry_column() -> Column[int]:
    """Return the ``entry_id`` column of every table of schema ``record``: the entry that last changed the row."""
    return Column("entry_id", BigInteger, ForeignKey("log.audit_entry.id"), nullable=False)


def psycopg_url(url: str) -> URL:
    """Return ``url`` with the psycopg driver named, whatever driver or none the configuration wrote."""
    return make_url(url).set(drivername="postgresql+psycopg")


def open_engine(url: str, *, pool_size: int, application: str, acquire_s: float = ACQUIRE_TIMEOUT_S) -> Engine:
    """Return an engine of ``pool_size`` connections, which must be at least the number of threads that use it.

    No overflow and no ping before use: a connection that the server closed is replaced by the ledger at its first
    statement, when nothing has happened yet. Waiting longer than ``acquire_s`` raises ``sqlalchemy.exc.TimeoutError``.
    """
    settings = f"-c lock_timeout={LOCK_TIMEOUT_MS} -c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_MS}"
    return create_engine(
        psycopg_url(url),
        pool_size=pool_size,
        max_overflow=0,
        hide_parameters=True,  # an error message must not tell what was in a bid
        pool_use_lifo=True,  # few connections stay warm, with their prepared statements; the others idle
        pool_timeout=acquire_s,
        pool_pre_ping=False,
        isolation_level="READ COMMITTED",
        connect_args={
            "application_name": application,
            "prepare_threshold": 1,  # every statement comes again
            "options": f"{settings} -c timezone=UTC -c jit=off",  # no statement is so long that compiling it pays
            "connect_timeout": max(1, int(acquire_s)),
        },
    )


def run_script(connection: Connection, script: str) -> None:
    """Run several statements without parameters; percent signs in them mean themselves."""
    connection.exec_driver_sql(script.replace("%", "%%"))


def guarded_ddl(table: str, procedure_column: str | None) -> list[str]:
    """Return the statements that guard a table of schema ``record``: triggers, ENABLE ALWAYS, grants (AL1 L3).

    Args:
        table: ``record.<name>``; the table has the columns ``id`` and ``entry_id``.
        procedure_column: Column that holds the procedure id (``"procedure_id"``; ``"id"`` for ``record.procedure``),
            or None for a table outside any procedure.

    Raises:
        ValueError: A name that is not a plain identifier. A bug.
    """
    if not _TABLE.match(table) or (procedure_column is not None and not _COLUMN.match(procedure_column)):
        raise ValueError(f"{table!r} or {procedure_column!r} is not a plain name")
    argument = "" if procedure_column is None else f"'{procedure_column}'"
    guard, keep = (
        f"FOR EACH ROW EXECUTE FUNCTION log.guard({argument})",
        "FOR EACH STATEMENT EXECUTE FUNCTION log.refuse()",
    )
    return [
        f"CREATE TRIGGER a_guard BEFORE INSERT OR UPDATE ON {table} {guard}",
        f"CREATE TRIGGER b_keep BEFORE DELETE OR TRUNCATE ON {table} {keep}",
        f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER a_guard",
        f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER b_keep",
        f"GRANT SELECT, INSERT, UPDATE ON {table} TO trading_web, trading_worker",
        f"GRANT SELECT ON {table} TO trading_reader, trading_auditor",
    ]
