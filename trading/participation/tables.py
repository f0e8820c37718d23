"""Followed tenders. Who follows what is nobody's business (NOT-36).

The database shows a row to its account alone, and to the worker that writes to followers when a deadline has moved.
"""

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
