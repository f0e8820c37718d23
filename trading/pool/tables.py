"""Rows of the pool. Dossiers and notes are personal: row-level security says who reads them (migration 0010)."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Computed,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    column,
    table,
)

from trading.db import entry_column, metadata

pool_file = Table(
    "pool_file",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    entry_column(),
    Column("number", Text(collation="C"), nullable=False, unique=True),  # of the application, then of the expert
    Column("commit", LargeBinary, nullable=False),  # to the dossier
    Column("regime", Text, nullable=False),
    Column("via", Text, nullable=False),  # expert, unit, import
    Column("batch", Text),
    Column("state", Text, nullable=False),  # asked, waiting, admitted, refused, withdrawn, ended
    Column("rule", Text),  # by which it was refused or ended
    Column("until", BigInteger),  # first instant after the term of appointment
    Column("trained_at", BigInteger),
    Index("ix_pool_file_state", "state", "entry_id", "number"),
    schema="record",
)
Index("ix_pool_file_until", pool_file.c.until, pool_file.c.number, postgresql_where=pool_file.c.state == "admitted")

#: What an auditor sees of dossiers and notes: views that hash the stored text (ADR 0045).
kept_dossier = table("kept_dossier", *map(column, ("id", "entry_id", "number", "body_commit")), schema="record")
kept_note = table("kept_note", *map(column, ("id", "entry_id", "number", "text_commit")), schema="record")


def _told(name: str) -> Computed:
    return Computed(f"body::jsonb ->> '{name}'", persisted=True)


pool_dossier = Table(
    "pool_dossier",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    entry_column(),
    Column("number", Text(collation="C"), nullable=False, unique=True),
    Column("salt", LargeBinary, nullable=False),
    Column("body", Text, nullable=False),  # canonical JSON: ``mb.pool-dossier``
    Column("name", Text(collation="C"), _told("name")),
    Column("identity_no", Text(collation="C"), _told("identity_no"), index=True),
    Column("account", Text, _told("account")),
    Column("employer", Text, _told("employer"), index=True),
    Index("ix_pool_dossier_name", "name", "number"),
    schema="record",
    info={"shown": kept_dossier},
)
Index("ix_pool_dossier_account", pool_dossier.c.account, postgresql_where=pool_dossier.c.account.isnot(None))

pool_act = Table(
    "pool_act",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    entry_column(),
    Column("duty", Text, nullable=False),  # qualifies, keeps
    Column("what", Text, nullable=False),  # kind of the record
    Column("by_account", Text, nullable=False),
    UniqueConstraint("entry_id"),
    schema="record",
)

pool_sanction = Table(
    "pool_sanction",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    entry_column(),
    Column("number", Text(collation="C"), nullable=False, index=True),
    Column("measure", Text, nullable=False),  # warning, fine, ban
    Column("rule", Text, nullable=False),
    Column("amount", BigInteger),  # fen
    Column("until", BigInteger),  # of a ban
    Column("at", BigInteger, nullable=False),
    UniqueConstraint("entry_id"),
    schema="record",
)

pool_note = Table(
    "pool_note",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    entry_column(),
    Column("number", Text(collation="C"), nullable=False),
    Column("salt", LargeBinary, nullable=False),
    Column("text", Text, nullable=False),  # the reason of an act
    UniqueConstraint("entry_id", "number"),
    schema="record",
    info={"shown": kept_note},
)

appraisal = Table(
    "appraisal",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    entry_column(),
    Column("procedure_id", BigInteger, ForeignKey("record.procedure.id"), nullable=False, index=True),
    Column("seat", Text, nullable=False, unique=True),
    Column("marks", Text, nullable=False),  # one digit an item, in the order of the form
    Column("remark", Text, nullable=False),
    Column("late", Boolean, nullable=False),
    Column("answer", Text),
    Column("rating", Integer),  # what the expert gives the agency, 1 to 5
    schema="record",
)

specialty_tree = Table(
    "specialty_tree",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    entry_column(),
    Column("version", Integer, nullable=False, unique=True),
    Column("sha256", LargeBinary, nullable=False),
    schema="record",
)

pool_import = Table(
    "pool_import",
    metadata,
    Column("batch", Text, primary_key=True),
    Column("account_id", Text, nullable=False),
    Column("format", Text, nullable=False),  # xlsx, csv
    Column("regime", Text, nullable=False),
    Column("mode", Text, nullable=False),  # good: every good row; all: all rows or none
    Column("bytes", LargeBinary, nullable=False),  # emptied when the work is done
    Column("state", Text, nullable=False),  # waiting, checking, taking, done, refused
    Column("rows_read", Integer, nullable=False),
    Column("rows_good", Integer, nullable=False),
    Column("rows_taken", Integer, nullable=False),
    Column("report", LargeBinary),  # canonical JSON: (row, column, code) of every wrong row
    Column("created_at", BigInteger, nullable=False),
    Index("ix_pool_import_account_id", "account_id", "created_at"),
    schema="desk",
)
