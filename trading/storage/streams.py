"""Streams on their way into a store."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import BinaryIO, cast

from trading.kernel.errors import InvalidInput
from trading.storage.objects import CHUNK


class _Expecting:
    """Compares the SHA-256 of what passes with what the sender stated; the end of the stream raises if it differs."""

    def __init__(self, source: BinaryIO, sha256: str) -> None:
        self._source = source
        self._expected = sha256
        self._state = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        chunk = self._source.read(size)
        self._state.update(chunk)
        if not chunk and self._state.hexdigest() != self._expected:
            raise InvalidInput("bid.part_mismatch", "the bytes do not have the stated SHA-256", expected=self._expected)
        return chunk


def expecting(source: BinaryIO, sha256: str) -> BinaryIO:
    """Return ``source`` as a stream whose end raises ``bid.part_mismatch`` unless everything hashes to ``sha256``.

    A store that keeps nothing of a stream that fails thus never keeps bytes under a name that nobody asked for.
    """
    return cast("BinaryIO", _Expecting(source, sha256))  # stores only read


class _Joined:
    """Chunks in the shape of an opened file."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks

    def read(self, size: int = -1) -> bytes:
        del size  # whoever reads takes what comes, as from a connection
        return next(self._chunks, b"")


def joined(chunks: Iterator[bytes]) -> BinaryIO:
    """Return chunks of at most ``CHUNK`` bytes as a stream; none of them is empty."""
    return cast("BinaryIO", _Joined(chunks))  # stores only read


def copy_hashed(source: BinaryIO, target: BinaryIO, limit: int) -> tuple[str, int]:
    """Copy everything from ``source`` to ``target``; return its SHA-256 in hex and its size in bytes.

    Raises:
        InvalidInput: ``bid.part_too_large``: more than ``limit`` bytes.
    """
    state, size = hashlib.sha256(), 0
    while chunk := source.read(CHUNK):
        size += len(chunk)
        if size > limit:
            raise InvalidInput("bid.part_too_large", f"more than {limit} bytes", limit=limit)
        state.update(chunk)
        target.write(chunk)
    return state.hexdigest(), size
