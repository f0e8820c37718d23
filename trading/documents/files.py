"""Taking a tender document into the object store: its type is checked, then it is hashed while it is stored."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from typing import BinaryIO, Final

from trading.documents.rules.media import HEAD_BYTES, MAX_BYTES, clean_name, media_of
from trading.kernel.errors import InvalidInput
from trading.storage.objects import ObjectStore

_MOST_MEMBERS: Final = 10_000  # entries of a container; more is a bomb and no document


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A file that stands in the object store under its SHA-256; ``size`` in bytes."""

    name: str
    media: str
    sha256: str
    size: int


def take(store: ObjectStore, name: str, source: BinaryIO) -> StoredFile:
    """Check and store a file; ``source`` is seekable, as the web server's temporary files are.

    Raises:
        InvalidInput: ``document.…``: name, type, content or size; nothing is then stored.
    """
    shown = clean_name(name)
    head = source.read(HEAD_BYTES)
    media = media_of(shown, head, _members(source))
    source.seek(0)
    try:
        digest, size = store.put_stream(source, limit=MAX_BYTES)
    except InvalidInput as error:
        raise InvalidInput("document.too_large", shown, name=shown, limit=MAX_BYTES) from error
    return StoredFile(name=shown, media=media, sha256=digest, size=size)


def _members(source: BinaryIO) -> frozenset[str] | None:
    """Return the entries of the container that a file is; nothing is unpacked."""
    source.seek(0)
    try:
        with zipfile.ZipFile(source) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError, RuntimeError):
        return None
    return frozenset(names) if len(names) <= _MOST_MEMBERS else None
