"""Pieces of parts that are still on their way: each durable before its name is told, none of them an object yet.

A piece has a random name, so two writers never touch the same bytes; which of them counts is decided where the names
are kept. A piece whose name is kept nowhere was never counted, and may be thrown away.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO, Final, Protocol

from trading.kernel.errors import NotFound
from trading.storage.durable import make_directory, sync_directory
from trading.storage.objects import CHUNK
from trading.storage.streams import copy_hashed

FOLDER: Final = "uploads"
MOST_OF_ONE: Final = 8 * 1024 * 1024  # bytes of a piece (SB1 S7.1)
_NAME: Final = re.compile(r"[0-9a-z]{1,40}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where a sender puts one piece with PUT, past the platform, and the headers that must come with it."""

    url: str
    headers: dict[str, str]


class Pieces(Protocol):
    """What belongs to one upload lies together under its name: up to 40 lowercase letters and digits."""

    @property
    def origin(self) -> str:
        """Scheme, host and port under which senders reach the place themselves; empty if they do not."""
        ...

    def destination(self, upload: str, name: str, size: int, sha256: str) -> Destination | None:
        """Return where one piece of exactly these bytes may be put, once, for some minutes; None without ``origin``."""
        ...

    def size(self, upload: str, name: str) -> int | None:
        """Return the size of a piece in bytes, or None if there is none."""
        ...

    def put(self, upload: str, source: BinaryIO) -> tuple[str, int]:
        """Store what ``source`` yields, durably; return the name of the piece and its size in bytes.

        Raises:
            InvalidInput: ``bid.part_too_large``: more than ``MOST_OF_ONE``; nothing is kept.
            NotFound: The upload was thrown away meanwhile.
        """
        ...

    def chunks(self, upload: str, names: Iterable[str]) -> Iterator[bytes]:
        """Yield the bytes of pieces one after the other, at most ``CHUNK`` at a time.

        Raises:
            NotFound: One of them is not there.
        """
        ...

    def drop(self, upload: str, name: str) -> None:
        """Throw away one piece; there may be none."""
        ...

    def discard(self, upload: str) -> None:
        """Throw away every piece of an upload; there may be none."""
        ...

    def uploads(self) -> Iterator[str]:
        """Yield the name of every upload of which there is a piece."""
        ...


def require_name(name: str) -> str:
    """Return a name that can be part of a path.

    Raises:
        ValueError: It cannot. A bug: names come from the database, never from outside.
    """
    if not _NAME.match(name):
        raise ValueError(f"{name!r} is no name of an upload or piece")
    return name


class LocalPieces:
    """Pieces in a directory: ``<root>/<upload>/<name>``."""

    def __init__(self, root: Path) -> None:
        """Keep pieces in ``root``, which is made with the first of them."""
        self._root = root

    @property
    def origin(self) -> str:
        """Return nothing: a directory has no address."""
        return ""

    def destination(self, upload: str, name: str, size: int, sha256: str) -> None:
        """Return None."""

    def size(self, upload: str, name: str) -> int | None:
        """Return the size of the file."""
        try:
            return (self._root / require_name(upload) / require_name(name)).stat().st_size
        except FileNotFoundError:
            return None

    def put(self, upload: str, source: BinaryIO) -> tuple[str, int]:
        """Write, sync, and sync the name."""
        folder = self._root / require_name(upload)
        make_directory(folder)
        path = folder / token_hex(8)
        try:
            with path.open("xb") as file:
                _, size = copy_hashed(source, file, MOST_OF_ONE)
                file.flush()
                os.fsync(file.fileno())
            sync_directory(folder)
        except FileNotFoundError as error:
            raise NotFound("upload") from error
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return path.name, size

    def chunks(self, upload: str, names: Iterable[str]) -> Iterator[bytes]:
        """Read one file after the other."""
        for name in names:
            try:
                file = (self._root / require_name(upload) / require_name(name)).open("rb")
            except FileNotFoundError as error:
                raise NotFound("piece") from error
            with file:
                while chunk := file.read(CHUNK):
                    yield chunk

    def drop(self, upload: str, name: str) -> None:
        """Remove one file."""
        (self._root / require_name(upload) / require_name(name)).unlink(missing_ok=True)

    def discard(self, upload: str) -> None:
        """Remove the files and the folder; what a writer adds at this very moment stays until the next time."""
        folder = self._root / require_name(upload)
        with suppress(FileNotFoundError):
            for path in folder.iterdir():
                path.unlink(missing_ok=True)
        with suppress(OSError):
            folder.rmdir()

    def uploads(self) -> Iterator[str]:
        """Yield the names of the folders."""
        with suppress(FileNotFoundError):
            for folder in self._root.iterdir():
                if _NAME.match(folder.name):
                    yield folder.name
