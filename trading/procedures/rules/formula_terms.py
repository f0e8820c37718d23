"""What the documents choose of a formula: coefficients, order of ties, deviations, the share that is left out.

``read_formula`` checks form only; the law and the jurisdiction are asked by ``formula_law``. Percentages, points and
counts are decimal strings in documents and exact fractions in arithmetic. Lists of coefficients with more than one
entry are drawn publicly once the bids are opened (MET-06).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeAlias, assert_never

from trading.procedures.rules.fields import Fields
from trading.procedures.rules.policies import Method

_ID: Final = re.compile(r"[a-z][a-z0-9_]{0,31}\Z")
_NUMBER: Final = re.compile(r"(0|[1-9][0-9]{0,2})(\.[0-9]{0,3}[1-9])?\Z")
_AMOUNT: Final = re.compile(r"[1-9][0-9]{0,14}\Z")
_LONGEST: Final = 15
_TITLE: Final = 200
_MOST: Final = 60
_MOST_QUOTES: Final = 1_000


class Benchmark(StrEnum):
    """How the benchmark of works prices is found: BM1 to BM5 of B10.5."""

    MEAN = "mean"
    COMPOSITE = "composite"
    SECOND_MEAN = "second_mean"
    MEDIAN = "median"
    LOWEST = "lowest"


class TieStep(StrEnum):
    """What decides between equal totals, before the lottery."""

    PRICE = "price"
    TECHNICAL = "technical"


class DeviationUnit(StrEnum):
    """What one unit of a deviation adds: an amount in minor units, or per cent of the quote."""

    AMOUNT = "amount"
    PERCENT = "percent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trim:
    """From ``quotes`` valid quotes on, leave out so many of the highest and of the lowest for the mean."""

    quotes: int
    highest: int
    lowest: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsultationTerms:
    """MET-03: the criteria whose points decide between equal scores at equal quotes."""

    technical: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviationFactor:
    """One quantified business deviation (MET-05): what each unit of it adds to the price for comparison."""

    id: str
    unit: DeviationUnit
    value: str
    title_zh: str
    title_en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviationTerms:
    """MET-05: the deviations that the documents quantify; any other counts as none."""

    factors: tuple[DeviationFactor, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkTerms:
    """MET-06: benchmarks and coefficients to draw from (one entry: fixed), trimming table, slope, floor and ties.

    ``reduction`` is K, ``ceiling_reduction`` K1, ``ceiling_weight`` w, ``band`` the width of the second mean, all in
    per cent. ``above`` (E1) and ``below`` (E2) are points lost for each per cent above and below the benchmark.
    """

    benchmarks: tuple[Benchmark, ...]
    reduction: tuple[str, ...]
    ceiling_reduction: tuple[str, ...]
    ceiling_weight: tuple[str, ...]
    band: str
    trim: tuple[Trim, ...]
    above: str
    below: str
    floor: str
    ties: tuple[TieStep, ...]
    technical: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameworkTerms:
    """MET-07: per cent of suppliers left out; ``instruments``: the higher minimum of quality first holds."""

    elimination: str
    instruments: bool


FormulaTerms: TypeAlias = ConsultationTerms | DeviationTerms | BenchmarkTerms | FrameworkTerms


def formula_json(terms: FormulaTerms) -> dict[str, Any]:
    """Return the object as it stands in specifications and notices; ``read_formula`` reads it back."""
    match terms:
        case DeviationTerms(factors=factors):
            return {"factors": [{name: getattr(each, name) for name in each.__slots__} for each in factors]}
        case BenchmarkTerms():
            trim = [{name: getattr(each, name) for name in each.__slots__} for each in terms.trim]
            lists = ("benchmarks", "ceiling_reduction", "ceiling_weight", "reduction", "technical", "ties")
            plain = {name: getattr(terms, name) for name in ("above", "band", "below", "floor")}
            return {**plain, **{name: [str(each) for each in getattr(terms, name)] for name in lists}, "trim": trim}
        case ConsultationTerms(technical=technical):
            return {"technical": list(technical)}
        case FrameworkTerms(elimination=elimination, instruments=instruments):
            return {"elimination": elimination, "instruments": instruments}
        case _:
            assert_never(terms)


def read_formula(fields: Fields, method: Method) -> FormulaTerms | None:
    """Read ``formula`` of a lot; null or absent: the method leaves nothing to choose."""
    if fields.empty("formula"):
        return None
    child = fields.child("formula")
    match method:
        case Method.CONSULTATION_SCORING:
            return ConsultationTerms(technical=_texts(child, "technical", _ID))
        case Method.LOWEST_PRICE_EVALUATED_TL:
            return DeviationTerms(factors=tuple(_factor(each) for each in child.children("factors", _MOST)))
        case Method.COMPREHENSIVE_EVALUATION_TL:
            return _benchmark(child)
        case Method.PRICE_FIRST | Method.QUALITY_FIRST:
            return FrameworkTerms(elimination=_number(child, "elimination"), instruments=child.flag("instruments"))
        case Method.LOWEST_EVALUATED_PRICE | Method.COMPREHENSIVE_SCORING | Method.LOWEST_FINAL_QUOTE:
            fields.fail("formula", "unknown")
            return None
        case _:
            assert_never(method)


def _number(fields: Fields, name: str) -> str:
    return fields.text(name, _LONGEST, _NUMBER) or "0"


def _texts(fields: Fields, name: str, pattern: re.Pattern[str]) -> tuple[str, ...]:
    return fields.texts(name, pattern, _MOST)


def _factor(fields: Fields) -> DeviationFactor:
    unit = fields.choice("unit", DeviationUnit)
    return DeviationFactor(
        id=fields.text("id", 32, _ID),
        unit=unit,
        value=fields.text("value", _LONGEST, _AMOUNT if unit is DeviationUnit.AMOUNT else _NUMBER) or "0",
        title_zh=fields.text("title_zh", _TITLE),
        title_en=fields.text("title_en", _TITLE),
    )


def _benchmark(fields: Fields) -> BenchmarkTerms:
    return BenchmarkTerms(
        benchmarks=tuple(Benchmark(each) for each in fields.ordered("benchmarks", frozenset(Benchmark))),
        reduction=_texts(fields, "reduction", _NUMBER),
        ceiling_reduction=_texts(fields, "ceiling_reduction", _NUMBER),
        ceiling_weight=_texts(fields, "ceiling_weight", _NUMBER),
        band=_number(fields, "band"),
        trim=tuple(_trim(each) for each in fields.children("trim", _MOST, least=0)),
        above=_number(fields, "above"),
        below=_number(fields, "below"),
        floor=_number(fields, "floor"),
        ties=tuple(TieStep(each) for each in fields.ordered("ties", frozenset(TieStep), least=0)),
        technical=_texts(fields, "technical", _ID),
    )


def _trim(fields: Fields) -> Trim:
    return Trim(**{name: fields.integer(name, 0, _MOST_QUOTES) for name in Trim.__slots__})
