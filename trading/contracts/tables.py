"""Signed contracts, and offers that wait for the supplier's signature."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, LargeBinary, Table, Text, UniqueConstraint

from trading.db import entry_column, metadata

contract = Table(
    "contract",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    entry_column(),
    Column("procedure_id", BigInteger, ForeignKey("record.procedure.id"), nullable=False),
    Column("lot", Text, nullable=False),
    Column("stage", Text, nullable=False),
    Column("bidder_code", Text, nullable=False, index=True),
    Column("price", BigInteger, nullable=False),  # minor units
    Column("sha256", LargeBinary, nullable=False),
    Column("signed_at", BigInteger, nullable=False),
    Column("filed_at", BigInteger, nullable=True),
    Column("filing", Text, nullable=True),
    UniqueConstraint("procedure_id", "lot", "stage"),
    schema="record",
)

# Signed by the agency and not yet by the supplier: no record, it may be replaced until then.
contract_offer = Table(
    "contract_offer",
    metadata,
    Column("procedure_id", BigInteger, primary_key=True, autoincrement=False),
    Column("lot", Text, primary_key=True),
    Column("stage", Text, primary_key=True),
    Column("bidder_code", Text, nullable=False, index=True),
    Column("bytes", LargeBinary, nullable=False),
    Column("sigs", LargeBinary, nullable=False),
    Column("offered_by", Text, nullable=False),
    Column("offered_at", BigInteger, nullable=False),
    schema="desk",
)
