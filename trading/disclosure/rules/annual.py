"""The annual disclosure table: sixteen rows, the year and all years until then, with the identities between them.

Rows, words and units are those of the table annexed to the report of founding document 004 (rule book A6.13); they
stand in ``annex.toml``. Numbers come from facts of the record. What was before the platform is declared by an official
act: the whole table of a year as it was published, from which later years go on.

All numbers are counts, but ``fee_waived_amount``, which is in minor units (fen).
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import resources
from typing import Any, Final, TypeAlias

FEES: Final = "fee_waived_amount"
#: Name of an identity → the total and the parts that make it up (A6.13).
_SUMS: Final = {
    "requests_by_channel": ("requests_received", ("requests_in_person", "requests_online", "requests_by_letter")),
    "replies_by_kind": (
        "replies_total",
        ("replies_granted", "replies_partly_granted", "replies_refused", "replies_other"),
    ),
}
#: Name of an identity → a number and one that it never exceeds. A document may be in both, so they need not add up.
_WITHIN: Final = {
    "web_within_documents": ("proactive_docs_web", "proactive_docs"),
    "gazette_within_documents": ("proactive_docs_gazette", "proactive_docs"),
}
_CHANNELS: Final = {
    "in_person": "requests_in_person",
    "online": "requests_online",
    "letter": "requests_by_letter",
}
_PLACES: Final = {"web": "proactive_docs_web", "gazette": "proactive_docs_gazette"}
_ROUTES: Final = {"review": "admin_reviews", "lawsuit": "admin_lawsuits", "appeal": "appeals_and_reports"}

Column: TypeAlias = Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Indicator:
    """One row of the table as printed; ``level`` 1 is a part of the row above."""

    code: str
    title_zh: str
    title_en: str
    unit: str
    level: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A document disclosed on ``day`` in one place: ``web`` or ``gazette``. The same document may be in both."""

    document: str
    day: date
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A request received on ``day`` by a channel: ``in_person``, ``online`` or ``letter`` (DIS-05)."""

    day: date
    channel: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Replied:
    """A reply of ``day``: ``granted``, ``partly_granted``, ``refused`` or ``other``; ``fee_waived`` in fen."""

    day: date
    outcome: str
    fee_waived: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Contested:
    """A ``review``, a ``lawsuit`` or an ``appeal`` that was noted on ``day``."""

    day: date
    route: str


Fact: TypeAlias = Published | Received | Replied | Contested


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """The table of a year before the record, as it was published: both columns, every row."""

    year: int
    of_year: Column
    cumulative: Column


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One row with its numbers."""

    indicator: Indicator
    of_year: int
    cumulative: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnualTable:
    """The table of one year; ``base`` is the declared year that it goes on from, if there is one."""

    year: int
    lines: tuple[Line, ...]
    base: int | None

    @property
    def of_year(self) -> dict[str, int]:
        """Return code → number of the year."""
        return {line.indicator.code: line.of_year for line in self.lines}

    @property
    def cumulative(self) -> dict[str, int]:
        """Return code → number of all years until its end."""
        return {line.indicator.code: line.cumulative for line in self.lines}


@cache
def indicators() -> tuple[Indicator, ...]:
    """Return the rows of the table in their order."""
    text = (resources.files("trading.disclosure.rules") / "annex.toml").read_text(encoding="utf-8")
    rows: list[dict[str, Any]] = tomllib.loads(text)["row"]
    return tuple(Indicator(**row) for row in rows)


def annual_table(year: int, facts: Iterable[Fact], declared: Sequence[Declared] = ()) -> AnnualTable:
    """Return the table of ``year``.

    Args:
        year: Civil year in the platform's zone.
        facts: Of the record, in any order; days of a declared year or before it are in the declared numbers already.
        declared: Official tables of years before the record. A year with one has exactly its numbers.

    A document counts in every year in which it was disclosed in some place, and once in all years together.
    """
    base = max((each for each in declared if each.year <= year), key=lambda each: each.year, default=None)
    if base is not None and base.year == year:
        of_year, cumulative = base.of_year, base.cumulative
    else:
        start = base.year if base is not None else date.min.year - 1
        known = [fact for fact in facts if start < fact.day.year <= year]
        of_year = column(fact for fact in known if fact.day.year == year)
        since = column(known)
        before: Column = {} if base is None else base.cumulative
        cumulative = {code: before.get(code, 0) + number for code, number in since.items()}
    lines = tuple(
        Line(indicator=each, of_year=of_year[each.code], cumulative=cumulative[each.code]) for each in indicators()
    )
    return AnnualTable(year=year, lines=lines, base=None if base is None else base.year)


def column(facts: Iterable[Fact]) -> dict[str, int]:
    """Return code → number of some facts, every code of the table in it."""
    numbers: Counter[str] = Counter()
    documents: set[str] = set()
    placed: set[tuple[str, str]] = set()
    for fact in facts:
        match fact:
            case Published():
                documents.add(fact.document)
                placed.add((fact.document, fact.place))
            case Received():
                numbers.update(["requests_received", _CHANNELS[fact.channel]])
            case Replied():
                numbers.update(["replies_total", f"replies_{fact.outcome}"])
                numbers[FEES] += fact.fee_waived
            case Contested():
                numbers[_ROUTES[fact.route]] += 1
    numbers["proactive_docs"] = len(documents)
    numbers.update(_PLACES[place] for _, place in placed)
    return {each.code: numbers[each.code] for each in indicators()}


def violations(of_year: Column, cumulative: Column) -> tuple[str, ...]:
    """Return the names of the identities that two columns break, sorted; none for a sound table (A6.13).

    ``negative`` and ``year_within_all`` name a row; ``replies_within_requests`` holds for all years together only,
    since a request of December is answered in January.
    """
    found = {f"negative:{code}" for each in (of_year, cumulative) for code, number in each.items() if number < 0}
    found |= {f"year_within_all:{code}" for code, number in of_year.items() if number > cumulative[code]}
    for each in (of_year, cumulative):
        found |= {name for name, (total, parts) in _SUMS.items() if each[total] != sum(each[part] for part in parts)}
        found |= {name for name, (part, total) in _WITHIN.items() if each[part] > each[total]}
    if cumulative["replies_total"] > cumulative["requests_received"]:
        found.add("replies_within_requests")
    return tuple(sorted(found))
