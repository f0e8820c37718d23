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
from trading.disclosure import folds as disclosure
from trading.evaluation import folds as evaluation
from trading.experts import folds as experts
from trading.pool import folds as pool

#: Columns that hold one of a few words, by table.
_CHOSEN = {
    "pool_file": {"via": ["unit", "import"], "state": ["asked", "withdrawn"]},
    "pool_act": {"duty": ["keeps", "qualifies"]},
    "pool_sanction": {"measure": ["fine", "ban"]},
}

HOUR = "interval '1 hour'"
FLIPPED = "set_byte({0}, 0, get_byte({0}, 0) # 1)"
ANOTHER_ENTRY = """(SELECT max(e.id) FROM log.audit_entry e JOIN log.audit_entry own ON own.id = entry_id
     WHERE e.id <> own.id AND e.procedure_id IS NOT DISTINCT FROM own.procedure_id)"""


def tables_of(*names: str) -> list[Table]:
    """Return tables of the record by name."""
    return [metadata.tables[f"record.{name}"] for name in names]


#: Tables whose rows other rows name by their number. Elsewhere it says nothing, and no record names it (ADR 0045).
NUMBERED = frozenset({"bid", "procedure"})

# Tables of which a tender that is played to its end without a committee has no rows, by the test that fills them.
QUESTIONS = tables_of("question", "answer")  # usecases/clarifications
CONTRACTS = tables_of("contract")  # web/test_agency_desk.py
PUBLICATIONS = tables_of("publication")  # usecases/notices
EVALUATION = tables_of(*(each.table for each in evaluation.REPLAYED if each.table != "ranking"))  # usecases/evaluation
EXPERTS = tables_of("expert", *(each.table for each in experts.REPLAYED))  # usecases/experts
POOL = tables_of(*(each.table for each in pool.REPLAYED if each.table != "appraisal"))  # usecases/pool
APPRAISALS = tables_of("appraisal")  # usecases/pool, with a procedure
DISCLOSURE = tables_of(*(each.table for each in disclosure.REPLAYED))  # usecases/disclosure
APART = (*DISCLOSURE, *POOL, *APPRAISALS, *QUESTIONS, *CONTRACTS, *PUBLICATIONS, *EVALUATION, *EXPERTS)


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
    """Return (table, column) of every column in which a change is not found; one that no row fills is filled."""
    assert not (found := audited(conn)), found
    # What the database derives from another column is changed with it and by nobody.
    columns = [column for column in table.c if column.computed is None]
    return {(table.name, column.name) for column in columns if _is_missed(conn, table, column)}


def unnamed(table: Table) -> set[tuple[str, str]]:
    """Return the one column in which no change is found, and which is not in ``NUMBERED``: the row's number."""
    return set() if table.name in NUMBERED else {(table.name, "id")}


def _is_missed(conn: Connection, table: Table, column: Column[Any]) -> bool:
    """Change the column in one row, audit, and undo it; True if nothing was found."""
    undo = conn.begin_nested()
    try:
        if not _update(conn, table, column, "IS NOT NULL", _changed_value(column)):
            assert _update(conn, table, column, "IS NULL", _first_value(column)), f"{table.name} has no row"
        return not (_compared(conn, table) or audited(conn))
    finally:
        undo.rollback()


def _compared(conn: Connection, table: Table) -> list[Mismatch]:
    """Return what the replay finds when it compares this one table; whatever it is, the whole replay finds it, too."""
    return replay(conn, FOLDS, [each for each in REPLAYED if each.table == table.name])


def _update(conn: Connection, table: Table, column: Column[Any], which: str, value: str) -> int:
    target = f"SELECT max(id) FROM record.{table.name} WHERE {column.name} {which}"
    return conn.exec_driver_sql(
        f"UPDATE record.{table.name} SET {column.name} = {value} WHERE id = ({target})"
    ).rowcount


def _first_value(column: Column[Any]) -> str:
    match column.type:
        case Instant():
            return "now()"
        case types.ARRAY():
            return "'{x}'"
        case types.LargeBinary():
            return "'\\x01'"
        case types.Date():
            return "'2026-01-01'"
        case types.Boolean() | types.Integer():
            return "'1'"
        case _:
            return "'x'"


def _changed_value(column: Column[Any]) -> str:
    if column.name == "entry_id":
        return ANOTHER_ENTRY  # of the same procedure
    if column.table.name == "pool_dossier" and column.name == "body":
        return "body || ' '"  # the database reads it as JSON
    if column.table.name in _CHOSEN and column.name in _CHOSEN[column.table.name]:
        words = _CHOSEN[column.table.name][column.name]
        return f"(SELECT each FROM unnest(ARRAY{words}) each WHERE each <> {column.name} LIMIT 1)"
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
