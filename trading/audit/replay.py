"""``mingbiao verify-audit``: is the stored state the fold of its history? (AL1 L11.3, P5 item 4).

Packages declare ``FOLDS``: kind → function that applies one record to a ``State``, a plain picture of the rows that the
record is responsible for. The picture is then compared with the database column by column. Only what a fold has written
is compared, but a stored row that no record explains is always named.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, Table, select

from trading.audit.rules.record import parse_record
from trading.audit.tables import audit_entry, log_position
from trading.db import metadata
from trading.kernel.errors import InvalidInput, MingbiaoError

_SCHEMA: Final = "record"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """A place where database and history differ. ``column`` is ``*`` for a whole row."""

    table: str
    id: object
    column: str
    stored: object
    expected: object


@dataclass(slots=True, kw_only=True)
class State:
    """What the records of one procedure say so far; ``procedure_id`` is None for records of no procedure.

    Attributes:
        rows: Table name → key → column → value. The key is the tuple of ``Replayed.key`` columns.
        facts: Whatever a fold needs to remember that is no row.
        entry_id: Row id of the record that is being folded.
    """

    procedure_id: int | None
    rows: dict[str, dict[Hashable, dict[str, object]]] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    entry_id: int = 0

    def row(self, table: str, *key: Hashable) -> dict[str, object]:
        """Return the row that this record creates or changes; it names this entry from now on."""
        found = self.rows.setdefault(table, {}).setdefault(key, {})
        found["entry_id"] = self.entry_id
        return found

    def known(self, table: str, *key: Hashable) -> dict[str, object] | None:
        """Return a row without changing it, or None."""
        return self.rows.get(table, {}).get(key)


#: Applies one record, given as data, to the state.
Fold: TypeAlias = Callable[[State, Mapping[str, Any]], None]
#: Compares what the rows of ``State.rows`` cannot express.
Compare: TypeAlias = Callable[[Connection, State], Iterable[Mismatch]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """A table of schema ``record`` that folds rebuild: its name and the columns that find a row inside a procedure."""

    table: str
    key: tuple[str, ...]


def replay(
    conn: Connection, folds: Mapping[str, Fold], tables: Sequence[Replayed], compare: Sequence[Compare] = ()
) -> list[Mismatch]:
    """Fold every history and compare it with the stored rows; also compare rows with the entries they name.

    Args:
        conn: One snapshot (REPEATABLE READ) of a role that may read ``log`` and ``record``.
        folds: Of all packages; a kind without a fold changes no row.
        tables: Of all packages.
        compare: Further comparisons of all packages.
    """
    return [*foreign_entries(conn), *histories(conn, folds, tables, compare)]


def histories(
    conn: Connection, folds: Mapping[str, Fold], tables: Sequence[Replayed], compare: Sequence[Compare] = ()
) -> list[Mismatch]:
    """Fold every history and compare it with the stored rows, as far as the role of ``conn`` sees them."""
    found: list[Mismatch] = []
    for procedure_id in _histories(conn):
        state = State(procedure_id=procedure_id)
        found += _fold(conn, state, folds)
        for each in tables:
            found += _compare_table(conn, state, each)
        for further in compare:
            found += further(conn, state)
    return found


def foreign_entries(conn: Connection) -> Iterator[Mismatch]:
    """Yield every row whose entry does not exist, is of another procedure, or is neither logged nor waiting."""
    for table in sorted(metadata.tables.values(), key=lambda each: each.name):
        if table.schema != _SCHEMA:
            continue
        query = _FOREIGN.format(table=table.name, procedure=_procedure_of(table))
        for row in conn.exec_driver_sql(query):
            yield Mismatch(table=table.name, id=row.id, column="entry_id", stored=row.entry_id, expected=row.fault)


_FOREIGN: Final = """
    SELECT r.id, r.entry_id,
           CASE WHEN e.id IS NULL THEN 'an entry that exists'
                WHEN e.procedure_id IS DISTINCT FROM {procedure} THEN 'an entry of the same procedure'
                ELSE 'an entry of the log' END AS fault
      FROM record.{table} r
      LEFT JOIN log.audit_entry e ON e.id = r.entry_id
     WHERE e.id IS NULL OR e.procedure_id IS DISTINCT FROM {procedure}
        OR NOT EXISTS (SELECT 1 FROM log.log_position p WHERE p.entry_id = e.id)
       AND NOT EXISTS (SELECT 1 FROM log.audit_queue q WHERE q.entry_id = e.id)
     ORDER BY r.id
"""


def _procedure_of(table: Table) -> str:
    if table.name == "procedure":
        return "r.id"
    return "r.procedure_id" if "procedure_id" in table.c else "NULL::bigint"


def _histories(conn: Connection) -> list[int | None]:
    return list(conn.execute(select(audit_entry.c.procedure_id).distinct()).scalars())


def _fold(conn: Connection, state: State, folds: Mapping[str, Fold]) -> Iterator[Mismatch]:
    """Apply the records in log order, then those that still wait, in the order in which they will be logged."""
    query = (
        select(audit_entry.c.id, audit_entry.c.kind, audit_entry.c.record)
        .outerjoin_from(audit_entry, log_position, log_position.c.entry_id == audit_entry.c.id)
        .where(audit_entry.c.procedure_id.is_not_distinct_from(state.procedure_id))
        .order_by(log_position.c.n.nulls_last(), audit_entry.c.id)
    )
    for row in conn.execute(query):
        state.entry_id = row.id
        try:
            record = parse_record(bytes(row.record))
            if record["kind"] != row.kind:
                raise InvalidInput("record.kind", f"the record says {record['kind']}")
            if fold := folds.get(row.kind):
                fold(state, record)
        except (MingbiaoError, KeyError, ValueError, TypeError) as error:
            # A record that cannot be applied is a finding like any other; the rest of the history is still compared.
            yield Mismatch(table="audit_entry", id=row.id, column="record", stored=row.kind, expected=repr(error))


def _compare_table(conn: Connection, state: State, replayed: Replayed) -> Iterator[Mismatch]:
    table = metadata.tables[f"{_SCHEMA}.{replayed.table}"]
    expected = dict(state.rows.get(replayed.table, {}))
    for row in _stored(conn, table, state.procedure_id):
        key = tuple(row[column] for column in replayed.key)
        wanted = expected.pop(key, None)
        if wanted is None:
            yield Mismatch(table=replayed.table, id=row["id"], column="*", stored=key, expected=None)
            continue
        for column, value in wanted.items():
            if _plain(row[column]) != _plain(value):
                yield Mismatch(table=replayed.table, id=row["id"], column=column, stored=row[column], expected=value)
    for unmatched in expected:
        yield Mismatch(table=replayed.table, id=None, column="*", stored=None, expected=unmatched)


def _stored(conn: Connection, table: Table, procedure_id: int | None) -> Iterator[Mapping[str, Any]]:
    query = select(table)
    if table.name == "procedure":
        if procedure_id is None:
            return
        query = query.where(table.c.id == procedure_id)
    elif "procedure_id" in table.c:
        query = query.where(table.c.procedure_id.is_not_distinct_from(procedure_id))
    elif procedure_id is not None:
        return  # rows outside any procedure belong to the history without one
    for row in conn.execute(query).mappings():
        yield {column.name: row[column.name] for column in table.c}


def _plain(value: object) -> object:
    """Compare sequences of the driver and of the fold alike."""
    if isinstance(value, memoryview):
        return bytes(value)
    return list(value) if isinstance(value, tuple) else value
