"""What is doubtful about a file before it is sealed, when it can still be changed (ux C15 to C17).

A doubt stops nobody. The table is that of the sealing page, static/seal/filetypes.json: by extension, how a file
begins, what stands near its end, and what tells that it needs a password. Sizes are bytes, contents hex. Of other
extensions nothing is known.
"""

from __future__ import annotations

import json
import os
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, Final

_TABLE: Final = Path(__file__).resolve().parents[2] / "static" / "seal" / "filetypes.json"
_LONGEST_START: Final = 16


class Doubt(StrEnum):
    """Why evaluators may be unable to read a file."""

    EMPTY = "empty"
    WRONG_TYPE = "wrong_type"  # it does not begin as files with its extension do
    TRUNCATED = "truncated"  # it has no end: a PDF without %%EOF, a ZIP without its directory
    LOCKED = "locked"  # it asks for a password


def doubts_of(path: Path) -> tuple[Doubt, ...]:
    """Return what is doubtful about a file; its name and at most 64 KiB of it are looked at."""
    if path.stat().st_size == 0:
        return (Doubt.EMPTY,)
    extension = path.name.rpartition(".")[2].lower() if "." in path.name else ""
    kind = _kinds().get(extension)
    if kind is None:
        return ()
    with path.open("rb") as file:
        if not _begins(file.read(int(kind["starts_within"]) + _LONGEST_START), kind):
            return (Doubt.WRONG_TYPE,)
        is_cut = "ends" in kind and not _ends(file, kind, "ends")
        is_locked = "locked" in kind and _ends(file, kind, "locked")
    found = ((Doubt.TRUNCATED, is_cut), (Doubt.LOCKED, is_locked))
    return tuple(doubt for doubt, holds in found if holds)


def _begins(head: bytes, kind: dict[str, Any]) -> bool:
    starts = [bytes.fromhex(start) for start in kind["starts"]]
    return any(start in head[: int(kind["starts_within"]) + len(start)] for start in starts)


def _ends(file: BinaryIO, kind: dict[str, Any], what: str) -> bool:
    """Whether a mark stands in so many last bytes of the file."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - int(kind[f"{what}_within"])))
    return bytes.fromhex(kind[what]) in file.read()


@cache
def _kinds() -> dict[str, dict[str, Any]]:
    table = json.loads(_TABLE.read_text(encoding="ascii"))
    return {extension: kind for kind in table["kinds"] for extension in kind["extensions"]}
