"""What a correction changed, piece by piece, so that a reader sees old and new side by side (NOT-05, ux 4.1)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final

# Latin words and numbers move as one piece, every Chinese character and every sign alone.
_PIECE: Final = re.compile(r"[A-Za-z0-9]+(?:[.,:/-][A-Za-z0-9]+)*|\s+|.", re.DOTALL)
_MOST_PIECES: Final = 3000  # beyond this, whole lines are compared: the arithmetic is quadratic


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A run of text that is ``same``, ``removed`` or ``added``."""

    how: str
    text: str


def compare(old: str, new: str) -> tuple[Piece, ...]:
    """Return the runs that lead from ``old`` to ``new``; removed text always stands before what replaces it."""
    before, after = _PIECE.findall(old), _PIECE.findall(new)
    if len(before) + len(after) > _MOST_PIECES:
        before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    return tuple(piece for piece in _runs(before, after) if piece.text)


def _runs(before: list[str], after: list[str]) -> Iterator[Piece]:
    for how, low, high, start, end in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if how == "equal":
            yield Piece(how="same", text="".join(before[low:high]))
            continue
        yield Piece(how="removed", text="".join(before[low:high]))
        yield Piece(how="added", text="".join(after[start:end]))
