"""Words in the texts of pages: white space does not count, because pages break lines within words, nor does case."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

AROUND: Final = 40  # characters shown on either side of a hit
LONGEST_WORDS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """The first place of some words in a text with what stands around it, and how many places there are."""

    before: str
    found: str
    after: str
    times: int


def packed(text: str) -> str:
    """Return a text as it is compared: lower case, without white space."""
    return "".join(text.lower().split())


def hit_of(text: str, words: str) -> Hit | None:
    """Return where ``words`` stand in ``text``; None if nowhere, or if there are no words."""
    wanted = packed(words[:LONGEST_WORDS])
    places = [at for at, character in enumerate(text) if not character.isspace() for _ in character.lower()]
    flat = packed(text)
    first = flat.find(wanted) if wanted else -1
    if first < 0:
        return None
    start, end = places[first], places[first + len(wanted) - 1] + 1
    return Hit(
        before=("…" if start > AROUND else "") + _line(text[max(0, start - AROUND) : start]),
        found=_line(text[start:end]),
        after=_line(text[end : end + AROUND]) + ("…" if len(text) > end + AROUND else ""),
        times=flat.count(wanted),
    )


def _line(text: str) -> str:
    """Return a piece of text with single blanks, those at its ends kept."""
    return " ".join(f"|{text}|".split())[1:-1]
