"""Bars of a chart: whole units of an SVG, computed exactly; what has no value has no bar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

WIDTH: Final = 720
HEIGHT: Final = 180
_TOP, _BOTTOM = 26, 150  # of the bars
_LABELS: Final = 14  # of so many bars each has its label and its value; of more, every second and so on
_WIDEST: Final = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What is drawn: its label, its value (None: none) and the value in words."""

    label: str
    value: Fraction | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A bar, or without ``height`` the place of one that has no value. ``label`` and ``text`` may be left out."""

    x: int
    middle: int
    y: int
    width: int
    height: int | None
    label: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Bars and the line of nought on which they stand."""

    bars: tuple[Bar, ...]
    zero: int
    width: int = WIDTH
    height: int = HEIGHT


def chart(points: Sequence[Point]) -> Chart:
    """Return a chart of these points, from left to right."""
    values = [each.value for each in points if each.value is not None]
    top, bottom = max([Fraction(0), *values]), min([Fraction(0), *values])
    scale = (_BOTTOM - _TOP) / (top - bottom) if top != bottom else Fraction(0)
    zero = _BOTTOM + int(bottom * scale)
    every = -(-len(points) // _LABELS) or 1
    return Chart(
        bars=tuple(
            _bar(place, each, len(points), zero, scale, told=place % every == 0) for place, each in enumerate(points)
        ),
        zero=zero,
    )


def _bar(place: int, point: Point, count: int, zero: int, scale: Fraction, *, told: bool) -> Bar:
    left, right = place * WIDTH // count, (place + 1) * WIDTH // count
    width = max(1, min(_WIDEST, (right - left) * 2 // 3))
    size = 0 if point.value is None else int(abs(point.value) * scale)
    return Bar(
        x=(left + right - width) // 2,
        middle=(left + right) // 2,
        y=zero - size if point.value is None or point.value >= 0 else zero,
        width=width,
        height=None if point.value is None else size,
        label=point.label if told else "",
        text=point.text if told else "",
    )
