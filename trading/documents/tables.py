"""Every signed or derived protocol document that a record names, except envelopes and notices."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, LargeBinary, Table, Text, UniqueConstraint

from trading.db import entry_column, metadata

document = Table(
    "document",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    entry_column(),
    Column("procedure_id", BigInteger, nullable=True, index=True),
    Column("sha256", LargeBinary, nullable=False, index=True),
    Column("typ", Text, nullable=False),
    Column("bytes", LargeBinary, nullable=False),
    Column("sigs", LargeBinary, nullable=False),  # canonical JSON array of signature objects; b"[]" if unsigned
    # Each procedure keeps its own copy: two that publish at once may name the same document, such as an edition.
    UniqueConstraint("procedure_id", "sha256"),
    schema="record",
)

Index("ix_document_entry_id", document.c.entry_id)
