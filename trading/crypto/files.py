"""Files that hold secrets: made whole or not at all, readable by their owner only, never overwritten by mistake."""

from __future__ import annotations

import os
from pathlib import Path
from secrets import token_hex

from trading.kernel.errors import Conflict, InvalidInput

_OTHERS = 0o077


def write_secret(path: Path, data: bytes, *, replace: bool = False) -> None:
    """Write ``data`` durably with mode 0600: temporary name, fsync, link or rename, fsync of the directory.

    Raises:
        Conflict: The file exists and ``replace`` is false; it is left untouched.
    """
    temporary = path.with_name(f".{path.name}.{token_hex(6)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            temporary.replace(path)
        else:
            # A hard link fails if the name is taken; a rename would silently destroy a key.
            path.hardlink_to(temporary)
    except FileExistsError as error:
        raise Conflict(f"{path} exists and is not overwritten") from error
    finally:
        temporary.unlink(missing_ok=True)
    _sync_directory(path.parent)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_secret(path: Path) -> bytes:
    """Return the content of a secret file.

    Raises:
        InvalidInput: ``key.file_mode``: group or others may read it; the person must repair that first.
        FileNotFoundError: No such file.
    """
    if path.stat().st_mode & _OTHERS:
        raise InvalidInput("key.file_mode", f"{path} is open to other users; run: chmod 600 {path}")
    return path.read_bytes()
