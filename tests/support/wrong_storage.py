"""Wrong ways to write, put over the product's in one process: what the campaign of system calls must find."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from typing import BinaryIO

from trading.audit.sequencer.publishing import PublicHead
from trading.audit.sequencer.writer import LogWriter, SignedHead
from trading.storage.durable import make_directory, sync_directory
from trading.storage.local import LocalStore
from trading.storage.objects import MAX_PART
from trading.storage.pieces import LocalPieces
from trading.storage.tiles import CHECKPOINT

_fsync, _fdatasync, _publish, _move = os.fsync, os.fdatasync, LogWriter.publish, PublicHead.move


def ignore_failed_syncs() -> None:
    """Go on when the disk has not taken the bytes."""

    def fsync(descriptor: int) -> None:
        with suppress(OSError):
            _fsync(descriptor)

    def fdatasync(descriptor: int) -> None:
        with suppress(OSError):
            _fdatasync(descriptor)

    os.fsync = fsync  # type: ignore[assignment]
    os.fdatasync = fdatasync  # type: ignore[assignment]


def repeat_failed_syncs() -> None:
    """Take the success of a second sync for that of the first."""

    def fdatasync(descriptor: int) -> None:
        try:
            _fdatasync(descriptor)
        except OSError:
            _fdatasync(descriptor)

    os.fdatasync = fdatasync  # type: ignore[assignment]


def sign_before_the_sync() -> None:
    """Publish the checkpoint first, and wait for the disk afterwards."""
    waiting: list[int] = []

    def publish(self: LogWriter, signed: SignedHead) -> None:
        _publish(self, signed)
        while waiting:
            _fdatasync(waiting.pop())

    os.fdatasync = waiting.append  # type: ignore[assignment]
    LogWriter.publish = publish  # type: ignore[method-assign]


def publish_before_the_tiles() -> None:
    """Show everybody the checkpoint of a window first, and the tiles below it afterwards."""

    def move(self: PublicHead, old: int, size: int, within: int) -> None:
        self._public.write(CHECKPOINT, self.sign(size, within).note.encode(), durable=True)
        _move(self, old, size, within)

    PublicHead.move = move  # type: ignore[method-assign]


def count_pieces_before_the_sync() -> None:
    """Tell the name of a piece while its bytes are in the memory of the kernel alone."""

    def put(self: LocalPieces, upload: str, source: BinaryIO) -> tuple[str, int]:
        folder, data = self._root / upload, source.read()
        make_directory(folder)
        path = folder / hashlib.sha256(data).hexdigest()[:16]
        path.write_bytes(data)
        sync_directory(folder)
        return path.name, len(data)

    LocalPieces.put = put  # type: ignore[method-assign]


def write_in_place() -> None:
    """Give an object its name before all of it is written."""

    def put_stream(self: LocalStore, source: BinaryIO, *, limit: int = MAX_PART) -> tuple[str, int]:
        data = source.read(limit)
        digest = hashlib.sha256(data).hexdigest()
        path = self._path(digest)
        make_directory(path.parent)
        with path.open("wb", buffering=0) as file:
            for part in (data[:3], data[3:]):
                file.write(part)
            os.fsync(file.fileno())
        sync_directory(path.parent)
        return digest, len(data)

    LocalStore.put_stream = put_stream  # type: ignore[method-assign]
