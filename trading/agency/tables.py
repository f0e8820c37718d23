"""Working drafts and their files: what is typed and not yet submitted, so no record."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, LargeBinary, Table, Text

from trading.db import metadata

working_draft = Table(
    "working_draft",
    metadata,
    Column("id", Text, primary_key=True),
    Column("purpose", Text, nullable=False),  # tender, amendment
    Column("org_code", Text, nullable=False, index=True),
    Column("reference", Text, nullable=True, index=True),  # of the procedure, once it has one
    Column("state", Text, nullable=False),  # editing, submitted, closed
    Column("content", LargeBinary, nullable=False),  # canonical JSON of what was typed
    Column("returned_spec", LargeBinary, nullable=True),  # what the reviewer read and gave back
    Column("returned_reason", Text, nullable=True),
    Column("author", Text, nullable=False),
    Column("updated_by", Text, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("version", Integer, nullable=False),
    schema="desk",
)

draft_document = Table(
    "draft_document",
    metadata,
    Column("draft_id", Text, ForeignKey("desk.working_draft.id", ondelete="CASCADE"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("sha256", LargeBinary, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("media", Text, nullable=False),
    Column("added_by", Text, nullable=False),
    Column("added_at", BigInteger, nullable=False),
    schema="desk",
)
