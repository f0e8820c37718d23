"""Requests for disclosure with their replies, and what else the annual table counts. Who asks stands apart."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, Table, Text

from trading.db import entry_column, metadata

# Days are ISO texts of the platform's zone: a day of receipt has no hour (DIS-05).
disclosure_request = Table(
    "disclosure_request",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    entry_column(),
    Column("number", Text, nullable=False, unique=True),
    Column("channel", Text, nullable=False),  # in_person, online, letter
    Column("commit", LargeBinary, nullable=False),
    Column("asked_at", BigInteger, nullable=False),
    Column("received_on", Text, nullable=True),  # null until the office has confirmed an online request
    Column("handler", Text, nullable=True),  # who registered or confirmed it
    Column("extended_by", Text, nullable=True),
    Column("extension_reason", Text, nullable=True),
    Column("outcome", Text, nullable=True),
    Column("ground", Text, nullable=True),
    Column("reason", Text, nullable=True),
    Column("fee_waived", BigInteger, nullable=True),  # fen
    Column("replied_at", BigInteger, nullable=True),
    schema="record",
)

disclosure_contest = Table(
    "disclosure_contest",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    entry_column(),
    Column("route", Text, nullable=False),  # review, lawsuit, appeal
    Column("number", Text, nullable=True),  # of the request that it is about, if it is about one
    Column("noted_on", Text, nullable=False),
    schema="record",
)

gazette_print = Table(
    "gazette_print",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    entry_column(),
    Column("document", LargeBinary, nullable=False, unique=True),  # SHA-256, as its publication names it
    Column("issue", Text, nullable=False),
    Column("printed_on", Text, nullable=False),
    schema="record",
)

annual_declared = Table(
    "annual_declared",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    entry_column(),
    Column("year", Integer, nullable=False, unique=True),
    Column("of_year", Text, nullable=False),  # canonical JSON, code → number
    Column("cumulative", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("reason", Text, nullable=False),
    schema="record",
)

# Personal data: row-level security shows it to the office alone, and nobody changes it (migration 0018).
disclosure_applicant = Table(
    "disclosure_applicant",
    metadata,
    Column("number", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("contact", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("salt", LargeBinary, nullable=False),
    schema="desk",
)
