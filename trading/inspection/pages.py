"""Drawn pages as they come out of the process that draws: a line about each, its pixels behind it, nothing believed.

Whoever took that process over can send what it likes, and a browser will decode it. So a page passes only as a plain
PNG: eight bits, grey or RGB, within its size, not one byte of anything but pixels, which are unpacked to be counted.
"""

from __future__ import annotations

import json
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any, Final

LARGE_PIXELS: Final = 6_000_000
LONGEST_SIDE: Final = 6_000  # pixels
SMALL_SIDE: Final = 480  # pixels of the longer side of the small size
MOST_PAGE_TEXT: Final = 20_000  # characters
MOST_PAGES: Final = 3_000  # of one file
_MOST_IMAGE: Final = 3 * LARGE_PIXELS + LARGE_PIXELS // 8
_MOST_LINE: Final = 12 * MOST_PAGE_TEXT + 1_000
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_CHANNELS: Final = {0: 1, 2: 3}
_HEADER: Final = 13
_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


class Unbelievable(Exception):
    """What came is not of the form that the program sends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One drawn page, numbered from 1 in its file: two sizes as PNG, the pixels of the larger one, and its text."""

    number: int
    width: int
    height: int
    large: bytes
    small: bytes
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """The file was read: it has so many pages; ``held`` is what the kernel took from the process."""

    pages: int
    held: tuple[str, ...]


def lines_of(page: Page) -> Iterator[bytes]:
    """Yield a page as it is sent."""
    head = {"large": len(page.large), "number": page.number, "small": len(page.small), "text": page.text}
    yield from (json.dumps(head).encode(), b"\n", page.large, page.small)


def begin_line(pages: int, held: list[str]) -> bytes:
    """Return the first line."""
    return json.dumps({"held": held, "pages": pages}).encode() + b"\n"


def end_line() -> bytes:
    """Return the last line of a process that did what it was asked."""
    return b"{}\n"


def read_answer(pipe: IO[bytes]) -> Iterator[Begun | Page]:
    """Yield what a drawing process sends; ends after its last line.

    Raises:
        Unbelievable: It sends something else, or stops before its last line.
    """
    first = _line(pipe)
    pages, held = first.get("pages"), first.get("held")
    if not isinstance(pages, int) or not 0 <= pages <= MOST_PAGES or not isinstance(held, list):
        raise Unbelievable
    yield Begun(pages=pages, held=tuple(map(str, held)))
    while head := _line(pipe):
        yield _page(head, pipe, pages)


def _line(pipe: IO[bytes]) -> dict[str, Any]:
    line = pipe.readline(_MOST_LINE)
    try:
        found = json.loads(line) if line.endswith(b"\n") else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Unbelievable
    return found


def _page(head: dict[str, Any], pipe: IO[bytes], pages: int) -> Page:
    number, text = head.get("number"), head.get("text")
    sizes = (head.get("large"), head.get("small"))
    if not isinstance(number, int) or not 1 <= number <= pages or not isinstance(text, str):
        raise Unbelievable
    images, measured = [], []
    for size in sizes:
        if not isinstance(size, int) or not 0 < size <= _MOST_IMAGE:
            raise Unbelievable
        data = pipe.read(size)
        if len(data) != size:
            raise Unbelievable
        measured.append(measure(data))
        images.append(data)
    (width, height), words = measured[0], _CONTROL.sub("\ufffd", text[:MOST_PAGE_TEXT])
    return Page(number=number, width=width, height=height, large=images[0], small=images[1], text=words)


def measure(data: bytes) -> tuple[int, int]:
    """Return width and height of a plain PNG.

    Raises:
        Unbelievable: It is none: another form of pixels, anything beside them, or not as many as it says.
    """
    if not data.startswith(_PNG):
        raise Unbelievable
    chunks = list(_chunks(data))
    names = [name for name, _ in chunks]
    packed = b"".join(body for name, body in chunks if name == b"IDAT")
    if names != [b"IHDR", *[b"IDAT"] * (len(names) - 2), b"IEND"] or not packed or chunks[-1][1]:
        raise Unbelievable
    if len(chunks[0][1]) != _HEADER:
        raise Unbelievable
    width, height, depth, colour, *rest = struct.unpack(">IIBBBBB", chunks[0][1])
    if depth != 8 or colour not in _CHANNELS or any(rest):  # noqa: PLR2004 - bits of one sample
        raise Unbelievable
    if not (0 < width <= LONGEST_SIDE and 0 < height <= LONGEST_SIDE and width * height <= LARGE_PIXELS):
        raise Unbelievable
    wanted = height * (1 + width * _CHANNELS[colour])
    inflater = zlib.decompressobj()
    try:
        found = len(inflater.decompress(packed, wanted + 1))
    except zlib.error:
        raise Unbelievable from None
    if found != wanted or not inflater.eof or inflater.unused_data:
        raise Unbelievable
    return width, height


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_PNG)
    while at < len(data):
        head = data[at : at + 8]
        if len(head) != 8:  # noqa: PLR2004 - length and name
            raise Unbelievable
        length, name = struct.unpack(">I4s", head)
        body, end = data[at + 8 : at + 8 + length], at + 12 + length
        if end > len(data) or struct.unpack(">I", data[end - 4 : end])[0] != zlib.crc32(body, zlib.crc32(name)):
            raise Unbelievable
        yield name, body
        at = end
