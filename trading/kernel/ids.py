"""Typed identifiers. Row ids and public references are random, never serial: a serial would count (SB1 S21.13)."""

from __future__ import annotations

import secrets
from typing import NewType

RowId = NewType("RowId", int)
ProcedureId = NewType("ProcedureId", int)
BidId = NewType("BidId", int)

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford base 32, lower case: no i, l, o, u


def new_row_id() -> int:
    """Return a random positive 62-bit integer for a primary key."""
    return secrets.randbits(62) | 1


def random_name(length: int = 12) -> str:
    """Return ``length`` random characters of Crockford base 32 (5 bits each)."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def new_bid_reference() -> str:
    """Return a random bid id ``b-…`` matching ``[a-z0-9-]{1,40}`` (SB1 S4.1)."""
    return f"b-{random_name(16)}"


def new_procedure_reference(buyer_year: int) -> str:
    """Return a public procedure reference such as ``T-2026-7k3m9q2d``."""
    return f"T-{buyer_year}-{random_name(8)}"
