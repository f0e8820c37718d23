"""``mingbiao verify-audit``: is the stored state the fold of its history? (AL1 L11.3, P5 item 4).

Packages declare ``FOLDS``: kind → function that applies one record to a ``State``, a plain picture of the rows that the
record is responsible for. The picture is then compared with the database column by column. Only what a fold has written
is compared, but a stored row that no record explains is always named. Every finding says at which entry: that of the
record which the stored value contradicts.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, RowMapping, Table, TableClause, select

from trading.audit.rules.record import parse_record
from trading.audit.tables import audit_entry, log_position
from trading.db import metadata
from trading.kernel.errors import InvalidInput, MingbiaoError

_SCHEMA: Final = "record"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """A place where database and history differ.

    Attributes:
        table: In schema ``record``, or ``audit_entry`` for a record that cannot be applied.
        id: Of the stored row; None if it is gone.
        column: ``*`` for a whole row.
        stored: Its value, or a digest where the value itself is kept from auditors.
        expected: What the records say; None if no record explains the row.
        entry_id: Row id of the record that says so, else of the one that the stored row names.
        n: Its index in the log; None while it waits, or if there is no such record.
    """

    table: str
    id: object
    column: str
    stored: object
    expected: object
    entry_id: int | None = None
    n: int | None = None


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
    return [*_placed(conn, list(foreign_entries(conn))), *histories(conn, folds, tables, compare)]


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
            found += _compared(further(conn, state), state)
    return _placed(conn, found)


def _compared(found: Iterable[Mismatch], state: State) -> Iterator[Mismatch]:
    """Yield what a comparison finds; damage with which it cannot go on is a finding, the others still follow."""
    try:
        yield from found
    except (MingbiaoError, KeyError, ValueError, TypeError) as error:
        stored, expected = repr(error), "rows that can be compared"
        yield Mismatch(table="procedure", id=state.procedure_id, column="*", stored=stored, expected=expected)


def _placed(conn: Connection, found: Sequence[Mismatch]) -> list[Mismatch]:
    """Return the findings, each with its record and the record's index in the log."""
    unknown: dict[str, list[object]] = {}
    for each in found:
        if each.entry_id is None and each.id is not None:
            unknown.setdefault(each.table, []).append(each.id)
    stored: dict[tuple[str, object], int] = {}
    for name, ids in unknown.items():
        table = _seen(metadata.tables[f"{_SCHEMA}.{name}"])
        query = select(table.c.id, table.c.entry_id).where(table.c.id.in_(ids))
        stored |= {(name, row.id): row.entry_id for row in conn.execute(query)}
    known = [replace(each, entry_id=each.entry_id or stored.get((each.table, each.id))) for each in found]
    entries = {each.entry_id for each in known if each.entry_id is not None}
    positions = select(log_position.c.entry_id, log_position.c.n).where(log_position.c.entry_id.in_(entries))
    places = {row.entry_id: row.n for row in conn.execute(positions)} if entries else {}
    return [replace(each, n=places.get(each.entry_id)) for each in known]


def foreign_entries(conn: Connection) -> Iterator[Mismatch]:
    """Yield every row whose entry does not exist, is of another procedure, or is neither logged nor waiting."""
    for table in sorted(metadata.tables.values(), key=lambda each: each.name):
        if table.schema != _SCHEMA:
            continue
        query = _FOREIGN.format(table=_seen(table).name, procedure=_procedure_of(table))
        for row in conn.exec_driver_sql(query):
            stored = row.entry_id
            yield Mismatch(
                table=table.name, id=row.id, column="entry_id", stored=stored, expected=row.fault, entry_id=stored
            )


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


def _seen(table: Table) -> TableClause:
    """Return the table, or the view of digests that shows an auditor what he may not read (``info`` of the table)."""
    shown: TableClause = table.info.get("shown", table)
    return shown


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
            yield Mismatch(
                table="audit_entry",
                id=row.id,
                column="record",
                stored=row.kind,
                expected=repr(error),
                entry_id=row.id,
            )


def _compare_table(conn: Connection, state: State, replayed: Replayed) -> Iterator[Mismatch]:
    name = replayed.table
    table = _seen(metadata.tables[f"{_SCHEMA}.{name}"])
    expected = dict(state.rows.get(name, {}))
    for row in _stored(conn, table, state.procedure_id):
        key = tuple(row[column] for column in replayed.key)
        wanted = expected.pop(key, None)
        if wanted is None:
            entry_id = row["entry_id"]
            yield Mismatch(table=name, id=row["id"], column="*", stored=key, expected=None, entry_id=entry_id)
            continue
        yield from differences(name, row, wanted)
    for gone, wanted in expected.items():
        yield Mismatch(table=name, id=None, column="*", stored=None, expected=gone, entry_id=_entry_of(wanted))


def differences(
    table: str, row: Mapping[str, Any] | RowMapping, expected: Mapping[str, object], entry_id: int | None = None
) -> Iterator[Mismatch]:
    """Yield every column in which a stored row is not as expected.

    ``entry_id`` is the record that says so; without it, the one that the expected row names, else the stored one.
    """
    entry_id = entry_id or _entry_of(expected) or row["entry_id"]
    for column, value in expected.items():
        if _plain(row[column]) != _plain(value):
            yield Mismatch(
                table=table, id=row["id"], column=column, stored=row[column], expected=value, entry_id=entry_id
            )


def _entry_of(expected: Mapping[str, object]) -> int | None:
    found = expected.get("entry_id")
    return found if isinstance(found, int) else None


def _stored(conn: Connection, table: TableClause, procedure_id: int | None) -> Iterator[Mapping[str, Any]]:
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
