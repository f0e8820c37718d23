"""PDF: what in it would run, fetch, start or unpack something. Its pages are not drawn here.

A script is known by the name of its action and not by ``/JS``, which bytes of a picture spell by chance. Names may be
spelt with ``#xx`` and may stand in compressed streams, so both are read. Whatever cannot be unpacked is no finding by
itself: pictures are packed in ways that say nothing.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Final

from trading.inspection.findings import Found
from trading.inspection.kinds import HEAD

_NAMES: Final = {
    b"/JavaScript": Found.PDF_SCRIPT,
    b"/XFA": Found.PDF_SCRIPT,
    b"/Launch": Found.PDF_LAUNCH,
    b"/ImportData": Found.PDF_LAUNCH,
    b"/SubmitForm": Found.PDF_LAUNCH,
    b"/GoToR": Found.PDF_LAUNCH,
    b"/EmbeddedFile": Found.PDF_EMBEDDED,
    b"/EmbeddedFiles": Found.PDF_EMBEDDED,
    b"/RichMedia": Found.PDF_EMBEDDED,
    b"/Encrypt": Found.ENCRYPTED,
}
_NAME: Final = re.compile(rb"/[!-$&-'*-.0-;=?-Z\\^-z|~]{2,60}")
_SPELT: Final = re.compile(rb"#([0-9A-Fa-f]{2})")
_STREAM: Final = re.compile(rb"stream\r?\n")
_END_OF_STREAM: Final = b"endstream"
_DEFLATED: Final = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda", b"\x48\x89", b"\x68\x81")
_LONGEST_STREAM: Final = 16 * 1024 * 1024  # bytes of one unpacked stream that are searched
_MOST_UNPACKED: Final = 1024**3
_MARKUP: Final = (b"<script", b"<html", b"<?php", b"<svg")
_WINDOW: Final = 64 * 1024 * 1024
_OVERLAP: Final = 1024 * 1024
_ZIP_END: Final = b"PK\x05\x06"
_TAIL: Final = 66_000


def look(file: BinaryIO) -> set[Found]:
    """Return what was found in a PDF."""
    length = file.seek(0, 2)
    file.seek(0)
    head = file.read(HEAD)
    found = set()
    if not head.startswith(b"%PDF-") or any(each in head.lower() for each in _MARKUP) or _ends_as_archive(file, length):
        found.add(Found.POLYGLOT)
    if not _has_end(file, length):
        found.add(Found.MALFORMED)
    budget = _MOST_UNPACKED
    for window in _windows(file, length):
        found |= _named(window)
        for stream in _streams(window):
            found |= _named(stream)
            budget -= len(stream)
            if budget < 0:
                return found | {Found.ARCHIVE_BOMB}
    return found


def _windows(file: BinaryIO, length: int) -> Iterator[bytes]:
    """Yield a file in pieces that overlap by more than a name or the beginning of a stream."""
    for start in range(0, max(1, length), _WINDOW - _OVERLAP):
        file.seek(start)
        yield file.read(_WINDOW)


def _has_end(file: BinaryIO, length: int) -> bool:
    """Whether readers find where to begin: they look near the end, and an update is appended behind an older one."""
    file.seek(max(0, length - _TAIL))
    tail = file.read()
    return b"%%EOF" in tail and b"startxref" in tail


def _ends_as_archive(file: BinaryIO, length: int) -> bool:
    """Whether a program that reads archives from their end would find one."""
    file.seek(max(0, length - _TAIL))
    tail = file.read()
    at = tail.rfind(_ZIP_END)
    return at >= 0 and b"%%EOF" not in tail[at:]


def _named(data: bytes) -> set[Found]:
    """Return what the names in an uncompressed stretch say."""
    found = set()
    for match in _NAME.finditer(data):
        name = match.group()
        if b"#" in name:
            name = _SPELT.sub(lambda spelt: bytes([int(spelt.group(1), 16)]), name)
        known = _NAMES.get(name)
        if known is not None:
            found.add(known)
    return found


def _streams(data: bytes) -> Iterator[bytes]:
    """Yield the deflated streams, unpacked, each to a limit."""
    for match in _STREAM.finditer(data):
        start = match.end()
        if data[start : start + 2] not in _DEFLATED:
            continue
        end = data.find(_END_OF_STREAM, start)
        inflater = zlib.decompressobj()
        try:
            yield inflater.decompress(data[start : end if end >= 0 else start + _LONGEST_STREAM], _LONGEST_STREAM)
        except zlib.error:
            continue
