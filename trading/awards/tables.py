"""The award of a lot."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, LargeBinary, Table, Text, UniqueConstraint

from trading.db import entry_column, metadata

award = Table(
    "award",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    entry_column(),
    Column("procedure_id", BigInteger, ForeignKey("record.procedure.id"), nullable=False),
    Column("lot", Text, nullable=False),
    Column("stage", Text, nullable=False),
    Column("bid_reference", Text, nullable=False),
    Column("bidder_code", Text, nullable=False),
    Column("price", BigInteger, nullable=False),  # minor units
    Column("ranked_h", LargeBinary, nullable=False),
    UniqueConstraint("procedure_id", "lot", "stage"),
    schema="record",
)
