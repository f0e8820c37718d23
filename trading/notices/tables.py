"""Published notices: one row a version, never edited; and where and when each publishable entry was published."""

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

publication = Table(
    "publication",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    entry_column(),
    Column("procedure_id", BigInteger, ForeignKey("record.procedure.id"), nullable=False, index=True),
    Column("channel", Text, nullable=False),  # page, atom, ocds
    Column("number", BigInteger, nullable=False),  # in the order of the channel's commits
    Column("entry_h", LargeBinary, nullable=False),  # commitment of the entry that is published
    Column("sha256", LargeBinary, nullable=False),
    Column("url", Text, nullable=False),
    Column("content", LargeBinary),  # what the channel shows; pages are made from the record
    Column("published_at", BigInteger, nullable=False),
    UniqueConstraint("entry_h", "channel"),
    UniqueConstraint("channel", "number"),
    schema="record",
)
