"""Geometry of the dot plot of prices: where each price stands between zero and the largest value, in per cent.

Integers only; the drawing is a template, the numbers stand in the table beside it (ux 6.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from unicodedata import east_asian_width

ROW_HEIGHT: Final = 44
AXIS_HEIGHT: Final = 40
TOP: Final = 28
LABEL_WIDTH: Final = 34
_STEPS: Final = (1, 2, 5)
_MOST_TICKS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """One price. ``x`` is a percentage as text; ``y`` in pixels; ``kind`` is awarded, ranked or excluded.

    ``low`` says that the dot stands so far left that its price is written to its right.
    """

    label: str
    price: int
    x: str
    y: int
    kind: str
    low: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A labelled value of the axis, in minor units."""

    value: int
    x: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DotPlot:
    """Everything the template draws. ``ceiling_x`` is None without a ceiling."""

    height: int
    dots: tuple[Dot, ...]
    ticks: tuple[Tick, ...]
    ceiling: int | None
    ceiling_x: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """A price to draw: the bidder's name, minor units, and how it fared."""

    label: str
    price: int
    kind: str


def dot_plot(prices: Sequence[Priced], ceiling: int | None) -> DotPlot | None:
    """Return the plot of ``prices`` in their order, or None if there is nothing to draw. The axis begins at zero."""
    if not prices:
        return None
    largest = max([each.price for each in prices] + ([ceiling] if ceiling else []) + [1])
    step = _tick_step(largest)
    end = (largest // step + 1) * step
    dots = tuple(
        Dot(
            label=shortened(each.label),
            price=each.price,
            x=_percent(each.price, end),
            y=TOP + place * ROW_HEIGHT,
            kind=each.kind,
            low=each.price * 2 < end,
        )
        for place, each in enumerate(prices)
    )
    ticks = tuple(Tick(value=value, x=_percent(value, end)) for value in range(0, end, step))
    return DotPlot(
        height=TOP + len(prices) * ROW_HEIGHT + AXIS_HEIGHT,
        dots=dots,
        ticks=ticks,
        ceiling=ceiling,
        ceiling_x=None if ceiling is None else _percent(ceiling, end),
    )


def shortened(label: str, width: int = LABEL_WIDTH) -> str:
    """Return ``label`` cut to ``width`` columns; a Chinese character takes two."""
    used = 0
    for place, character in enumerate(label):
        used += 2 if east_asian_width(character) in "WF" else 1
        if used > width:
            return label[: max(place - 1, 1)] + "…"
    return label


def _tick_step(largest: int) -> int:
    """Return the smallest 1, 2 or 5 times a power of ten that needs at most five ticks."""
    power = 1
    while True:
        for digit in _STEPS:
            if largest // (digit * power) < _MOST_TICKS:
                return digit * power
        power *= 10


def _percent(value: int, end: int) -> str:
    hundredths = value * 10_000 // end
    return f"{hundredths // 100}.{hundredths % 100:02d}%"
