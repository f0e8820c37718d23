"""Figures by month, region, kind and agency: one sum for each combination, from which every table is made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from typing import Final, Literal, TypeAlias

from trading.kernel.calendar import CHINA
from trading.kernel.money import Rounding, round_exact
from trading.statistics.rules.facts import Tender
from trading.statistics.rules.indicators import INDICATORS, Indicator

#: Decimals of a printed value; it is rounded half away from zero, numerator and denominator stay exact.
DECIMALS: Final = 4

By: TypeAlias = Literal["month", "region", "kind", "agency"]
BY: Final[tuple[By, ...]] = ("month", "region", "kind", "agency")


@dataclass(frozen=True, slots=True)
class Key:
    """Where something is counted: indicator, month ``2026-11`` of China, region, kind, agency."""

    indicator: str
    month: str
    region: str
    kind: str
    agency: str


@dataclass(frozen=True, slots=True)
class Sum:
    """Numerator and denominator, and how many were left out for which reason."""

    numerator: int = 0
    denominator: int = 0
    left: tuple[tuple[str, int], ...] = ()

    def __add__(self, other: Sum) -> Sum:
        """Return both together."""
        left = dict(self.left)
        for reason, count in other.left:
            left[reason] = left.get(reason, 0) + count
        return Sum(self.numerator + other.numerator, self.denominator + other.denominator, tuple(sorted(left.items())))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cube:
    """All sums, and the names of agencies by id."""

    sums: Mapping[Key, Sum] = field(default_factory=dict)
    agencies: Mapping[str, str] = field(default_factory=dict)

    def values(self, by: By) -> list[str]:
        """Return what stands in a dimension, in order."""
        return sorted({_part(key, by) for key in self.sums})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody wants to see: months from and to (both included), and parts of other dimensions; empty is all."""

    first: str = ""
    last: str = ""
    region: str = ""
    kind: str = ""
    agency: str = ""

    def fits(self, key: Key) -> bool:
        """Whether a sum belongs to the selection."""
        if (self.first and key.month < self.first) or (self.last and key.month > self.last):
            return False
        return all(not wanted or wanted == _part(key, by) for by, wanted in self.parts())

    def parts(self) -> tuple[tuple[By, str], ...]:
        """Return the wanted parts of dimensions other than the month."""
        return ("region", self.region), ("kind", self.kind), ("agency", self.agency)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure: its exact parts, its value (None: nothing to divide by), and the value as text with four decimals."""

    indicator: Indicator
    group: str
    sum: Sum

    @property
    def value(self) -> Fraction | None:
        """Return the exact value, or None."""
        return self.indicator.value(self.sum.numerator, self.sum.denominator)

    @property
    def text(self) -> str | None:
        """Return the value rounded half up to four decimals; counts have none."""
        value = self.value
        if value is None:
            return None
        return str(int(value)) if self.indicator.unit == "count" else rounded(value, DECIMALS)


def rounded(value: Fraction, decimals: int) -> str:
    """Return an exact number with so many decimals, rounded half away from zero."""
    whole = round_exact(value * 10**decimals, Rounding.HALF_UP)
    sign, digits = "-" if whole < 0 else "", f"{abs(whole):0{decimals + 1}d}"
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}" if decimals else f"{sign}{digits}"


def month_of(at: int) -> str:
    """Return the month of an instant (ms) in the time of China."""
    return f"{datetime.fromtimestamp(at // 1000, CHINA):%Y-%m}"


def cube(tenders: Iterable[Tender]) -> Cube:
    """Return the sums over procedures, each of which is given once; their order makes no difference."""
    sums: dict[Key, Sum] = {}
    agencies: dict[str, str] = {}
    for tender in tenders:
        agencies[tender.agency] = max(agencies.get(tender.agency, ""), tender.agency_name)
        for indicator in INDICATORS:
            for each in indicator.counting(tender):
                key = Key(indicator.code, month_of(each.at), tender.region, tender.kind, tender.agency)
                left = () if each.reason is None else ((each.reason, 1),)
                sums[key] = sums.get(key, Sum()) + Sum(each.numerator, each.denominator, left)
    return Cube(sums=sums, agencies=agencies)


def select(found: Cube, fits: Callable[[Key], bool]) -> Cube:
    """Return the part of a cube whose keys fit."""
    return Cube(sums={key: each for key, each in found.sums.items() if fits(key)}, agencies=found.agencies)


def total(found: Cube) -> list[Figure]:
    """Return each indicator over everything in the cube."""
    sums = dict.fromkeys((each.code for each in INDICATORS), Sum())
    for key, each in found.sums.items():
        sums[key.indicator] += each
    return [Figure(indicator=each, group="", sum=sums[each.code]) for each in INDICATORS]


def grouped(found: Cube, by: By, groups: Iterable[str] = ()) -> dict[str, list[Figure]]:
    """Return the figures of each indicator by one dimension, in order; ``groups`` stand there even if empty."""
    names = sorted({*groups, *found.values(by)})
    sums = {(each.code, name): Sum() for each in INDICATORS for name in names}
    for key, each in found.sums.items():
        sums[key.indicator, _part(key, by)] += each
    return {
        each.code: [Figure(indicator=each, group=name, sum=sums[each.code, name]) for name in names]
        for each in INDICATORS
    }


def _part(key: Key, by: By) -> str:
    match by:
        case "month":
            return key.month
        case "region":
            return key.region
        case "kind":
            return key.kind
        case "agency":
            return key.agency
