"""Followed tenders. Who follows what is nobody's business: the database shows a row to its account alone (NOT-36)."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Table, Text

from trading.db import metadata

# Row-level security; see migration 0007.
followed_tender = Table(
    "followed_tender",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("procedure_id", BigInteger, primary_key=True),
    schema="desk",
)
