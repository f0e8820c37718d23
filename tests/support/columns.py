"""Change one column of one row behind the platform's back, and ask ``verify-audit`` whether it notices (AL1 L11.3)."""

# ruff: noqa: S608 - the names are those of tables and columns of the schema

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Column, Connection, NullPool, Table, create_engine, types

from tests.support.databases import Database
from trading.audit.replay import Mismatch, replay
from trading.commands.folds import COMPARES, FOLDS, REPLAYED
from trading.db import Instant, metadata, psycopg_url

HOUR = "interval '1 hour'"
FLIPPED = "set_byte({0}, 0, get_byte({0}, 0) # 1)"
ANOTHER_ENTRY = """(SELECT max(e.id) FROM log.audit_entry e JOIN log.audit_entry own ON own.id = entry_id
     WHERE e.id <> own.id AND e.procedure_id IS NOT DISTINCT FROM own.procedure_id)"""


def tables_of(*names: str) -> list[Table]:
    """Return tables of the record by name."""
    return [metadata.tables[f"record.{name}"] for name in names]


@contextmanager
def owner_of(database: Database, tables: Iterable[Table]) -> Iterator[Connection]:
    """Yield a superuser's transaction in which no trigger fires; whatever happens in it is rolled back."""
    engine = create_engine(psycopg_url(database.url("postgres")), poolclass=NullPool)
    with engine.connect() as conn:
        conn.exec_driver_sql("SET LOCAL session_replication_role = replica")
        for table in tables:
            conn.exec_driver_sql(f"ALTER TABLE record.{table.name} DISABLE TRIGGER ALL")
        yield conn
        conn.rollback()


def audited(conn: Connection) -> list[Mismatch]:
    """Return everything that the replay of every package finds."""
    return replay(conn, FOLDS, REPLAYED, COMPARES)


def missed_columns(conn: Connection, table: Table) -> set[tuple[str, str]]:
    """Return (table, column) of every column in which a change is not found, or which no row fills."""
    assert not (found := audited(conn)), found
    return {(table.name, column.name) for column in table.c if column.name != "id" and _is_missed(conn, table, column)}


def _is_missed(conn: Connection, table: Table, column: Column[Any]) -> bool:
    """Change the column in one row, audit, and undo it; True if nothing was found, or there was nothing to change."""
    undo = conn.begin_nested()
    try:
        target = f"SELECT max(id) FROM record.{table.name} WHERE {column.name} IS NOT NULL"
        changed = f"UPDATE record.{table.name} SET {column.name} = {_changed_value(column)} WHERE id = ({target})"
        return conn.exec_driver_sql(changed).rowcount == 0 or not audited(conn)
    finally:
        undo.rollback()


def _changed_value(column: Column[Any]) -> str:
    if column.name == "entry_id":
        return ANOTHER_ENTRY  # of the same procedure
    match column.type:
        case Instant():
            return f"{column.name} + {HOUR}"
        case types.ARRAY():
            return f"array_append({column.name}, 'x')"
        case types.LargeBinary():
            return FLIPPED.format(column.name)
        case types.Boolean():
            return f"NOT {column.name}"
        case types.Date():
            return f"{column.name} + 1000"
        case types.Integer():
            return f"{column.name} + 1000"  # no neighbour of a unique number has this one
        case _:
            return f"{column.name} || 'x'"
