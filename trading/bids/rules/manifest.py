"""The part ``main``: an archive whose ``manifest.json`` names every other member by a salted digest (SB1 S5.2)."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final

from trading.bids.rules.context import BidContext
from trading.bids.rules.fields import MAX_PART, SUBJECT, Document, commitment
from trading.bids.rules.price import require_subject, subject_of
from trading.bids.rules.tar import MAX_PATH, Entry, Member, read_tar, write_tar
from trading.kernel import canonical
from trading.kernel.digests import SB1_FILE, tuple_hash
from trading.kernel.errors import InvalidInput
from trading.kernel.fields import Table, integer, record, sorted_by, text

MANIFEST_NAME: Final = "manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRow:
    """One file: ``digest`` = TH(label, salt, path, SHA-256 of the content); size in bytes."""

    digest: bytes
    path: str
    salt: bytes
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest(Document):
    """``sb1.manifest``; its SHA-256 is logged at opening as ``manifest_sha256``."""

    bid: str
    bidder: str
    lot: str
    stage: str
    tender: str
    files: tuple[FileRow, ...]


_FILE: Final = record({"digest": commitment, "path": text, "salt": commitment, "size": integer(0, MAX_PART)}, FileRow)
MANIFEST: Final = Table("sb1.manifest", {**SUBJECT, "files": sorted_by(lambda row: row.path, _FILE)})


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSource:
    """A file to be put into a bid: where it stands in the archive, its size, and how to read it (twice)."""

    path: str
    size: int
    content: Callable[[], Iterator[bytes]]

    @classmethod
    def of_bytes(cls, path: str, data: bytes) -> FileSource:
        """Return the source of a file that is in memory."""
        return cls(path=path, size=len(data), content=lambda: iter((data,)))


def file_digest(salt: bytes, path: str, content_sha256: bytes) -> bytes:
    """Return the salted digest of one file, so that it can be shown later without making the others guessable."""
    return tuple_hash(SB1_FILE, salt, path.encode(), content_sha256)


def require_path(path: str) -> str:
    """Return a path that may stand in the archive (S5.2): relative, NFC, no ``..``, at most 200 bytes of UTF-8.

    Steps that are empty or ``.`` are refused, too: they would give one file several spellings.

    Raises:
        InvalidInput: ``main.bad_path``.
    """
    if {"", ".", ".."} & set(path.split("/")):
        raise InvalidInput("main.bad_path", f"{path!r} is not a relative path below the archive", path=path)
    if len(path.encode()) > MAX_PATH or not unicodedata.is_normalized("NFC", path):
        raise InvalidInput("main.bad_path", f"{path!r} is longer than {MAX_PATH} bytes or not NFC", path=path)
    return path


def _require_paths(paths: Sequence[str]) -> None:
    folded = {require_path(path).casefold() for path in paths}
    if len(folded) < len(paths) or MANIFEST_NAME in folded:
        raise InvalidInput("main.bad_path", "two paths differ only in case, or one is manifest.json")


def build_manifest(context: BidContext, files: Sequence[FileSource], salts: Sequence[bytes]) -> bytes:
    """Return the bytes of ``manifest.json``; reads every file once.

    Args:
        context: The bid's context.
        files: The files in any order.
        salts: 32 fresh random bytes for each file.

    Raises:
        InvalidInput: ``main.bad_path``.
    """
    _require_paths([file.path for file in files])
    rows = []
    for file, salt in zip(files, salts, strict=True):
        state = hashlib.sha256()
        for chunk in file.content():
            state.update(chunk)
        made = file_digest(salt, file.path, state.digest())
        rows.append({"digest": made.hex(), "path": file.path, "salt": salt.hex(), "size": file.size})
    rows.sort(key=lambda row: str(row["path"]))
    return MANIFEST.write({**subject_of(context), "files": rows})


def write_main(manifest: bytes, files: Sequence[FileSource]) -> Iterator[bytes]:
    """Yield the plaintext of the part ``main``: manifest first, then the files in the manifest's order.

    Raises:
        InvalidInput: ``main.file_changed``: a file's size is no longer the stated one.
    """
    first = FileSource.of_bytes(MANIFEST_NAME, manifest)
    members = [first, *sorted(files, key=lambda file: file.path)]
    return write_tar(Member(path=file.path, size=file.size, content=file.content) for file in members)


def parse_manifest(raw: bytes) -> Manifest:
    """Parse the bytes of ``manifest.json``.

    Raises:
        InvalidInput: ``doc.…`` or ``main.bad_path``.
    """
    manifest = Manifest(raw=raw, **MANIFEST.read(raw))
    _require_paths([row.path for row in manifest.files])
    return manifest


def read_main(
    source: BinaryIO, context: BidContext, keep: Callable[[str, Iterator[bytes]], None] | None = None
) -> Manifest:
    """Check the plaintext of a part ``main`` whole: archive, manifest, and every file against its row.

    Args:
        source: The plaintext.
        context: The bid's context, whose subject the manifest must repeat.
        keep: Receives each file's path and bytes as they pass, and may store them; they are trustworthy only when
            this function has returned.

    Raises:
        InvalidInput: ``main.…`` or ``doc.…``; each of them is malformed content (S10 row 12).
    """
    entries = read_tar(source)
    first = next(entries, None)
    if first is None or first.path != MANIFEST_NAME or first.size > canonical.MAX_DOCUMENT:
        raise InvalidInput("main.malformed", f"the first member is not {MANIFEST_NAME}")
    manifest = parse_manifest(b"".join(first.chunks))
    require_subject(manifest, context)
    rows = {row.path: row for row in manifest.files}
    for entry in entries:
        row = rows.pop(entry.path, None)
        if row is None:
            raise InvalidInput("main.malformed", f"{entry.path!r} is not in the manifest, or comes twice")
        _check_file(entry, row, keep)
    if rows:
        raise InvalidInput("main.malformed", f"{min(rows)!r} is in the manifest but not in the archive")
    return manifest


def _check_file(entry: Entry, row: FileRow, keep: Callable[[str, Iterator[bytes]], None] | None) -> None:
    state = hashlib.sha256()

    def passing() -> Iterator[bytes]:
        for chunk in entry.chunks:
            state.update(chunk)
            yield chunk

    stream = passing()
    if keep is not None:
        keep(entry.path, stream)
    for _chunk in stream:  # what nobody kept is hashed all the same
        pass
    if entry.size != row.size or file_digest(row.salt, row.path, state.digest()) != row.digest:
        raise InvalidInput("main.malformed", f"{row.path!r} has another size or digest than its row")
