"""What must stand in the opened parts: the padded price document and the tar of part ``main`` (SB1 S5)."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from verifier.canonical import NotCanonical, admit_object
from verifier.dealing import file_digest
from verifier.doctypes import DOCUMENT_RULES
from verifier.fields import FieldFault
from verifier.hashing import hex_digest

BOUND_FIELDS = ("bid", "bidder", "lot", "stage", "tender")
MAIN_PADDING = 65536
MANIFEST_NAME = "manifest.json"
MANIFEST_LIMIT = 2**20
LONGEST_PATH = 200


class ContentFault(ValueError):
    """The opened content breaks S5: verdict ``BIDDER_MALFORMED_CONTENT``."""


@dataclass(frozen=True)
class Price:
    """The opened price: the parsed document and the hash of its canonical bytes without the padding."""

    value: dict[str, Any]
    sha256: str


def read_price(plaintext: bytes, price_bytes: int, envelope: dict[str, Any]) -> Price:
    """Return the price of an opened part ``price`` (S5.1).

    Raises:
        ContentFault: Wrong length, not canonical, a wrong field, or it names another bid.
    """
    if len(plaintext) != price_bytes:
        raise ContentFault(f"price of {len(plaintext)} bytes instead of {price_bytes}")
    data = plaintext.rstrip(b" ")
    return Price(_bound_document(data, "sb1.price", envelope), hex_digest(data))


def _bound_document(data: bytes, typ: str, envelope: dict[str, Any]) -> dict[str, Any]:
    try:
        value = admit_object(data, MANIFEST_LIMIT)
        DOCUMENT_RULES[typ](value, typ)
    except (NotCanonical, FieldFault) as error:
        raise ContentFault(str(error)) from error
    if any(value[name] != envelope[name] for name in BOUND_FIELDS):
        raise ContentFault(f"{typ} names another bid, bidder, lot, stage or tender")
    return value


class ChunkReader:
    """A readable over an iterator of byte chunks, so that a part of many gigabytes never stands in memory."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._chunk = b""
        self._at = 0
        self.length = 0
        self.tail_is_zero = True

    def read(self, size: int) -> bytes:
        """Return ``size`` bytes, fewer at the end."""
        pieces, missing = [], size
        while missing:
            if self._at == len(self._chunk):
                self._chunk, self._at = next(self._chunks, b""), 0
                if not self._chunk:
                    break
            piece = self._chunk[self._at : self._at + missing]
            self._at += len(piece)
            missing -= len(piece)
            pieces.append(piece)
        self.length += size - missing
        return b"".join(pieces)

    def drain(self) -> None:
        """Read to the end, noting whether everything left is zero, as the padding must be."""
        while data := self.read(MAIN_PADDING):
            self.tail_is_zero = self.tail_is_zero and not data.strip(b"\0")


def read_main(chunks: Iterator[bytes], envelope: dict[str, Any]) -> str:
    """Check an opened part ``main`` (S5.2) and return ``manifest_sha256``.

    Raises:
        ContentFault: Not such an archive, or it does not fit its manifest.
    """
    stream = ChunkReader(chunks)
    found: dict[str, tuple[int, str]] = {}
    manifest: dict[str, Any] | None = None
    manifest_sha256 = ""
    try:
        # Blocks of 512 bytes, so that nothing behind the end marker is read before ``drain`` looks at it.
        with tarfile.open(fileobj=stream, mode="r|", encoding="utf-8", errors="strict", bufsize=512) as archive:  # type: ignore[call-overload]  # only ``read`` is called
            for member in archive:
                regular = member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and member.sparse is None
                content = archive.extractfile(member) if regular else None
                if content is None:
                    raise ContentFault(f"member {member.name!r} is not a regular file")
                if manifest is None:
                    manifest, manifest_sha256 = _read_manifest(member, content.read(MANIFEST_LIMIT + 1), envelope)
                    continue
                if member.name in found or member.name == MANIFEST_NAME:
                    raise ContentFault(f"member {member.name!r} twice")
                found[member.name] = (member.size, _stream_sha256(content))
    except (tarfile.TarError, UnicodeError, ValueError, EOFError) as error:
        raise ContentFault(f"part main: {error}") from error
    stream.drain()
    if stream.length % MAIN_PADDING or not stream.tail_is_zero or manifest is None:
        raise ContentFault("part main is empty or not padded with zeros to a multiple of 65536")
    _compare(manifest, found)
    return manifest_sha256


def _read_manifest(member: tarfile.TarInfo, data: bytes, envelope: dict[str, Any]) -> tuple[dict[str, Any], str]:
    if member.name != MANIFEST_NAME:
        raise ContentFault("the first member is not manifest.json")
    return _bound_document(data, "sb1.manifest", envelope), hex_digest(data)


def _stream_sha256(content: Any) -> str:  # noqa: ANN401 - the reader of a tar member
    state = sha256()
    while block := content.read(2**20):
        state.update(block)
    return state.hexdigest()


def _compare(manifest: dict[str, Any], found: dict[str, tuple[int, str]]) -> None:
    rows = {row["path"]: row for row in manifest["files"]}
    if rows.keys() != found.keys():
        raise ContentFault("the members are not those of the manifest")
    if len({path.casefold() for path in rows}) != len(rows):
        raise ContentFault("two paths differ only in case")
    for path, row in rows.items():
        size, content = found[path]
        parts = path.split("/")
        if path.startswith("/") or ".." in parts or "." in parts or "" in parts or len(path.encode()) > LONGEST_PATH:
            raise ContentFault(f"path {path!r} is not allowed")
        digest = file_digest(bytes.fromhex(row["salt"]), path, bytes.fromhex(content)).hex()
        if (row["size"], row["digest"]) != (size, digest):
            raise ContentFault(f"{path}: size or digest differ from the manifest")
