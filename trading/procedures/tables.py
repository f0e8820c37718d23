"""Procedures, their lots and the working-day calendar."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    ForeignKey,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
)

from trading.db import Instant, entry_column, metadata

procedure = Table(
    "procedure",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    entry_column(),
    Column("reference", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("regime", Text, nullable=False),
    Column("jurisdiction", Text, nullable=False),
    Column("edition_id", Text, nullable=False),
    Column("edition_sha256", LargeBinary, nullable=False),
    Column("phase", Text, nullable=False),  # draft, review, published, cancelled
    Column("version", Integer, nullable=False),
    Column("title_zh", Text, nullable=False),
    Column("title_en", Text, nullable=False),
    Column("buyer_code", Text, nullable=False),
    Column("agency_code", Text, nullable=False),
    Column("supervisor_code", Text, nullable=False),
    Column("drafted_by", Text, nullable=False),
    Column("spec", LargeBinary, nullable=False),
    Column("published_at", BigInteger, nullable=True),
    schema="record",
)

lot = Table(
    "lot",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    entry_column(),
    Column("procedure_id", BigInteger, ForeignKey("record.procedure.id"), nullable=False),
    Column("number", Text, nullable=False),
    Column("stage", Text, nullable=False),
    Column("phase", Text, nullable=False),
    Column("close_at", Instant, nullable=True),
    Column("policy_sha256", LargeBinary, nullable=True),
    Column("schedule_sha256", LargeBinary, nullable=True),
    Column("ceiling", BigInteger, nullable=True),  # minor units
    Column("currency", Text, nullable=False),
    Column("title_zh", Text, nullable=False),
    Column("title_en", Text, nullable=False),
    UniqueConstraint("procedure_id", "number", "stage"),
    schema="record",
)

calendar_day = Table(
    "calendar_day",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    entry_column(),
    Column("day", Date, nullable=False, unique=True),
    Column("is_workday", Boolean, nullable=False),
    Column("name", Text, nullable=False),
    Column("source", Text, nullable=False),
    schema="record",
)
