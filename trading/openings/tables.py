"""The ceremony of one lot and stage, the answers of custodians, revealed factors and opened bids."""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    ForeignKey,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
)

from trading.db import entry_column, metadata

opening = Table(
    "opening",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    entry_column(),
    Column("procedure_id", BigInteger, ForeignKey("record.procedure.id"), nullable=False),
    Column("lot", Text, nullable=False),
    Column("stage", Text, nullable=False),
    # ordered, factor, factor_closed, gaps, release_closed, combined, completed
    Column("step", Text, nullable=False),
    Column("order_sha256", LargeBinary, nullable=False),
    Column("order_seq", Integer, nullable=False),
    Column("first_ordered_at", BigInteger, nullable=False),
    Column("ordered_at", BigInteger, nullable=False),
    Column("factor_ends_at", BigInteger, nullable=True),
    Column("factor_list_sha256", LargeBinary, nullable=True),
    Column("factor_closed_at", BigInteger, nullable=True),
    Column("gaps_at", BigInteger, nullable=True),
    Column("gaps", ARRAY(Text), nullable=True),
    Column("release_closed_at", BigInteger, nullable=True),
    UniqueConstraint("procedure_id", "lot", "stage"),
    schema="record",
)

custodian_answer = Table(
    "custodian_answer",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    entry_column(),
    Column("procedure_id", BigInteger, nullable=False),
    Column("lot", Text, nullable=False),
    Column("stage", Text, nullable=False),
    Column("kind", Text, nullable=False),  # check, release, adjudication, disclosure
    Column("custodian", Integer, nullable=False),
    Column("order_sha256", LargeBinary, nullable=False),
    Column("doc_sha256", LargeBinary, nullable=False),
    UniqueConstraint("procedure_id", "lot", "stage", "kind", "custodian", "order_sha256"),
    schema="record",
)

bid_factor = Table(
    "bid_factor",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    entry_column(),
    Column("procedure_id", BigInteger, nullable=False),
    Column("bid_id", BigInteger, nullable=False, unique=True),
    Column("s_b", LargeBinary, nullable=False),
    Column("s_c", LargeBinary, nullable=True),  # only after a rescue (SB1 S9.6)
    Column("via", Text, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    schema="record",
)

opened_bid = Table(
    "opened_bid",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    entry_column(),
    Column("procedure_id", BigInteger, nullable=False),
    Column("bid_id", BigInteger, nullable=False, unique=True),
    Column("verdict", Text, nullable=False),
    Column("faults", LargeBinary, nullable=False),  # canonical JSON array of {code, custodian}
    Column("manifest_sha256", LargeBinary, nullable=True),
    Column("price", LargeBinary, nullable=True),  # canonical bytes of sb1.price
    Column("price_sha256", LargeBinary, nullable=True),
    schema="record",
)

draft = Table(
    "draft",
    metadata,
    Column("sha256", LargeBinary, primary_key=True),
    Column("procedure_id", BigInteger, nullable=False, index=True),
    Column("lot", Text, nullable=False),
    Column("stage", Text, nullable=False),
    Column("typ", Text, nullable=False),
    Column("bytes", LargeBinary, nullable=False),
    Column("sigs", LargeBinary, nullable=False),  # canonical JSON array of the signatures collected so far
    Column("created_at", BigInteger, nullable=False),
    Column("h", LargeBinary, nullable=True),  # commitment of the record, once complete
    schema="desk",
)
