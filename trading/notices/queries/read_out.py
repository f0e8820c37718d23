"""The read-out table: every bid keeps its number of the opening order, whatever order a reader asks for (OPN-04).

Prices are compared where they stand: each beside the ceiling, or without one beside the highest. Integers only; the
drawing is a template and repeats nothing that does not stand in words in the same row (ux 6.1).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from trading.notices.queries.opening import BidRow, Ceremony

_PER_CENT: Final = 100


class By(StrEnum):
    """What a read-out table is sorted by."""

    ORDER = "order"
    BIDDER = "bidder"
    PRICE = "price"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One bid of the table: its number in the opening order from 1 on.

    ``x`` is how far its price reaches along the axis, in per cent as text; ``share`` its price in per cent of the
    ceiling, with one decimal. Both are None where nothing can be compared.
    """

    number: int
    bid: BidRow
    x: str | None = None
    share: str | None = None
    above: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOut:
    """The table. ``ceiling_x`` is where the ceiling stands on the axis; None without one, or before the read-out."""

    by: By
    lines: tuple[Line, ...]
    ceiling_x: str | None = None

    @property
    def lowest(self) -> Line | None:
        """Return the line of the lowest price, the first of equal ones in the opening order."""
        return self._extreme(min)

    @property
    def highest(self) -> Line | None:
        """Return the line of the highest price."""
        return self._extreme(max)

    @property
    def priced(self) -> int:
        """Return how many prices are compared."""
        return sum(line.x is not None for line in self.lines)

    def _extreme(self, choose: Callable[..., Line]) -> Line | None:
        compared = sorted((line for line in self.lines if line.x is not None), key=lambda line: line.number)
        return choose(compared, key=lambda line: line.bid.price) if compared else None


def read_out(c: Ceremony, by: By, language: str) -> ReadOut:
    """Return the bids of a ceremony as a table; prices only once every bid has its result."""
    compared = [bid.price for bid in c.bids if bid.price is not None and bid.currency == c.currency]
    end = max([*compared, c.ceiling or 0], default=0)
    lines = [_line(number, bid, c, end) for number, bid in enumerate(c.bids, 1)]
    lines.sort(key=_KEYS[by](language))
    ceiling_x = _per_cent(c.ceiling, end) if compared and c.ceiling is not None else None
    return ReadOut(by=by, lines=tuple(lines), ceiling_x=ceiling_x)


def _line(number: int, bid: BidRow, c: Ceremony, end: int) -> Line:
    if bid.price is None or bid.currency != c.currency or not end:
        return Line(number=number, bid=bid)
    above = c.ceiling is not None and bid.price > c.ceiling
    share = None if c.ceiling is None else _one_decimal(bid.price, c.ceiling)
    return Line(number=number, bid=bid, x=_per_cent(bid.price, end), share=share, above=above)


def _by_order(_language: str) -> Callable[[Line], Any]:
    return lambda line: line.number


def _by_bidder(language: str) -> Callable[[Line], Any]:
    if language == "zh":  # the usual characters of this encoding stand in the order of their sound
        return lambda line: ((line.bid.bidder_zh or line.bid.bidder_en).encode("gb18030"), line.number)
    return lambda line: ((line.bid.bidder_en or line.bid.bidder_zh).casefold(), line.number)


def _by_price(_language: str) -> Callable[[Line], Any]:
    return lambda line: (line.x is None, line.bid.price if line.x is not None else 0, line.number)


_KEYS: Final[Mapping[By, Callable[[str], Callable[[Line], Any]]]] = {
    By.ORDER: _by_order,
    By.BIDDER: _by_bidder,
    By.PRICE: _by_price,
}


def _per_cent(value: int, end: int) -> str:
    hundredths = value * _PER_CENT * _PER_CENT // end
    return f"{hundredths // _PER_CENT}.{hundredths % _PER_CENT:02d}"


def _one_decimal(value: int, whole: int) -> str:
    """Return ``value`` in per cent of ``whole``, rounded half up to one decimal."""
    tenths = (value * 2000 + whole) // (2 * whole)
    return f"{tenths // 10}.{tenths % 10}"
