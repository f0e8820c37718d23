"""Takes a file of OCDS apart into rows, byte by byte and in one pass: put together again, the pieces are the file.

A release package is an object with an array ``releases``, a record package one with ``records``; a file may also be an
array of either, one release or record alone, or JSON Lines of any of these. Whatever lies before a row is its ``lead``;
whatever lies behind the last is the tail. Nothing here asks whether a row is sound: brackets and quotation marks are
counted, and what never closes is a row of its own. So a file of any kind is kept whole, and is never held in memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from trading.kernel.errors import InvalidInput

#: Bytes of one row, or of what lies between two: more is not an OCDS file, and would have to be held in memory.
LARGEST: Final = 64 * 1024 * 1024
_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"|"|[{}\[\],:]|[^\s"{}\[\],:]+', re.DOTALL)
_SIGNS: Final = frozenset({b"{", b"}", b"[", b"]", b",", b":"})
_OPENING, _CLOSING = frozenset({b"{", b"["}), frozenset({b"}", b"]"})
_ARRAYS: Final = frozenset({b'"releases"', b'"records"'})
_QUOTE: Final = b'"'
_MARK: Final = b"\xef\xbb\xbf"  # of the order of bytes; before a document it says nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A row with what lies before it; the last piece of a file is its tail and has no row."""

    lead: bytes
    raw: bytes | None


def pieces(chunks: Iterable[bytes], *, lines: bool) -> Iterator[Piece]:
    """Yield the pieces of a file; concatenated, they are its bytes.

    Args:
        chunks: The file, in order.
        lines: Whether each line stands for itself (JSON Lines), so that a broken one spoils no other.

    Raises:
        InvalidInput: ``history.too_large``: more than ``LARGEST`` bytes in one piece.
    """
    return _of_lines(chunks) if lines else _of_document(chunks)


def _of_lines(chunks: Iterable[bytes]) -> Iterator[Piece]:
    lead = b""
    for line in _lines(chunks):
        *rows, tail = _of_document([line])
        for each in rows:
            yield Piece(lead=lead + each.lead, raw=each.raw)
            lead = b""
        lead += tail.lead
        _require_small(len(lead))
    yield Piece(lead=lead, raw=None)


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    buffer = b""
    for chunk in chunks:
        *whole, rest = chunk.split(b"\n")
        for line in whole:
            yield buffer + line + b"\n"
            buffer = b""
        buffer += rest
        _require_small(len(buffer))
    if buffer:
        yield buffer


def _of_document(chunks: Iterable[bytes]) -> Iterator[Piece]:
    reader = _Reader()
    for chunk in chunks:
        yield from reader.feed(chunk)
    yield from reader.end()


class _Reader:
    """One pass: how deep it is, at which depth rows lie, and where in the buffer the row in hand begins."""

    def __init__(self) -> None:
        self._buffer = b""
        self._at = 0  # behind the last token
        self._depth = 0
        self._rows_at: int | None = None  # depth at which the items of the array of rows lie
        self._row: int | None = None  # where the row in hand begins
        self._whole: int | None = None  # where an object begins that is a row itself, unless it has an array of rows
        self._name = b""  # the last text at depth 1: there the name of a member stands before its array

    def feed(self, chunk: bytes) -> Iterator[Piece]:
        self._buffer += chunk
        yield from self._tokens(last=False)
        _require_small(len(self._buffer))

    def end(self) -> Iterator[Piece]:
        """Yield what never closed as a row, then the tail."""
        yield from self._tokens(last=True)
        begins = [each for each in (self._row, self._whole) if each is not None]
        if begins or self._depth or self._buffer[self._at :].strip():
            begin = min(begins) if begins else self._at
            yield Piece(lead=self._buffer[:begin], raw=self._buffer[begin:])
            self._buffer = b""
        yield Piece(lead=self._buffer, raw=None)

    def _tokens(self, *, last: bool) -> Iterator[Piece]:
        while (found := _TOKEN.search(self._buffer, self._at)) is not None:
            token, ends = found[0], found.end() == len(self._buffer)
            if token == _QUOTE or (ends and not last and token not in _SIGNS):
                return  # it goes on in the next chunk, or never ends
            self._at = found.end()
            piece = self._taken(token, found.start())
            if piece is not None:
                yield piece

    def _taken(self, token: bytes, start: int) -> Piece | None:
        if token in _OPENING:
            self._open(token, start)
        elif token in _CLOSING:
            return self._close()
        elif token not in _SIGNS:
            if self._depth == 1 and token.startswith(_QUOTE):
                self._name = token
            if self._depth in {0, self._rows_at} and not (self._depth == 0 and token == _MARK):
                return self._cut(start)  # a row that is no object
        return None

    def _open(self, token: bytes, start: int) -> None:
        if self._depth == self._rows_at:
            self._row = start
        elif self._depth == 0 and token == b"{":
            self._whole = start
        elif self._depth == 0:
            self._rows_at = 1
        elif self._depth == 1 and token == b"[" and self._name in _ARRAYS and self._rows_at is None:
            self._rows_at, self._whole = 2, None
        self._depth += 1

    def _close(self) -> Piece | None:
        if self._depth == 0:
            return self._cut(self._at - 1)  # it closes nothing
        self._depth -= 1
        if self._row is not None:
            return self._cut(self._row) if self._depth == self._rows_at else None
        if self._rows_at is not None and self._depth < self._rows_at:
            self._rows_at = None
        return self._cut(self._whole) if self._depth == 0 and self._whole is not None else None

    def _cut(self, start: int) -> Piece:
        piece = Piece(lead=self._buffer[:start], raw=self._buffer[start : self._at])
        self._buffer, self._at, self._row, self._whole = self._buffer[self._at :], 0, None, None
        return piece


def _require_small(size: int) -> None:
    if size > LARGEST:
        raise InvalidInput("history.too_large", f"one row is longer than {LARGEST} bytes", most=LARGEST)
