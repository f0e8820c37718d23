"""Published notices: one row a version, never edited."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, LargeBinary, Table, Text, UniqueConstraint

from trading.db import entry_column, metadata

notice = Table(
    "notice",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    entry_column(),
    Column("procedure_id", BigInteger, ForeignKey("record.procedure.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("sha256", LargeBinary, nullable=False, unique=True),
    Column("bytes", LargeBinary, nullable=False),
    Column("sigs", LargeBinary, nullable=False),
    Column("published_at", BigInteger, nullable=False),
    UniqueConstraint("procedure_id", "number"),
    schema="record",
)
