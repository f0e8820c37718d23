"""The agent's own log: one canonical line per act, appended and synced, each with the hash of the line before.

The institution compares it with the public log (SB1 S13.4). It holds names and hashes, never a secret.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from trading.kernel.canonical import dumps, loads_object
from trading.kernel.digests import sha256_hex
from trading.kernel.errors import IntegrityFailure, InvalidInput

_START = "0" * 64
_TAIL = 64 * 1024


class Journal:
    """Appends to one file; two processes may share it, since every line is one write under the state's lock."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, at: int, act: str, **facts: Any) -> None:  # noqa: ANN401 - canonical JSON values
        """Append one line: instant in ms, what was done, and its facts."""
        line = dumps({"act": act, "at": at, "facts": facts, "previous": self._last()}) + b"\n"
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, line)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _last(self) -> str:
        if not self._path.exists():
            return _START
        with self._path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL))
            lines = file.read().splitlines()
        return sha256_hex(lines[-1]) if lines else _START

    def check(self) -> int:
        """Return the number of lines of an unbroken journal.

        Raises:
            IntegrityFailure: A line was changed, removed or inserted.
        """
        previous, number = _START, 0
        lines = self._path.read_bytes().splitlines() if self._path.exists() else []
        for number, line in enumerate(lines, 1):
            try:
                found = loads_object(line).get("previous")
            except InvalidInput as error:
                raise IntegrityFailure(f"line {number} of the journal is not canonical") from error
            if found != previous:
                raise IntegrityFailure(f"line {number} of the journal does not follow the line before")
            previous = sha256_hex(line)
        return number
