"""Organisations and signing keys (P6). Schema ``record``: guarded, without a procedure."""

from __future__ import annotations

from sqlalchemy import ARRAY, BigInteger, Column, LargeBinary, Table, Text

from trading.db import entry_column, metadata

organisation = Table(
    "organisation",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    entry_column(),
    Column("code", Text, nullable=False, unique=True),
    Column("name_zh", Text, nullable=False),
    Column("name_en", Text, nullable=False),
    Column("roles", ARRAY(Text), nullable=False),
    schema="record",
)

signing_key = Table(
    "signing_key",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    entry_column(),
    Column("kid", Text, nullable=False, unique=True),
    Column("org_code", Text, nullable=False, index=True),
    Column("role", Text, nullable=False),
    Column("alg", Text, nullable=False),
    Column("spki", LargeBinary, nullable=False),
    Column("status", Text, nullable=False),
    schema="record",
)
