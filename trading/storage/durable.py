"""Files that must survive a power cut: written whole under a temporary name, synced, then given their name."""

from __future__ import annotations

import os
from pathlib import Path
from secrets import token_hex


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_directory(path: Path, *, durable: bool = True) -> None:
    """Make a directory and its missing parents; with ``durable`` their names survive a power cut.

    The name of a directory that is there is synced all the same: whoever made it may have died before that, or seen it
    fail. Writers therefore call this once, when they begin. Where the parent is not ours to read, it was not us.
    """
    is_there = path.is_dir()
    if not is_there:
        make_directory(path.parent, durable=durable)
        path.mkdir(mode=0o755, exist_ok=True)
    if durable and not (is_there and not os.access(path.parent, os.R_OK)):
        sync_directory(path.parent)


def replace_file(path: Path, data: bytes, *, durable: bool, unfinished: Path | None = None) -> None:
    """Replace a file atomically; with ``durable`` also before this returns, power cut or not.

    Until it is complete it lies beside ``path``, or in the folder ``unfinished`` of the same volume.
    """
    temporary = (unfinished or path.parent) / f".{path.name}.{token_hex(6)}"
    try:
        with temporary.open("xb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        sync_directory(path.parent)
