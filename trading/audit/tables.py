"""Tables of the log and of its technical desk. The statements that create them are migration 0001 (AL1 L3)."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from trading.db import Instant, metadata

audit_entry = Table(
    "audit_entry",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("xact", Text, nullable=False),
    Column("procedure_id", BigInteger),
    Column("kind", Text, nullable=False),
    Column("record", LargeBinary, nullable=False),
    Column("nonce", LargeBinary, nullable=False),
    Column("h", LargeBinary, nullable=False, unique=True),
    schema="log",
)

log_position = Table(
    "log_position",
    metadata,
    Column("n", BigInteger, primary_key=True, autoincrement=False),
    Column("entry_id", BigInteger, ForeignKey("log.audit_entry.id"), nullable=False, unique=True),
    Column("p", LargeBinary, nullable=False),
    Column("t", BigInteger, nullable=False),
    schema="log",
)

origin = Table(
    "origin",
    metadata,
    Column("one", Boolean, primary_key=True, server_default=text("true")),
    Column("origin", Text, nullable=False),
    Column("demo", Boolean, nullable=False),
    Column("base", BigInteger, nullable=False, server_default=text("0")),  # place of its first entry
    schema="log",
)

closed_log = Table(
    "closed_log",
    metadata,
    Column("base", BigInteger, primary_key=True, autoincrement=False),
    Column("origin", Text, nullable=False, unique=True),
    Column("size", BigInteger, nullable=False),  # of the final checkpoint
    Column("checkpoint", LargeBinary, nullable=False),
    Column("reason", Text, nullable=False),
    Column("closed_at", Instant, nullable=False),
    schema="log",
)

dropped_position = Table(
    "dropped_position",
    metadata,
    Column("origin", Text, ForeignKey("log.closed_log.origin"), primary_key=True),
    Column("n", BigInteger, primary_key=True, autoincrement=False),
    Column("entry_id", BigInteger, ForeignKey("log.audit_entry.id"), nullable=False),
    Column("p", LargeBinary, nullable=False),
    Column("t", BigInteger, nullable=False),
    schema="log",
)

errand = Table(
    "errand",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("arg", JSONB, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("done_at", Instant),
    Column("rung_at", Instant),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("last_error", Text),
    Column("entry_id", BigInteger),  # of a subscriber's errand: the entry that it is about
    Column("parked_at", Instant),  # it failed too often; the operator decides
    Index("uq_errand_name_entry_id", "name", "entry_id", unique=True),
    schema="desk",
)

cursor = Table(
    "cursor",
    metadata,
    Column("name", Text, primary_key=True),
    Column("n", BigInteger, nullable=False),
    schema="desk",
)
