"""Custodian keys of a lot and stage, the jobs that wait for their agents, and the polls seen lately."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Identity, Index, Integer, LargeBinary, Table, Text, UniqueConstraint, text

from trading.db import entry_column, metadata

custodian_key = Table(
    "custodian_key",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    entry_column(),
    Column("procedure_id", BigInteger, nullable=False),
    Column("lot", Text, nullable=False),
    Column("stage", Text, nullable=False),
    Column("kid", Text, nullable=False),  # of the institution's signing key
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("doc_sha256", LargeBinary, nullable=False, index=True),
    Column("challenge_sha256", LargeBinary, nullable=False),
    Column("state", Text, nullable=False),  # challenged, proved
    UniqueConstraint("procedure_id", "lot", "stage", "kid"),
    schema="record",
)

custodian_job = Table(
    "custodian_job",
    metadata,
    Column("cursor", BigInteger, Identity(always=True), primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("kid", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("procedure_id", BigInteger, nullable=False),
    Column("lot", Text, nullable=False),
    Column("stage", Text, nullable=False),
    Column("custodian", Integer, nullable=False),
    Column("request", LargeBinary, nullable=False),  # what the job says, canonical JSON
    Column("answered_at", BigInteger, nullable=True),
    Column("answer_sha256", LargeBinary, nullable=True),  # of the canonical answer: a second, different one is refused
    Column("refused_at", BigInteger, nullable=True),  # by the agent, lately; it may answer later all the same
    Column("refusal", Text, nullable=True),  # its code
    Index("ix_custodian_job_kid_procedure_id", "kid", "procedure_id"),
    Index("ix_custodian_job_waiting", "kid", "cursor", postgresql_where=text("answered_at IS NULL")),
    schema="desk",
)

custodian_nonce = Table(
    "custodian_nonce",
    metadata,
    Column("kid", Text, primary_key=True),
    Column("nonce", LargeBinary, primary_key=True),
    Column("created", BigInteger, nullable=False),  # of the poll, ms; older ones are refused without looking here
    schema="desk",
)
