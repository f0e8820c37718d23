"""Values of an import: what is told of a file, and one row ready to be stored."""

from __future__ import annotations

from dataclasses import dataclass

from trading.history.rules.digest import Digest
from trading.history.rules.faults import Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A file as it is given: its SHA-256, name, size in bytes, who published it, and whether it is JSON Lines."""

    sha256: bytes
    name: str
    source: str
    size: int
    lines: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row: its number from 1, the bytes before it, its own bytes, what is shown of it and what is wrong with it."""

    number: int
    lead: bytes
    raw: bytes
    raw_sha256: bytes
    digest: Digest
    faults: tuple[Fault, ...]

    @property
    def size(self) -> int:
        """Return how many bytes of the file it takes."""
        return len(self.lead) + len(self.raw)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What an import did: rows of the file, faults in them, rows that were new now, and whether it was all there."""

    sha256: str
    rows: int
    faults: int
    added: int
    was_done: bool
