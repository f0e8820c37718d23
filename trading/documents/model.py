"""A document by its digest: the exact bytes and its signature objects."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDocument:
    """Bytes as received, and the canonical array of signature objects (``[]`` for a derived document)."""

    sha256: str
    typ: str
    doc: bytes
    sigs: bytes
