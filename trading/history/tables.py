"""Foreign history in a schema of its own: files, rows byte for byte, and what is wrong with each row."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, ForeignKeyConstraint, Index, LargeBinary, Table, Text

from trading.db import metadata

file = Table(
    "file",
    metadata,
    Column("sha256", LargeBinary, primary_key=True),  # of the file as it was given
    Column("name", Text, nullable=False),
    Column("source", Text, nullable=False),  # who published it, as whoever imports it says
    Column("size", BigInteger, nullable=False),
    Column("content_sha256", LargeBinary),  # of what was unpacked; the pieces put together have it
    Column("kind", Text, nullable=False),  # document, or lines
    Column("rows", BigInteger, nullable=False),
    Column("faults", BigInteger, nullable=False),
    Column("tail", LargeBinary),  # what lies behind the last row
    Column("begun_at", BigInteger, nullable=False),
    Column("done_at", BigInteger),
    schema="history",
)

row = Table(
    "row",
    metadata,
    Column("file_sha256", LargeBinary, ForeignKey("history.file.sha256"), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("lead", LargeBinary, nullable=False),  # what lies before the row in its file
    Column("raw", LargeBinary, nullable=False),
    Column("raw_sha256", LargeBinary, nullable=False),
    Column("kind", Text, nullable=False),
    Column("ocid", Text),
    Column("release_id", Text),
    Column("date", Text),  # as it stands there: it may be none
    Column("title", Text),
    Column("buyer", Text),
    Column("words", Text, nullable=False),
    Column("faults", BigInteger, nullable=False),
    Index(None, "ocid", "release_id"),
    schema="history",
)

fault = Table(
    "fault",
    metadata,
    Column("file_sha256", LargeBinary, primary_key=True),
    Column("row_number", BigInteger, primary_key=True, autoincrement=False),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("code", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("detail", Text, nullable=False),
    ForeignKeyConstraint(
        ["file_sha256", "row_number"],
        ["history.row.file_sha256", "history.row.number"],
        name="fk_fault_file_sha256_row",
    ),
    schema="history",
)
