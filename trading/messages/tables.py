"""The outbox: mail sealed to the contact service's key; whoever reads the table learns no address and no word."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, Text, text

from trading.db import metadata

contact_mail = Table(
    "contact_mail",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),  # call, moved, notice, seat, told
    Column("sealed", LargeBinary, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("sent_at", BigInteger, nullable=True),
    Column("attempts", Integer, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("last_error", Text, nullable=True),
    Index("ix_contact_mail_due_at", "due_at", postgresql_where=text("sent_at IS NULL")),
    schema="desk",
)
