"""DER (X.690) as far as RFC 3161 and its certificates need it: short tags, definite lengths, nothing clever."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

INTEGER: Final = 0x02
OCTETS: Final = 0x04
NULL: Final = 0x05
OID: Final = 0x06
TIME: Final = 0x18
SEQUENCE: Final = 0x30
SET: Final = 0x31
_LONG: Final = 0x80
_BYTE: Final = 8
_MANY_TAGS: Final = 0x1F
_LONGEST_LENGTH: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """One element: its tag, its content, and all of its bytes."""

    tag: int
    content: bytes
    raw: bytes

    @property
    def children(self) -> list[Element]:
        """Return the elements inside a constructed one.

        Raises:
            ValueError: The content is no row of elements.
        """
        return list(elements(self.content))

    @property
    def number(self) -> int:
        """Return the value of an INTEGER."""
        return int.from_bytes(self.content, "big", signed=True)


def elements(data: bytes) -> Iterator[Element]:
    """Yield the elements that follow each other in ``data``.

    Raises:
        ValueError: Not DER: a tag or length of another form, or the data ends too early.
    """
    at = 0
    while at < len(data):
        start, tag = at, data[at]
        length, at = _length(data, at + 1)
        if tag & _MANY_TAGS == _MANY_TAGS or at + length > len(data):
            raise ValueError("not DER")
        yield Element(tag=tag, content=data[at : at + length], raw=data[start : at + length])
        at += length


def one(data: bytes) -> Element:
    """Return the only element of ``data``.

    Raises:
        ValueError: Not DER, or not exactly one element.
    """
    found = list(elements(data))
    if len(found) != 1:
        raise ValueError("not one DER element")
    return found[0]


def _length(data: bytes, at: int) -> tuple[int, int]:
    if at >= len(data):
        raise ValueError("not DER")
    first = data[at]
    if first < _LONG:
        return first, at + 1
    count = first - _LONG
    body = data[at + 1 : at + 1 + count]
    length = int.from_bytes(body, "big")
    if not 1 <= count <= _LONGEST_LENGTH or len(body) != count or body[0] == 0 or length < _LONG:
        raise ValueError("not DER")
    return length, at + 1 + count


def encode(tag: int, *parts: bytes) -> bytes:
    """Return one element with these contents after each other."""
    content = b"".join(parts)
    length = len(content)
    if length < _LONG:
        return bytes([tag, length]) + content
    size = length.to_bytes((length.bit_length() + _BYTE - 1) // _BYTE, "big")
    return bytes([tag, _LONG + len(size)]) + size + content


def integer(value: int) -> bytes:
    """Return an INTEGER."""
    return encode(INTEGER, value.to_bytes(value.bit_length() // _BYTE + 1, "big", signed=True))


def oid(dotted: str) -> bytes:
    """Return an OBJECT IDENTIFIER."""
    first, second, *rest = map(int, dotted.split("."))
    return encode(OID, b"".join(map(_base128, (40 * first + second, *rest))))


def _base128(value: int) -> bytes:
    digits = [value & 0x7F]
    while value := value >> 7:
        digits.append(_LONG | value & 0x7F)
    return bytes(reversed(digits))


def sorted_set(tag: int, members: Iterator[bytes] | list[bytes]) -> bytes:
    """Return a SET OF: DER wants its members in the order of their encodings (X.690 11.6)."""
    return encode(tag, *sorted(members))
