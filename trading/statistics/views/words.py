"""Figures in the reader's language: values with their units, names of groups, and charts with both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from trading.procedures.rules import catalogue
from trading.statistics.rules import regions
from trading.statistics.rules.charts import Chart, Point, chart
from trading.statistics.rules.cube import By, Figure, rounded
from trading.statistics.rules.facts import UNTOLD
from trading.statistics.rules.indicators import DAY_MS, REASONS, Indicator
from trading.web.locale import gettext as _

_KINDS: Final = {kind.title_zh: kind.title_en for kind in catalogue.KINDS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """Words of one page; ``agencies`` are names by id."""

    language: str
    agencies: Mapping[str, str]

    def pick(self, texts: tuple[str, str]) -> str:
        """Return the Chinese or English one of two texts."""
        return texts[0] if self.language == "zh" else texts[1]

    def value(self, figure: Figure) -> str:
        """Return a value with its unit; what has none says so."""
        exact = figure.value
        if exact is None:
            return _("no value")
        match figure.indicator.unit:
            case "count":
                return f"{int(exact):,}"
            case "ratio":
                return rounded(exact, 2)
            case "share":
                return f"{rounded(exact * 100, 1)} %"
            case "days":
                return _("%(days)s days") % {"days": rounded(exact, 1)}

    def parts(self, figure: Figure) -> tuple[str, str]:
        """Return numerator and denominator; of money in yuan, of time in days."""
        above, below = figure.sum.numerator, figure.sum.denominator
        if figure.indicator.unit == "count":
            return f"{above:,}", "–"
        if figure.indicator.code == "savings":
            return _yuan(above), _yuan(below)
        if figure.indicator.unit == "days":
            return _days(above), f"{below:,}"
        return f"{above:,}", f"{below:,}"

    def left(self, figure: Figure) -> str:
        """Return what was left out and why."""
        return "; ".join(f"{count:,} {self.pick(REASONS[reason])}" for reason, count in figure.sum.left) or "–"

    def group(self, by: By, name: str) -> str:
        """Return the name of a month, region, kind or agency."""
        if name == UNTOLD:
            return _("not told")
        match by:
            case "region":
                return self.pick(regions.named(name))
            case "kind":
                return self.pick((name, _KINDS.get(name, name)))
            case "agency":
                return self.agencies.get(name, name)
            case "month":
                return name

    def unit(self, indicator: Indicator) -> str:
        """Return the unit of an indicator."""
        match indicator.unit:
            case "count":
                return _("procedures")
            case "ratio":
                return _("average")
            case "share":
                return _("percent")
            case "days":
                return _("days of 24 hours, average")

    def dimension(self, by: By) -> str:
        """Return what a dimension is called."""
        return {"month": _("Month"), "region": _("Region"), "kind": _("Kind"), "agency": _("Agency")}[by]


def charts(rows: Mapping[str, Sequence[Figure]], by: By, words: Words) -> dict[str, Chart]:
    """Return a chart for each indicator; groups other than months are numbered as in the table beside it."""
    return {
        code: chart(
            [
                Point(label=each.group if by == "month" else str(place), value=each.value, text=words.value(each))
                for place, each in enumerate(found, 1)
            ]
        )
        for code, found in rows.items()
    }


def _yuan(fen: int) -> str:
    sign, size = "-" if fen < 0 else "", abs(fen)
    return f"{sign}{size // 100:,}.{size % 100:02d}"


def _days(ms: int) -> str:
    return rounded(Fraction(ms, DAY_MS), 4)
