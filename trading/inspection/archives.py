"""Archives: their directory is read by this reader and checked before anything is unpacked, then unpacked with a cap.

Nothing is ever written. What two programs could read differently is refused: a second directory, entries that overlap
or stand twice, bytes before the first entry, names that differ between directory and entry (security 6.3; F45).
"""

from __future__ import annotations

import re
import stat
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final

from trading.inspection.findings import Found
from trading.inspection.kinds import CHUNK, HEAD, PACKED, TEST_VIRUS, is_running, kind_of

MOST_ENTRIES: Final = 2_000
MOST_UNPACKED: Final = 2 * 1024**3
MOST_RATIO: Final = 50
RATIO_FROM: Final = 64 * 1024**2  # bytes; what is smaller may be packed as tightly as it likes
_END, _ENTRY, _LOCAL = b"PK\x05\x06", b"PK\x01\x02", b"PK\x03\x04"
_END_SIZE: Final = 22
_ENTRY_SIZE: Final = 46
_LOCAL_SIZE: Final = 30
_LONGEST_COMMENT: Final = 65_535
_ENCRYPTED: Final = 0x2041  # entry, strong encryption, masked headers
_UNIX: Final = 3
_STORED, _DEFLATED = 0, 8
_64BIT: Final = 0xFFFFFFFF
_DRIVE: Final = re.compile(r"[A-Za-z]:")


class Unreadable(Exception):
    """The archive is not what its directory says; ``found`` is the word for it."""

    def __init__(self, found: Found) -> None:
        super().__init__(found.value)
        self.found = found


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of the directory: sizes in bytes, ``start`` of its local header."""

    name: str
    flags: int
    method: int
    packed: int
    size: int
    start: int
    mode: int

    @property
    def is_folder(self) -> bool:
        """Whether it only names a folder."""
        return self.name.endswith("/")


def entries_of(file: BinaryIO) -> list[Entry]:
    """Return the directory of a ZIP archive.

    Raises:
        Unreadable: There is none, there are several, or it does not stand where it says.
    """
    length = file.seek(0, 2)
    file.seek(max(0, length - _END_SIZE - _LONGEST_COMMENT))
    tail = file.read()
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_SIZE:
        raise Unreadable(Found.MALFORMED)
    _, disk, first_disk, here, count, size, start, comment = struct.unpack("<4sHHHHIIH", tail[at : at + _END_SIZE])
    end = length - len(tail) + at
    if _64BIT in {size, start} or count == 0xFFFF:  # noqa: PLR2004 - sizes elsewhere: larger than anything taken here
        raise Unreadable(Found.ARCHIVE_BOMB)
    if (disk, first_disk, here) != (0, 0, count) or start + size != end or end + _END_SIZE + comment != length:
        raise Unreadable(Found.ARCHIVE_AMBIGUOUS)
    if count > MOST_ENTRIES:
        raise Unreadable(Found.ARCHIVE_BOMB)
    if tail[:at].find(_END) >= 0 and _has_other_end(tail[:at]):
        raise Unreadable(Found.ARCHIVE_AMBIGUOUS)
    file.seek(start)
    return list(_directory(file.read(size), count))


def _has_other_end(before: bytes) -> bool:
    """Whether another end of a directory with entries stands before the last one."""
    at = before.rfind(_END)
    while at >= 0:
        if len(before) - at >= _END_SIZE:
            _, disk, _, here, count, _, _, _ = struct.unpack("<4sHHHHIIH", before[at : at + _END_SIZE])
            if disk == 0 and here == count:
                return True
        at = before.rfind(_END, 0, at)
    return False


def _directory(data: bytes, count: int) -> Iterator[Entry]:
    at = 0
    for _ in range(count):
        if data[at : at + 4] != _ENTRY or len(data) - at < _ENTRY_SIZE:
            raise Unreadable(Found.MALFORMED)
        (made, _, flags, method, _, _, _, packed, size, named, extra, comment, _, _, outside, start) = struct.unpack(
            "<HHHHHHIIIHHHHHII", data[at + 4 : at + _ENTRY_SIZE]
        )
        raw = data[at + _ENTRY_SIZE : at + _ENTRY_SIZE + named]
        mode = outside >> 16 if made >> 8 == _UNIX else 0
        yield Entry(name=_name(raw), flags=flags, method=method, packed=packed, size=size, start=start, mode=mode)
        at += _ENTRY_SIZE + named + extra + comment
    if at != len(data):
        raise Unreadable(Found.ARCHIVE_AMBIGUOUS)


def _name(raw: bytes) -> str:
    for encoding in ("utf-8", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return raw.decode("latin-1")


def check_directory(file: BinaryIO, entries: Sequence[Entry]) -> set[Found]:
    """Return what the directory alone says: sizes, names, links, entries that overlap or stand twice."""
    found = set()
    total, packed = sum(each.size for each in entries), sum(each.packed for each in entries)
    if total > MOST_UNPACKED or (total > RATIO_FROM and total > MOST_RATIO * max(1, packed)):
        found.add(Found.ARCHIVE_BOMB)
    if len({each.name.casefold() for each in entries}) < len(entries) or not _stand_apart(file, entries):
        found.add(Found.ARCHIVE_AMBIGUOUS)
    for each in entries:
        if leads_out(each.name):
            found.add(Found.ARCHIVE_PATH)
        if stat.S_ISLNK(each.mode) or (each.mode and stat.S_IFMT(each.mode) not in {0, stat.S_IFREG, stat.S_IFDIR}):
            found.add(Found.ARCHIVE_LINK)
        if each.flags & _ENCRYPTED:
            found.add(Found.ENCRYPTED)
        if is_running(each.name, ""):
            found.add(Found.EXECUTABLE)
    return found


def leads_out(name: str) -> bool:
    """Whether unpacking under this name could write elsewhere."""
    steps = name.replace("\\", "/").split("/")
    return ".." in steps or name.startswith(("/", "\\")) or _DRIVE.match(name) is not None or "\x00" in name


def _stand_apart(file: BinaryIO, entries: Sequence[Entry]) -> bool:
    """Whether the entries begin at the first byte, follow each other, and are called there what the directory says."""
    end = 0
    for each in sorted(entries, key=lambda entry: entry.start):
        file.seek(each.start)
        head = file.read(_LOCAL_SIZE)
        if len(head) < _LOCAL_SIZE or head[:4] != _LOCAL or each.start < end or (end == 0 and each.start != 0):
            return False
        named, extra = struct.unpack("<HH", head[26:30])
        if _name(file.read(named)) != each.name:
            return False
        end = each.start + _LOCAL_SIZE + named + extra + each.packed
    return True


def unpacked(file: BinaryIO, entry: Entry) -> Iterator[bytes]:
    """Yield the bytes of an entry.

    Raises:
        Unreadable: It is encrypted, packed in a way that is not read here, longer than it says, or damaged.
    """
    if entry.flags & _ENCRYPTED or entry.method not in {_STORED, _DEFLATED}:
        raise Unreadable(Found.ENCRYPTED)
    file.seek(entry.start + 26)
    named, extra = struct.unpack("<HH", file.read(4))
    file.seek(entry.start + _LOCAL_SIZE + named + extra)
    left, size = entry.packed, 0
    inflater = zlib.decompressobj(-zlib.MAX_WBITS) if entry.method == _DEFLATED else None
    while left > 0:
        data = file.read(min(left, 64 * 1024))
        if not data:
            raise Unreadable(Found.MALFORMED)
        left -= len(data)
        for chunk in (data,) if inflater is None else inflated(inflater, data):
            size += len(chunk)
            if size > entry.size:
                raise Unreadable(Found.ARCHIVE_BOMB)
            yield chunk
    if size != entry.size:
        raise Unreadable(Found.MALFORMED)


def inflated(inflater: zlib._Decompress, data: bytes) -> Iterator[bytes]:
    """Yield what a piece of a deflated stream holds, a megabyte at a time.

    Raises:
        Unreadable: It is damaged.
    """
    try:
        while not inflater.eof:
            chunk = inflater.decompress(data, CHUNK)
            yield chunk
            data = inflater.unconsumed_tail
            if not data and len(chunk) < CHUNK:  # after a full chunk more may wait inside, without any input
                return
    except zlib.error as error:
        raise Unreadable(Found.MALFORMED) from error


def look(file: BinaryIO) -> set[Found]:
    """Return what was found in a ZIP archive and, one level deep, in its entries."""
    try:
        entries = entries_of(file)
    except Unreadable as error:
        return {error.found}
    found = check_directory(file, entries)
    if Found.ARCHIVE_BOMB in found:
        return found
    for entry in entries:
        if not entry.is_folder:
            found |= look_at_entry(file, entry)
    return found


def look_at_entry(file: BinaryIO, entry: Entry) -> set[Found]:
    """Return what an entry is that it should not be. All of it is unpacked, so that its size is true."""
    found, head, last = set(), b"", b""
    try:
        for chunk in unpacked(file, entry):
            if len(head) < HEAD:
                head += chunk[: HEAD - len(head)]
            if TEST_VIRUS in last + chunk:
                found.add(Found.TEST_VIRUS)
            last = chunk[-len(TEST_VIRUS) :]
    except Unreadable as error:
        found.add(error.found)
    kind = kind_of(head)
    if kind in PACKED:
        found.add(Found.ARCHIVE_NESTED)
    if is_running(entry.name, kind):
        found.add(Found.EXECUTABLE)
    return found
