"""The public files of the log: tiles, entry bundles, checkpoints (AL1 L1.4). Only the sequencer writes here.

A tile is derived from the write-ahead log and is not synced. A file that is not complete lies in a folder aside, which
is emptied whenever a sequencer begins. A witnessed note holds other organisations' signatures and
cannot be derived, so its first writing is durable.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from trading.storage.durable import make_directory, replace_file

CHECKPOINT: Final = "checkpoint"  # newest note that the log signed
WITNESSED: Final = "witnessed"  # newest note with a quorum of cosignatures
PUBLIC: Final = "public"  # folder of the public head, below the working tiles (AL1 L6)
RATE: Final = "rate.json"  # in it: how the public head grows
EARLIER: Final = "earlier.json"  # the logs that this one continues, and where their files lie (AL1 L13)
_NOTES: Final = "checkpoints"
_UNFINISHED: Final = ".unfinished"


class TileStore:
    """Reads and writes files of the log under relative paths such as ``tile/0/001`` or ``checkpoint``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._unfinished = root / _UNFINISHED
        self._kept: set[Path] = set()  # directories whose names this process has made durable

    def begin(self) -> None:
        """Make the store and remove what a writer that died left unfinished; for the one writer, before it writes."""
        make_directory(self._unfinished)
        for left in self._unfinished.iterdir():
            left.unlink()

    def read(self, path: str) -> bytes | None:
        """Return the bytes of a file, or None if there is none."""
        try:
            return (self.root / path).read_bytes()
        except FileNotFoundError:
            return None

    def widths(self, path: str) -> list[int]:
        """Return the widths of the partial tiles of ``path``, narrowest first."""
        try:
            return sorted(int(each.name) for each in (self.root / f"{path}.p").iterdir() if each.name.isdigit())
        except FileNotFoundError:
            return []

    def read_wider(self, path: str, width: int) -> bytes | None:
        """Return the narrowest partial tile of ``path`` with ``width`` hashes or more; None if there is none."""
        fitting = [each for each in self.widths(path) if each >= width]
        return self.read(f"{path}.p/{min(fitting)}") if fitting else None

    def write(self, path: str, data: bytes, *, durable: bool = False) -> None:
        """Replace a file atomically."""
        target = self.root / path
        if durable and target.parent not in self._kept:
            make_directory(target.parent)
            self._kept.add(target.parent)
        try:
            replace_file(target, data, durable=durable, unfinished=self._unfinished)
        except FileNotFoundError:
            for directory in (self._unfinished, target.parent):
                make_directory(directory, durable=False)
            replace_file(target, data, durable=durable, unfinished=self._unfinished)

    def drop_partial(self, path: str) -> None:
        """Remove the partial tiles of ``path``, which has become full; readers fall back to the full one."""
        shutil.rmtree(self.root / f"{path}.p", ignore_errors=True)

    def keep_witnessed(self, size: int, note: bytes) -> None:
        """Keep the first and the last witnessed note of a size, and the newest of all (AL1 L7.3)."""
        first = f"{_NOTES}/{size}-first"
        if (self.root / first).exists():
            self.write(f"{_NOTES}/{size}-last", note)
        else:
            self.write(first, note, durable=True)
        self.write(WITNESSED, note)

    def first_witnessed(self, size: int) -> bytes | None:
        """Return the first witnessed note of exactly this size, or None; later ones only repeat it at later times."""
        return self.read(f"{_NOTES}/{size}-first")

    def notes(self) -> list[tuple[int, str]]:
        """Return size and path of every witnessed note, by size, first before last."""
        found = []
        for path in (self.root / _NOTES).glob("[0-9]*-*"):
            size, _, which = path.name.partition("-")
            if size.isdigit() and which in {"first", "last"}:
                found.append((int(size), which))
        return [(size, f"{_NOTES}/{size}-{which}") for size, which in sorted(found)]
