"""Images: measured by their headers, never decoded. What a header says is compared with where the image ends."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Final

from trading.inspection.findings import Found
from trading.inspection.kinds import contains

_MOST_PIXELS: Final = 100_000_000
_MOST_SCANNED: Final = 64 * 1024 * 1024
_MARKUP: Final = (b"<script", b"<html", b"<?php", b"<svg")
_FRAMES: Final = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
_ALONE: Final = frozenset({0x01, *range(0xD0, 0xD9)})
_END_OF_IMAGE: Final = 0xD9
_START_OF_SCAN: Final = 0xDA
_PNG_HEAD: Final = 8
_LONGEST_CHUNK: Final = 2**31 - 1


def look(file: BinaryIO, kind: str) -> set[Found]:
    """Return what was found in an image."""
    found = set()
    try:
        size = _MEASURES[kind](file) if kind in _MEASURES else None
    except (struct.error, ValueError):
        found.add(Found.MALFORMED)
        size = None
    if size is not None and size[0] * size[1] > _MOST_PIXELS:
        found.add(Found.IMAGE_FLOOD)
    if contains(file, _MARKUP, most=_MOST_SCANNED) or _is_script(file):
        found.add(Found.POLYGLOT)
    return found


def _is_script(file: BinaryIO) -> bool:
    """Whether a GIF opens a comment of a script with its own size."""
    file.seek(6)
    return file.read(2) == b"/*"


def _take(file: BinaryIO, form: str) -> tuple[int, ...]:
    return struct.unpack(form, file.read(struct.calcsize(form)))


def _png(file: BinaryIO) -> tuple[int, int]:
    """Walk the chunks and their check sums to the end; return width and height."""
    file.seek(_PNG_HEAD)
    size, last = (0, 0), b""
    for number, (name, data) in enumerate(_png_chunks(file)):
        if number == 0:
            if name != b"IHDR":
                raise ValueError("the first chunk is not IHDR")
            width, height = struct.unpack(">II", data[:8])
            size = (width, height)
        last = name
    if last != b"IEND":
        raise ValueError("no end")
    return size


def _png_chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    name = b""
    while name != b"IEND":
        length, name = struct.unpack(">I4s", file.read(8))
        if length > _LONGEST_CHUNK:
            raise ValueError("a chunk is too long")
        data = file.read(length)
        (check,) = _take(file, ">I")
        if len(data) != length or zlib.crc32(data, zlib.crc32(name)) != check:
            raise ValueError("a chunk is damaged")
        yield name, data


def _jpeg(file: BinaryIO) -> tuple[int, int]:
    """Walk the segments to the first frame; return width and height."""
    file.seek(2)
    while True:
        mark, code = _take(file, "BB")
        if mark != 0xFF:  # noqa: PLR2004 - how every segment begins
            raise ValueError("no segment where one should begin")
        if code in _ALONE:
            continue
        if code in {_END_OF_IMAGE, _START_OF_SCAN}:
            raise ValueError("no frame")
        (length,) = _take(file, ">H")
        if code in _FRAMES:
            _, height, width = _take(file, ">BHH")
            return width, height
        file.seek(max(0, length - 2), 1)


def _gif(file: BinaryIO) -> tuple[int, int]:
    file.seek(6)
    width, height = _take(file, "<HH")
    file.seek(-1, 2)
    if file.read(1) != b";":
        raise ValueError("no end")
    return width, height


def _bmp(file: BinaryIO) -> tuple[int, int]:
    file.seek(18)
    width, height = _take(file, "<ii")
    return abs(width), abs(height)


_MEASURES: Final = {"png": _png, "jpeg": _jpeg, "gif": _gif, "bmp": _bmp}
