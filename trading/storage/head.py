"""The head of the log: size and root, moved by compare-and-swap before anything is signed (AL1 L5.1 B7).

The file stands on another volume than the write-ahead log and the tiles. It is the last word against two writers and
against a log host restored from a snapshot.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from trading.kernel.errors import Conflict, IntegrityFailure
from trading.storage.durable import make_directory, replace_file


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Size and root (32 bytes) of the log called ``origin``."""

    origin: str
    root: bytes
    size: int


class HeadStore:
    """``head.json`` in its own directory."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "head.json"
        self._lock = directory / "head.lock"
        self._closed = directory / "closed"
        self._is_ready = False

    def read(self) -> Head | None:
        """Return the head, or None before the first swap.

        Raises:
            IntegrityFailure: The file is damaged; also by a bit that changes no value, such as the case of a digit.
        """
        try:
            text = self._path.read_bytes()
            data = json.loads(text)
            head = Head(origin=data["origin"], root=bytes.fromhex(data["root"]), size=data["size"])
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise IntegrityFailure(f"{self._path} is damaged") from error
        if _encoded(head) != text:
            raise IntegrityFailure(f"{self._path} is damaged")
        return head

    def swap(self, old: Head | None, new: Head) -> None:
        """Replace ``old`` by ``new``, durably.

        Raises:
            Conflict: The stored head is not ``old``, or ``new`` is smaller, of another origin, or has another root at
                the same size. Or the log is closed.
        """
        if not self._is_ready:
            make_directory(self._path.parent)
        with self._locked():
            if not self._is_ready:
                self._clear()
            if self._closed.exists():
                raise Conflict(f"the log is closed: {self._closed} says so")
            stored = self.read()
            if stored != old:
                raise Conflict(f"the head is {_told(stored)}, not {_told(old)}: another sequencer has moved it")
            if stored is not None and (
                new.origin != stored.origin
                or new.size < stored.size
                or (new.size == stored.size and new.root != stored.root)
            ):
                raise Conflict(f"the head never moves from {_told(stored)} to {_told(new)}")
            replace_file(self._path, _encoded(new), durable=True)
            self._is_ready = True

    def close(self, origin: str) -> None:
        """Refuse every later swap, durably: the log called ``origin`` has ended (AL1 L13). May be repeated."""
        make_directory(self._path.parent)
        with self._locked():
            replace_file(self._closed, origin.encode(), durable=True)

    def _clear(self) -> None:
        """Remove what a process that died in the middle of a swap has left."""
        for left in self._path.parent.glob(f".{self._path.name}.*"):
            left.unlink()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _encoded(head: Head) -> bytes:
    return json.dumps({"origin": head.origin, "root": head.root.hex(), "size": head.size}).encode()


def _told(head: Head | None) -> str:
    return "empty" if head is None else f"size {head.size} root {head.root.hex()[:16]}"
