"""Parsed documents of this process: they never change, so one that was read and hashed once need not be read again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any, Final

from sqlalchemy import Connection

from trading.documents.queries import get
from trading.kernel.canonical import loads_object
from trading.kernel.digests import sha256
from trading.kernel.errors import IntegrityFailure

_KEPT: Final = 512


class DocumentCache:
    """The last documents by digest; shared by the threads of a process. What it returns must not be changed."""

    def __init__(self, kept: int = _KEPT) -> None:
        self._kept = kept
        self._documents: OrderedDict[bytes, dict[str, Any]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, conn: Connection, digest: bytes) -> dict[str, Any]:
        """Return the document with this SHA-256, parsed.

        Raises:
            IntegrityFailure: It is not stored, or its bytes have another hash.
        """
        with self._lock:
            found = self._documents.get(digest)
            if found is not None:
                self._documents.move_to_end(digest)
                return found
        stored = get(conn, digest)
        if stored is None or sha256(stored.doc) != digest:
            raise IntegrityFailure(f"document {digest.hex()} is missing or damaged")
        parsed = loads_object(stored.doc)
        with self._lock:
            self._documents[digest] = parsed
            if len(self._documents) > self._kept:
                self._documents.popitem(last=False)
        return parsed


DOCUMENTS: Final = DocumentCache()
