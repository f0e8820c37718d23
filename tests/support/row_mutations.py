"""Random changes of rows of the record, as somebody makes them who has the database's own keys (reliability F30).

One value is changed, filled, emptied or exchanged with that of another row; a row is deleted, copied, or inserted with
one value that is new. The replay must say so, and a finding must name the table and the row. No column and no row is
left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from sqlalchemy import Column, Connection, Table, select, types
from sqlalchemy.exc import DataError, IntegrityError

from tests.campaigns.test_tamper import Dice, flip
from tests.support.campaigns import LONG
from tests.support.columns import NUMBERED, audited
from trading.audit.replay import Mismatch
from trading.db import metadata
from trading.kernel.ids import new_row_id

#: For each installation that a test has played; in long runs 1,000 in all.
ROUNDS: Final = 334 if LONG else 3
#: For each of the few tables that those installations leave empty.
FEW: Final = 100 if LONG else 1
_TRIES: Final = 40  # a drawn change may break a constraint of the table, or change nothing


@dataclass(frozen=True)
class Changed:
    """What was done, to which table, and the ids by which a finding may name the row; None for one that is gone."""

    what: str
    table: str
    ids: frozenset[object]

    def is_named_by(self, found: Sequence[Mismatch]) -> bool:
        """Whether a finding names the row: rows that depend on it may be named before it."""
        return any(each.table == self.table and each.id in self.ids for each in found)


class RowMutations:
    """Draws changes of the rows of ``tables``, each of which has some, in one transaction."""

    def __init__(self, conn: Connection, tables: Iterable[Table]) -> None:
        self._conn = conn
        self._tables = list(tables)
        assert [table.name for table in self._tables if not self._ids(table)] == []

    def missed(self, rounds: int) -> list[str]:
        """Make so many changes, each undone before the next, and return those that were not found or not named."""
        said = [self._missed(Dice(seed)) for seed in range(rounds)]
        assert not (found := audited(self._conn)), found  # what was undone raises no alarm
        return [each for each in said if each]

    def _missed(self, dice: Dice) -> str:
        for _ in range(_TRIES):
            undo = self._conn.begin_nested()
            try:
                changed = dice.of(_KINDS)(self, dice)
                if changed is not None:
                    found = audited(self._conn)
                    named = changed.is_named_by(found)
                    return "" if named else f"{changed.what} of {changed.table} {set(changed.ids)}: {found[:2]}"
            except (IntegrityError, DataError):
                pass  # a constraint forbids it even to an owner without the guard
            finally:
                undo.rollback()
        raise AssertionError("no change could be drawn")

    def _ids(self, table: Table) -> list[int]:
        return list(self._conn.execute(select(table.c.id).order_by(table.c.id)).scalars())

    def _columns(self, table: Table) -> list[Column[Any]]:
        return [each for each in table.c if each.name != "id" or table.name in NUMBERED]

    def _value(self, column: Column[Any], row: int) -> object:
        return self._conn.execute(select(column).where(column.table.c.id == row)).scalar_one()

    def _set(self, column: Column[Any], row: int, value: object) -> None:
        table = column.table
        assert isinstance(table, Table)
        self._conn.execute(table.update().where(table.c.id == row).values({column.name: value}))

    def changed_value(self, dice: Dice) -> Changed | None:
        table = dice.of(self._tables)
        column, row = dice.of(self._columns(table)), dice.of(self._ids(table))
        if column.name == "id" and not self._is_referred_to(table, row):
            return None
        old = self._value(column, row)
        new = None if column.nullable and not dice.below(8) else _other(_filled(old, column), dice)
        if new == old:
            return None
        self._set(column, row, new)
        return Changed(f"{column.name} changed", table.name, frozenset({row, None, *_renumbered(column, new)}))

    def _is_referred_to(self, table: Table, row: int) -> bool:
        """Whether another row names this one by its number; none names a bid that is only begun (ADR 0045)."""
        name = f"{table.name}_id"
        others = [each for each in metadata.tables.values() if each.schema == "record" and name in each.c]
        return any(self._conn.execute(select(each.c.id).where(each.c[name] == row).limit(1)).first() for each in others)

    def exchanged_values(self, dice: Dice) -> Changed | None:
        table = dice.of(self._tables)
        column, rows = dice.of(self._columns(table)), self._ids(table)
        first, second = dice.of(rows), dice.of(rows)
        left, right = self._value(column, first), self._value(column, second)
        if left == right or column.name == "id":
            return None
        self._set(column, first, right)
        self._set(column, second, left)
        return Changed(f"{column.name} exchanged", table.name, frozenset({first, second, None}))

    def deleted_row(self, dice: Dice) -> Changed | None:
        table = dice.of(self._tables)
        row = dice.of(self._ids(table))
        self._conn.execute(table.delete().where(table.c.id == row))
        return Changed("row deleted", table.name, frozenset({row, None}))

    def copied_row(self, dice: Dice) -> Changed | None:
        table = dice.of(self._tables)
        row, new = dice.of(self._ids(table)), new_row_id()
        self._conn.execute(table.insert().values({**self._row(table, row), "id": new}))
        return Changed("row copied", table.name, frozenset({row, new}))

    def inserted_row(self, dice: Dice) -> Changed | None:
        table = dice.of(self._tables)
        row, new, column = dice.of(self._ids(table)), new_row_id(), dice.of(self._columns(table))
        values = self._row(table, row)
        other = _other(_filled(values[column.name], column), dice)
        self._conn.execute(table.insert().values({**values, column.name: other, "id": new}))
        return Changed(f"row inserted with another {column.name}", table.name, frozenset({row, new}))

    def _row(self, table: Table, row: int) -> dict[str, Any]:
        return dict(self._conn.execute(select(table).where(table.c.id == row)).mappings().one())


_KINDS: Final[list[Callable[[RowMutations, Dice], Changed | None]]] = [
    RowMutations.changed_value,
    RowMutations.changed_value,
    RowMutations.exchanged_values,
    RowMutations.deleted_row,
    RowMutations.copied_row,
    RowMutations.inserted_row,
]


def _renumbered(column: Column[Any], new: object) -> tuple[object, ...]:
    return (new,) if column.name == "id" else ()


def _filled(value: object, column: Column[Any]) -> object:
    """Return the value, or for a column that is empty some value of its type."""
    if value is not None:
        return value
    match column.type:
        case types.ARRAY():
            return []
        case types.LargeBinary():
            return b""
        case types.Boolean():
            return False
        case types.Date():
            return date(2026, 1, 1)
        case types.Text():
            return ""
        case _:
            return 0


def _other(value: object, dice: Dice) -> object:
    """Return another value of the same type."""
    match value:
        case bool():
            return not value
        case int():
            return value + (1 + dice.below(1000)) * (1 if dice.below(2) else -1)
        case bytes() | memoryview():
            return flip(bytes(value), dice) if value else b"\0"
        case str():
            at = dice.below(len(value)) if value else 0
            return value[:at] + ("x" if value[at : at + 1] != "x" else "y") + value[at + 1 :]
        case date():
            return value + timedelta(days=1 + dice.below(1000))
        case list() | tuple():
            return [*value[1:]] if value and dice.below(2) else [*value, "x"]
        case _:
            return value
