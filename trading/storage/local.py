"""An object store in a directory: temporary name, fsync, link, fsync of the directory; nothing is ever replaced."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO, Final

from trading.kernel.errors import IntegrityFailure, InvalidInput, NotFound
from trading.storage.durable import make_directory, sync_directory
from trading.storage.objects import CHUNK, MAX_PART

_DIGEST: Final = re.compile(r"[0-9a-f]{64}\Z")
_INCOMING: Final = "incoming"


class LocalStore:
    """Objects lie at ``<root>/<first two characters>/<digest>``."""

    def __init__(self, root: Path) -> None:
        self._root = root
        make_directory(root / _INCOMING)

    def put(self, data: bytes) -> str:
        """Store ``data`` durably and return its digest."""
        return self.put_stream(BytesIO(data))[0]

    def put_stream(self, source: BinaryIO, *, limit: int = MAX_PART) -> tuple[str, int]:
        """Store what ``source`` yields; return digest and size.

        Raises:
            InvalidInput: ``bid.part_too_large``.
        """
        temporary = self._root / _INCOMING / token_hex(16)
        try:
            with temporary.open("xb") as file:
                digest, size = _copy(source, file, limit)
                file.flush()
                os.fsync(file.fileno())
            self._link(temporary, digest)
        finally:
            temporary.unlink(missing_ok=True)
        return digest, size

    def _link(self, temporary: Path, digest: str) -> None:
        path = self._path(digest)
        make_directory(path.parent)
        with suppress(FileExistsError):  # a link fails if the name is taken; then the same bytes are there already
            path.hardlink_to(temporary)
        sync_directory(path.parent)

    def get(self, digest: str) -> bytes:
        """Return the bytes, hashed again.

        Raises:
            NotFound: No such object.
            IntegrityFailure: They do not hash to their name.
        """
        return b"".join(self.chunks(digest))

    def chunks(self, digest: str) -> Iterator[bytes]:
        """Yield the bytes; the last step raises ``IntegrityFailure`` if they do not hash to their name."""
        try:
            file = self._path(digest).open("rb")
        except FileNotFoundError as error:
            raise NotFound("object") from error
        state = hashlib.sha256()
        with file:
            while chunk := file.read(CHUNK):
                state.update(chunk)
                yield chunk
        if state.hexdigest() != digest:
            raise IntegrityFailure(f"object {digest} does not hash to its name")

    def stat(self, digest: str) -> int | None:
        """Return the size in bytes, or None."""
        try:
            return self._path(digest).stat().st_size
        except FileNotFoundError:
            return None

    def walk(self) -> Iterator[str]:
        """Yield the digest of every object."""
        for path in self._root.glob("??/*"):
            if _DIGEST.match(path.name):
                yield path.name

    def _path(self, digest: str) -> Path:
        if not _DIGEST.match(digest):
            raise ValueError("an object is named by 64 characters of lowercase hex")
        return self._root / digest[:2] / digest


def _copy(source: BinaryIO, target: BinaryIO, limit: int) -> tuple[str, int]:
    state, size = hashlib.sha256(), 0
    while chunk := source.read(CHUNK):
        size += len(chunk)
        if size > limit:
            raise InvalidInput("bid.part_too_large", f"more than {limit} bytes", limit=limit)
        state.update(chunk)
        target.write(chunk)
    return state.hexdigest(), size
