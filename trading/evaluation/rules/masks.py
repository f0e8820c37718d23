"""Masked bidders: letters instead of names until the scores are in, drawn by a recorded shuffle (暗标, ADR 0072).

The platform commits to a seed before anybody reads a bid, and discloses it when the last sheet is signed. Letters
follow the order of hash tickets, as experts are called in a draw (ED1 D9): whoever has the seed recomputes them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from trading.evaluation.rules.scoring import Sheet
from trading.kernel.digests import EVALUATION_MASK, EVALUATION_MASKS, tuple_hash
from trading.openings.model import Place

SEED_BYTES: Final = 32
_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_SHORTEST_NAME: Final = 2  # characters; a single one stands in any text


@dataclass(frozen=True, kw_only=True)
class Masks:
    """The letters of one lot; ``by_bid`` maps references of bids to letters. Its score sheets name these."""

    lot: str
    by_bid: Mapping[str, str]

    def named(self, sheet: Sheet) -> Sheet:
        """Return the scores of a sheet by reference, which itself names letters.

        Raises:
            ValueError: It names something that is no letter of this lot. A bug: it was checked when it was handed in.
        """
        if not self.by_letter.keys() >= sheet.points.keys():
            raise ValueError("a sheet names what is no letter of its lot")
        return Sheet(seat=sheet.seat, points={self.by_letter[name]: row for name, row in sheet.points.items()})

    @cached_property
    def by_letter(self) -> Mapping[str, str]:
        """The reference behind each letter."""
        return {letter: bid for bid, letter in self.by_bid.items()}


def commitment(seed: bytes, place: Place) -> str:
    """Return what is recorded before the letters are used: it fixes the seed and so every letter (hex)."""
    return tuple_hash(EVALUATION_MASKS, seed, *_context(place)).hex()


def draw(seed: bytes, place: Place, bids: Iterable[str]) -> dict[str, str]:
    """Return the letter of every bid: A for the smallest ticket, after Z two letters."""
    order = sorted(bids, key=lambda bid: (tuple_hash(EVALUATION_MASK, seed, *_context(place), bid.encode()), bid))
    return {bid: letter(number) for number, bid in enumerate(order)}


def letter(number: int) -> str:
    """Return the letters of a place from 0 on: A … Z, AA, AB and so on."""
    text = _LETTERS[number % len(_LETTERS)]
    while number := number // len(_LETTERS):
        number -= 1
        text = _LETTERS[number % len(_LETTERS)] + text
    return text


def _context(place: Place) -> tuple[bytes, bytes, bytes]:
    return place.procedure.encode(), place.lot.encode(), place.stage.encode()


def names_bidder(text: str, names: Iterable[str]) -> bool:
    """Whether a text has one of these names or codes, whatever the spaces and the case."""
    read = _packed(text)
    wanted = (_packed(name) for name in names)
    return any(len(name) >= _SHORTEST_NAME and name in read for name in wanted)


def _packed(text: str) -> str:
    return re.sub(r"\s+", "", text).casefold()
