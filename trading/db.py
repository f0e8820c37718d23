"""Engines by role, naming convention, column types and the guard's statements. Source: architecture 7 and 8, AL1 L3."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, ForeignKey, MetaData

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

metadata = MetaData(naming_convention=NAMING)


def entry_column() -> Column[Any]:
    """Return the ``entry_id`` column that every table of schema ``record`` has: the entry that last changed the row."""
    return Column("entry_id", BigInteger, ForeignKey("log.audit_entry.id"), nullable=False)
