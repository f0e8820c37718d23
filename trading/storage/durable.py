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
    """Make a directory and its missing parents; with ``durable`` their names survive a power cut."""
    if path.is_dir():
        return
    make_directory(path.parent, durable=durable)
    path.mkdir(mode=0o755, exist_ok=True)
    if durable:
        sync_directory(path.parent)


def replace_file(path: Path, data: bytes, *, durable: bool) -> None:
    """Replace a file atomically; with ``durable`` also before this returns, power cut or not."""
    temporary = path.with_name(f".{path.name}.{token_hex(6)}")
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
