"""Accounts, tokens, challenges. Schema ``desk``: technical, no evidence; every legal fact about them is an entry."""

from __future__ import annotations

from sqlalchemy import ARRAY, BigInteger, Boolean, Column, LargeBinary, Table, Text

from trading.db import metadata

account = Table(
    "account",
    metadata,
    Column("id", Text, primary_key=True),
    Column("login", Text, nullable=False, unique=True),
    Column("org_code", Text, nullable=False),
    Column("roles", ARRAY(Text), nullable=False),
    Column("active", Boolean, nullable=False),
    schema="desk",
)

api_token = Table(
    "api_token",
    metadata,
    Column("sha256", LargeBinary, primary_key=True),
    Column("account_id", Text, nullable=False, index=True),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("expires_at", BigInteger, nullable=False),
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
