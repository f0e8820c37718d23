"""What a correction changed, piece by piece, so that a reader sees old and new side by side (NOT-05, ux 4.1)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final

from trading.kernel.errors import InvalidInput
from trading.kernel.instants import parse_instant

# Latin words and numbers move as one piece, every Chinese character and every sign alone.
_PIECE: Final = re.compile(r"[A-Za-z0-9]+(?:[.,:/-][A-Za-z0-9]+)*|\s+|.", re.DOTALL)
_MOST_PIECES: Final = 3000  # beyond this, whole lines are compared: the arithmetic is quadratic


# ``lot 1 close`` and ``lots.0.close`` are how notices name a field of a lot (there the place counts from 0).
_OF_LOT: Final = re.compile(r"(?:lot (?P<number>\S+) |lots\.(?P<place>\d+)\.)?(?P<name>.*)")
_INSTANTS: Final = frozenset({"close", "questions_until", "supply_ends_at"})
_AMOUNTS: Final = frozenset({"budget", "ceiling"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One field that a correction changed, as the notice states it; "" stands for no value."""

    field: str
    old: str
    new: str

    @property
    def lot(self) -> str | None:
        """Return the number of the lot that the field belongs to; None for the whole procedure."""
        match = _OF_LOT.fullmatch(self.field)
        if match is None or (match["number"] is None and match["place"] is None):
            return None
        return match["number"] or str(int(match["place"]) + 1)

    @property
    def name(self) -> str:
        """Return the name of the field without its lot."""
        match = _OF_LOT.fullmatch(self.field)
        return match["name"] if match is not None else self.field

    @property
    def kind(self) -> str:
        """Return how the values are shown: ``instant``, ``amount`` or ``text``."""
        last = self.name.rpartition(".")[2]
        if last in _INSTANTS and None not in {_ms(self.old), _ms(self.new)}:
            return "instant"
        return "amount" if last in _AMOUNTS and (self.old + self.new).isdigit() else "text"

    def value(self, text: str) -> int | None:
        """Return an old or new text of an ``instant`` in ms, of an ``amount`` in minor units; None if it is empty."""
        return _ms(text) if self.kind == "instant" else int(text) if text else None


def _ms(text: str) -> int | None:
    """Read an instant as notices print it: ms, or ISO 8601 with an offset."""
    if text.isdigit():
        return int(text)
    try:
        return parse_instant(text)
    except InvalidInput:
        return None


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
