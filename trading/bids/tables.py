"""One head row a bid, one row a version; fingerprints, parts and uploads are technical (SB1 S7, AL1 L3)."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, LargeBinary, Table, Text, UniqueConstraint

from trading.db import entry_column, metadata

bid = Table(
    "bid",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    entry_column(),
    Column("procedure_id", BigInteger, ForeignKey("record.procedure.id"), nullable=False),
    Column("lot", Text, nullable=False),
    Column("stage", Text, nullable=False),
    Column("reference", Text, nullable=False, unique=True),
    Column("bidder_code", Text, nullable=False),
    Column("seq", Integer, nullable=False),  # 0 until the first envelope
    Column("head_kind", Text, nullable=False),  # none, envelope, withdrawal
    Column("head_sha256", LargeBinary, nullable=True),
    Column("head_h", LargeBinary, nullable=True),  # commitment of the record that received it
    Column("policy_sha256", LargeBinary, nullable=True),
    Column("received_at", BigInteger, nullable=True),
    UniqueConstraint("procedure_id", "lot", "stage", "bidder_code"),
    schema="record",
)

bid_version = Table(
    "bid_version",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    entry_column(),
    Column("procedure_id", BigInteger, nullable=False),
    Column("bid_id", BigInteger, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("kind", Text, nullable=False),  # envelope, withdrawal, rehearsal
    Column("doc_sha256", LargeBinary, nullable=False, unique=True),
    Column("bytes", LargeBinary, nullable=False),
    Column("sigs", LargeBinary, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("queue_ms", BigInteger, nullable=False),
    Column("h", LargeBinary, nullable=False),
    UniqueConstraint("bid_id", "kind", "seq"),
    schema="record",
)

bid_fingerprint = Table(
    "bid_fingerprint",
    metadata,
    Column("procedure_id", BigInteger, primary_key=True),
    Column("lot", Text, primary_key=True),
    Column("stage", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("sha256", LargeBinary, primary_key=True),
    schema="desk",
)

part = Table(
    "part",
    metadata,
    Column("bid_reference", Text, primary_key=True),
    Column("sha256", LargeBinary, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("stored_at", BigInteger, nullable=False),
    schema="desk",
)

upload = Table(
    "upload",
    metadata,
    Column("id", Text, primary_key=True),
    Column("bid_reference", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("length", BigInteger, nullable=False),
    Column("touched_at", BigInteger, nullable=False),
    UniqueConstraint("bid_reference", "sha256"),
    schema="desk",
)

# The offset of an upload is where its last piece ends: a piece counts from the commit of its row on.
upload_piece = Table(
    "upload_piece",
    metadata,
    Column("upload_id", Text, ForeignKey("desk.upload.id", ondelete="CASCADE"), primary_key=True),
    Column("start", BigInteger, primary_key=True),
    Column("size", Integer, nullable=False),
    Column("name", Text, nullable=False),
    schema="desk",
)

# What the second store has: parts, and envelopes all of whose parts it has, which is a record then (SB1 S7.4).
copied = Table(
    "copied",
    metadata,
    Column("sha256", LargeBinary, primary_key=True),
    Column("tried_at", BigInteger, nullable=False),
    Column("copied_at", BigInteger, nullable=True),  # null: it could not be read, or not be stored
    schema="desk",
)
