"""Rows of any table of schema ``record`` with only the columns that a test is about; the others get a neutral value."""

from __future__ import annotations

import secrets

from sqlalchemy import ARRAY, Connection, Table, types

from trading.db import Instant, metadata
from trading.kernel.ids import new_row_id


def neutral(column_type: types.TypeEngine[object]) -> object:
    """Return some value of a column's type; texts and bytes are random, so that unique columns stay unique."""
    if isinstance(column_type, ARRAY):
        return []
    if isinstance(column_type, types.LargeBinary):
        return secrets.token_bytes(32)
    if isinstance(column_type, types.Boolean):
        return False
    if isinstance(column_type, types.Integer):
        return 0
    return 0 if isinstance(column_type, Instant) else secrets.token_hex(8)


def add_row(connection: Connection, table: str, entry_id: int, **values: object) -> int:
    """Insert a row under an entry of the same transaction and return its id."""
    target: Table = metadata.tables[f"record.{table}"]
    row = {"id": new_row_id(), "entry_id": entry_id, **values}
    for column in target.c:
        if column.name not in row and not column.nullable:
            row[column.name] = neutral(column.type)
    connection.execute(target.insert().values(**row))
    return int(str(row["id"]))
