"""Accounts, credentials, sessions, tokens, challenges: schema ``desk``, technical. Memberships: schema ``record``."""

from __future__ import annotations

from sqlalchemy import ARRAY, BigInteger, Boolean, Column, Integer, LargeBinary, Table, Text

from trading.db import entry_column, metadata

person = Table(
    "person",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("mail", Text, nullable=False),
    schema="desk",
)

account = Table(
    "account",
    metadata,
    Column("id", Text, primary_key=True),
    Column("login", Text, nullable=False, unique=True),
    Column("org_code", Text, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("person", Text, nullable=False),
    schema="desk",
)

credential = Table(
    "credential",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("password", Text, nullable=False),
    Column("secret", Text, nullable=False),
    Column("spent", BigInteger, nullable=False),  # window of the last TOTP code that was used
    Column("changed_at", BigInteger, nullable=False),
    schema="desk",
)

recovery_code = Table(
    "recovery_code",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("sha256", LargeBinary, primary_key=True),
    schema="desk",
)

session = Table(
    "session",
    metadata,
    Column("id", Text, primary_key=True),
    Column("sha256", LargeBinary, nullable=False, unique=True),
    Column("account_id", Text, nullable=False, index=True),
    Column("created_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("agent", Text, nullable=False),
    Column("address", Text, nullable=False),
    schema="desk",
)

attempts = Table(
    "attempts",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("starts_at", BigInteger, primary_key=True),
    Column("window_ms", BigInteger, primary_key=True),
    Column("count", Integer, nullable=False),
    schema="desk",
)

setup_link = Table(
    "setup_link",
    metadata,
    Column("sha256", LargeBinary, primary_key=True),
    Column("account_id", Text, nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("secret", Text, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    schema="desk",
)

api_token = Table(
    "api_token",
    metadata,
    Column("sha256", LargeBinary, primary_key=True),
    Column("account_id", Text, nullable=False, index=True),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("used_at", BigInteger),
    schema="desk",
)

challenge = Table(
    "challenge",
    metadata,
    Column("challenge", LargeBinary, primary_key=True),
    Column("account_id", Text, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    schema="desk",
)

# A request that waits for the service desk. ``kind`` says what ``body`` (canonical JSON) means; two different people
# decide, and nobody about themselves.
request = Table(
    "request",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),  # organisation code
    Column("asked_by", Text),  # account; None for an applicant without one
    Column("body", LargeBinary, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("first_by", Text),
    Column("state", Text, nullable=False),  # waiting, approved, refused
    Column("reason", Text, nullable=False),
    schema="desk",
)

# One row per person or organisation and jurisdiction: on which side they stand there. Memberships refer to it, so that
# nobody stands on both (管采分离).
side = Table(
    "side",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("jurisdiction", Text, primary_key=True),
    Column("side", Text, nullable=False),
    schema="desk",
)

# One row per person or organisation: its one duty towards the pool of experts, which memberships refer to.
pool_duty = Table(
    "pool_duty",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("duty", Text, nullable=False),
    schema="desk",
)

# The database derives the columns ``side`` and ``duty`` from role and status (migrations 0003, 0010); nobody else
# reads or writes them.
membership = Table(
    "membership",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    entry_column(),
    Column("account_id", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("org_code", Text, nullable=False, index=True),
    Column("role", Text, nullable=False),
    Column("jurisdiction", Text, nullable=False),
    Column("status", Text, nullable=False),
    schema="record",
)
