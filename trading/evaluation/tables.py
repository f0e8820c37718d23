"""The ranking of a lot and stage."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, LargeBinary, Table, Text, UniqueConstraint

from trading.db import entry_column, metadata

ranking = Table(
    "ranking",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    entry_column(),
    Column("procedure_id", BigInteger, ForeignKey("record.procedure.id"), nullable=False),
    Column("lot", Text, nullable=False),
    Column("stage", Text, nullable=False),
    Column("method", Text, nullable=False),
    Column("items", LargeBinary, nullable=False),  # canonical JSON, as in the body of bids.ranked
    Column("tie", LargeBinary, nullable=False),  # canonical JSON, null or object
    Column("h", LargeBinary, nullable=False),  # commitment of bids.ranked
    UniqueConstraint("procedure_id", "lot", "stage"),
    schema="record",
)
