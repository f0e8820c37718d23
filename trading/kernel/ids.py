"""Typed identifiers. Row ids and public references are random, never serial: a serial would count (SB1 S21.13)."""

from __future__ import annotations

import secrets
from typing import Final, NewType

RowId = NewType("RowId", int)
ProcedureId = NewType("ProcedureId", int)
BidId = NewType("BidId", int)

#: Begins the reference of every practice tender, so that no record, receipt or file of it can be taken for a real one.
PRACTICE: Final = "PRACTICE-"
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


def new_practice_reference(year: int) -> str:
    """Return the reference of a practice tender such as ``PRACTICE-2026-7k3m9q2d`` (ADR 0061)."""
    return f"{PRACTICE}{year}-{random_name(8)}"


def is_practice(reference: str) -> bool:
    """Whether a reference is that of a practice tender: nothing comes of its bids, and nobody else is shown it."""
    return reference.startswith(PRACTICE)
