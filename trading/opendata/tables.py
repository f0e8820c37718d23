"""Bulk files that are there: everything in these tables can be made again from the publications."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, LargeBinary, Table, Text

from trading.db import metadata

bulk_period = Table(
    "bulk_period",
    metadata,
    Column("name", Text, primary_key=True),  # 2026-11-26, or 2026
    Column("final", Boolean, nullable=False),  # whether it was over when the files were made
    Column("releases", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),  # number of the last release in it
    Column("manifest", LargeBinary, nullable=False),  # names the files
    Column("manifest_sha256", LargeBinary, nullable=False),
    Column("made_at", BigInteger, nullable=False),
    Column("h", LargeBinary),  # commitment of the record that names the manifest
    schema="desk",
)
