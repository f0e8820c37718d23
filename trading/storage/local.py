"""An object store in a directory: temporary name, fsync, link, fsync of the directory; nothing is ever replaced.

Several processes write at once. Each holds a lock on the file that it is writing, so that whoever begins can tell what
writers that died have left, and remove it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO, Final

from trading.kernel.errors import IntegrityFailure, NotFound
from trading.storage.durable import make_directory, sync_directory
from trading.storage.objects import ASIDE, CHUNK, MAX_PART, Saved
from trading.storage.pieces import FOLDER, LocalPieces
from trading.storage.streams import copy_hashed

_DIGEST: Final = re.compile(r"[0-9a-f]{64}\Z")
_INCOMING: Final = "incoming"


class LocalStore:
    """Objects lie at ``<root>/<first two characters>/<digest>``."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._incoming = root / _INCOMING
        self.pieces = LocalPieces(root / FOLDER)
        self._kept: set[Path] = set()  # directories whose names this process has made durable
        make_directory(self._incoming)
        for left in self._incoming.iterdir():
            _remove_unless_held(left)

    def put(self, data: bytes) -> str:
        """Store ``data`` durably and return its digest."""
        return self.put_stream(BytesIO(data))[0]

    def put_stream(self, source: BinaryIO, *, limit: int = MAX_PART) -> tuple[str, int]:
        """Store what ``source`` yields; return digest and size.

        Raises:
            InvalidInput: ``bid.part_too_large``.
        """
        with self._temporary() as (temporary, file):
            digest, size = copy_hashed(source, file, limit)
            file.flush()
            os.fsync(file.fileno())
            self._link(temporary, digest)
        return digest, size

    @contextmanager
    def _temporary(self) -> Iterator[tuple[Path, BinaryIO]]:
        """Yield a new file that is held, and remove its name afterwards."""
        path = self._incoming / token_hex(16)
        try:
            with path.open("xb") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                if os.fstat(file.fileno()).st_nlink:
                    yield path, file
                    return
        finally:
            path.unlink(missing_ok=True)
        with self._temporary() as another:  # a process that began between open and lock took it for one that was left
            yield another

    def _link(self, temporary: Path, digest: str) -> None:
        path = self._path(digest)
        if path.parent not in self._kept:
            make_directory(path.parent)
            self._kept.add(path.parent)
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

    def since(self, digest: str) -> int | None:
        """Return when the file was written, in ms, or None."""
        try:
            return self._path(digest).stat().st_mtime_ns // 1_000_000
        except FileNotFoundError:
            return None

    def address(self, digest: str, size: int, saved: Saved) -> None:
        """Return None: a directory has no address."""

    def remove(self, digest: str) -> None:
        """Remove the file."""
        path = self._path(digest)
        with suppress(FileNotFoundError):
            path.unlink()
            sync_directory(path.parent)

    def walk(self) -> Iterator[str]:
        """Yield the digest of every object."""
        for path in self._root.glob("??/*"):
            if _DIGEST.match(path.name):
                yield path.name

    def folder(self, name: str) -> LocalStore:
        """Return the store in ``<root>/<name>``."""
        return LocalStore(self._root / name)

    def require_conditions(self) -> None:
        """Nothing is to be tried out: a link to a name that is taken fails on every file system."""

    def set_aside(self, digest: str) -> None:
        """Move the file to ``<root>/aside/<digest>.<random name>``."""
        aside = self._root / ASIDE
        make_directory(aside)
        path = self._path(digest)
        with suppress(FileNotFoundError):
            path.rename(aside / f"{digest}.{token_hex(8)}")
            sync_directory(aside)
            sync_directory(path.parent)

    def _path(self, digest: str) -> Path:
        if not _DIGEST.match(digest):
            raise ValueError("an object is named by 64 characters of lowercase hex")
        return self._root / digest[:2] / digest


def _remove_unless_held(path: Path) -> None:
    """Remove a file whose writer has died: its lock died with it."""
    with suppress(FileNotFoundError, BlockingIOError), path.open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink(missing_ok=True)
