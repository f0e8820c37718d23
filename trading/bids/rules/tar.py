"""POSIX tar as the part ``main`` uses it: regular files and pax headers only, padded to 64 KiB (SB1 S5.2).

The writer is lazy and the reader works on a stream, so a part of any length needs constant memory. Both are small on
purpose: a general tar library accepts far more than the protocol does, and two readers must never disagree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from trading.kernel.errors import InvalidInput

BLOCK: Final = 512
PADDED: Final = 65536
MAX_PATH: Final = 200
_NAME_BYTES: Final = 100
_MAX_PAX: Final = 65536
_OCTAL_LIMIT: Final = 8**11
_READ: Final = 1024 * 1024
_MAGIC: Final = b"ustar\x0000"
_REGULAR: Final = (b"0", b"\0")
_PAX: Final = (b"x", b"g")


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A file to be written: its path, exact size, and a function that yields its bytes when its turn comes."""

    path: str
    size: int
    content: Callable[[], Iterator[bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file that was met while reading; ``chunks`` must be consumed before the next one is asked for."""

    path: str
    size: int
    chunks: Iterator[bytes]


def write_tar(members: Iterable[Member]) -> Iterator[bytes]:
    """Yield the bytes of the archive, with its end marker and zero bytes up to a multiple of 65 536.

    Raises:
        InvalidInput: ``main.file_changed``: a file no longer has the size that was stated.
    """
    written = 0
    for member in members:
        header = _headers(member.path, member.size)
        yield header
        written += len(header)
        count = 0
        for chunk in member.content():
            count += len(chunk)
            yield chunk
        if count != member.size:
            raise InvalidInput("main.file_changed", f"{member.path} changed while it was read", path=member.path)
        padding = -count % BLOCK
        yield bytes(padding)
        written += count + padding
    written += 2 * BLOCK
    yield bytes(2 * BLOCK + -written % PADDED)


def tar_size(members: Iterable[tuple[str, int]]) -> int:
    """Return the length of the archive of files with these paths and sizes."""
    length = 2 * BLOCK
    for path, size in members:
        length += len(_headers(path, size)) + size + -size % BLOCK
    return length + -length % PADDED


def _headers(path: str, size: int) -> bytes:
    name = path.encode()
    records = b""
    if not path.isascii() or len(name) > _NAME_BYTES:
        records += _pax_record("path", name)
    if size >= _OCTAL_LIMIT:
        records += _pax_record("size", str(size).encode())
    if not records:
        return _header(name, size, b"0")
    # Readers that know no pax see this short name; the extended header that precedes it holds the real one.
    short = path.encode("ascii", "replace")[:_NAME_BYTES].replace(b"?", b"_")
    head = _header(b"PaxHeaders/" + short[: _NAME_BYTES - 11], len(records), b"x")
    plain = _header(short, 0 if size >= _OCTAL_LIMIT else size, b"0")
    return head + records + bytes(-len(records) % BLOCK) + plain


def _pax_record(key: str, value: bytes) -> bytes:
    body = f" {key}=".encode() + value + b"\n"
    length = len(body)
    while length != len(body) + len(str(length)):
        length = len(body) + len(str(length))
    return str(length).encode() + body


def _header(name: bytes, size: int, kind: bytes) -> bytes:
    # Owner, mode and time say nothing about the bidder's machine: always the same.
    fields = b"".join(
        (
            name.ljust(_NAME_BYTES, b"\0"),
            b"0000644\0" + b"0000000\0" * 2,
            b"%011o\0" % size + b"00000000000\0",
            b" " * 8 + kind + bytes(_NAME_BYTES),
            _MAGIC + bytes(BLOCK - 265),
        )
    )
    return fields[:148] + b"%06o\0 " % sum(fields) + fields[156:]


def read_tar(source: BinaryIO) -> Iterator[Entry]:
    """Yield the files of an archive in order and check everything after them.

    Raises:
        InvalidInput: ``main.malformed``: anything but regular files and pax headers, a bad checksum, number or path
            encoding, a missing end, bytes other than zero after it, or a length that is no multiple of 65 536.
    """
    reader = _Blocks(source)
    shared: dict[str, bytes] = {}
    own: dict[str, bytes] = {}
    while any(block := reader.block()):
        kind = _check_header(block)
        size = _number(block[124:136])
        if kind in _PAX:
            if size > _MAX_PAX:
                raise _malformed("an extended header is too large")
            records = _pax_records(b"".join(reader.content(size)))
            (own if kind == b"x" else shared).update(records)
            continue
        extended = {**shared, **own}
        own = {}
        if kind not in _REGULAR:
            raise _malformed("something other than a regular file")
        if "size" in extended:
            size = _decimal(extended["size"])
        chunks = reader.content(size)
        yield Entry(path=_text(extended.get("path", _name(block))), size=size, chunks=chunks)
        for _rest in chunks:  # whatever the caller did not read
            pass
    if own:
        raise _malformed("an extended header without its file")
    reader.require_end()


class _Blocks:
    """Whole blocks from a stream, counted."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._count = 0

    def _take(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            chunk = self._source.read(size - len(data))
            if not chunk:
                raise _malformed("cut off")
            data += chunk
        self._count += size
        return data

    def block(self) -> bytes:
        return self._take(BLOCK)

    def content(self, size: int) -> Iterator[bytes]:
        left = size
        while left:
            chunk = self._take(min(left, _READ))
            left -= len(chunk)
            yield chunk
        if any(self._take(-size % BLOCK)):
            raise _malformed("bytes other than zero after a file")

    def require_end(self) -> None:
        """Check the second block of the end marker, and that only zero bytes follow up to a multiple of 65 536."""
        rest = self.block()
        while rest:
            if any(rest):
                raise _malformed("bytes other than zero after the end marker")
            rest = self._source.read(_READ)
            self._count += len(rest)
        if self._count % PADDED:
            raise _malformed(f"not padded to a multiple of {PADDED}")


def _check_header(block: bytes) -> bytes:
    checksum = _number(block[148:156])
    if sum(block[:148]) + sum(block[156:]) + 8 * ord(" ") != checksum:
        raise _malformed("a header's checksum is wrong")
    if block[257:265] != _MAGIC:
        raise _malformed("not a POSIX header")
    return block[156:157]


def _name(block: bytes) -> bytes:
    name, prefix = block[:100].split(b"\0", 1)[0], block[345:500].split(b"\0", 1)[0]
    return prefix + b"/" + name if prefix else name


def _number(field: bytes) -> int:
    digits = field.strip(b" \0")
    if not digits or any(digit not in b"01234567" for digit in digits):
        raise _malformed("a header's number is not octal")
    return int(digits, 8)


def _decimal(value: bytes) -> int:
    if not value.isdigit() or len(value) > 15:  # noqa: PLR2004 - far above the largest part
        raise _malformed("an extended header's size is not a number")
    return int(value)


def _text(name: bytes) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError as error:
        raise _malformed("a path is not UTF-8") from error


def _pax_records(data: bytes) -> dict[str, bytes]:
    records: dict[str, bytes] = {}
    while data:
        digits, space, _ = data.partition(b" ")
        length = _decimal(digits) if space else 0
        if not len(digits) < length <= len(data):
            raise _malformed("an extended header's record has a wrong length")
        record, data = data[len(digits) + 1 : length], data[length:]
        key, equals, value = record.partition(b"=")
        if not equals or not value.endswith(b"\n"):
            raise _malformed("an extended header is malformed")
        records[_text(key)] = value[:-1]
    return records


def _malformed(detail: str) -> InvalidInput:
    return InvalidInput("main.malformed", f"not the archive of S5.2: {detail}")
