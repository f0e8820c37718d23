"""Bulletins that were made; each can be made again from the publications."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, LargeBinary, Table, Text

from trading.db import metadata

bulletin = Table(
    "bulletin",
    metadata,
    Column("month", Text, primary_key=True),  # 2026-11
    Column("bytes", LargeBinary, nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("made_at", BigInteger, nullable=False),
    Column("h", LargeBinary, nullable=False),  # commitment of the record that names the bulletin
    schema="desk",
)
