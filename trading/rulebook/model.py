"""Rules, dated parameters and the frozen edition that governs one procedure for life (architecture: Rules as data).

An edition holds, for one jurisdiction and one day, exactly one row per key. Its canonical document ``mb.edition`` and
the SHA-256 of it are published with the procedure, so that anyone can see which numbers governed it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from fractions import Fraction
from typing import Final, assert_never

from trading.kernel import canonical
from trading.kernel.calendar import CalendarDays, Days, WorkingDays
from trading.kernel.digests import sha256
from trading.kernel.money import Money
from trading.rulebook.keys import Key, Regime

_VERIFIED: Final = frozenset({"V1", "V2"})
_MINUTE_MS: Final = 60_000


class Unit(StrEnum):
    """What a value counts."""

    CALENDAR_DAYS = "d"
    WORKING_DAYS = "wd"
    MINUTES = "min"
    YEARS = "years"
    PERCENT = "%"
    CNY = "CNY"  # whole yuan
    COUNT = "count"
    FRACTION = "fraction"
    SWITCH = "bool"


PERIODS: Final = frozenset({Unit.CALENDAR_DAYS, Unit.WORKING_DAYS, Unit.MINUTES, Unit.YEARS})


class Compare(StrEnum):
    """How an actual number is held against the value: whether the limit itself is allowed (TIM-02)."""

    AT_LEAST = ">="
    AT_MOST = "<="
    BELOW = "<"
    ABOVE = ">"
    EQUAL = "="


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule of the rule book: what a refusal shows beside its text."""

    id: str
    title_zh: str
    title_en: str
    article: str
    confidence: str

    @property
    def verified(self) -> bool:
        """Whether the article was read or confirmed; if not, it is shown with its mark."""
        return is_verified(self.confidence)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One dated row. ``valid_to`` is the last day on which it holds; None means until further notice."""

    key: Key
    value: int | bool | str
    unit: Unit
    regime: frozenset[Regime]
    rule: tuple[str, ...]
    source: str
    confidence: str
    starts: str | None  # kind of the entry that sets a period going
    compare: Compare
    valid_from: date
    valid_to: date | None
    title_zh: str
    title_en: str

    @property
    def configuration(self) -> bool:
        """Whether the value is not purely verified law: then it is a visible default that may be replaced."""
        return not is_verified(self.confidence)

    def holds_on(self, day: date) -> bool:
        """Say whether the row is in force on ``day``."""
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)

    def allows(self, actual: int | Fraction) -> bool:
        """Hold an actual number against the value, in the value's unit and the way ``compare`` says."""
        limit = exact(self.value)
        match self.compare:
            case Compare.AT_LEAST:
                return actual >= limit
            case Compare.AT_MOST:
                return actual <= limit
            case Compare.BELOW:
                return actual < limit
            case Compare.ABOVE:
                return actual > limit
            case Compare.EQUAL:
                return actual == limit
            case _:
                assert_never(self.compare)


def is_verified(confidence: str) -> bool:
    """Say whether every part of a confidence mark such as ``V1/V2`` is V1 or V2."""
    return set(confidence.split("/")) <= _VERIFIED


def exact(value: int | bool | str) -> Fraction:  # noqa: FBT001 - a value of a row, not a flag
    """Return a numeric value exactly; strings are decimals or ``a/b``."""
    return Fraction(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """The rows in force for one jurisdiction on one day. A getter for a key that is absent or of another unit is a bug.

    ``id`` is ``<jurisdiction>.<day of the newest change>``; two editions with equal ``digest`` are the same law.
    """

    id: str
    jurisdiction: str
    title_zh: str
    title_en: str
    parameters: Mapping[Key, Parameter]

    @property
    def demo(self) -> bool:
        """Whether this edition is a demonstration and no law; pages and notices must say so."""
        return self.id.startswith("demo.")

    def document(self) -> bytes:
        """Return the canonical bytes of ``mb.edition``."""
        rows = [
            {"key": row.key.value, "rule": sorted(row.rule), "source": row.source, "unit": row.unit, "value": row.value}
            for row in sorted(self.parameters.values(), key=lambda row: row.key)
        ]
        body = {"id": self.id, "jurisdiction": self.jurisdiction, "parameters": rows, "typ": "mb.edition", "v": 1}
        return canonical.dumps(body)

    @property
    def digest(self) -> bytes:
        """SHA-256 of ``document()``: the ``edition_sha256`` of records and notices."""
        return sha256(self.document())

    def has(self, key: Key, regime: Regime) -> bool:
        """Say whether the key was law for ``regime`` on the day of this edition."""
        row = self.parameters.get(key)
        return row is not None and bool(row.regime & {regime, Regime.ALL})

    def row(self, key: Key, regime: Regime) -> Parameter:
        """Return the row of ``key`` for ``regime``.

        Raises:
            ValueError: The edition has none: the caller asked for a number that is not law there. A bug.
        """
        if not self.has(key, regime):
            raise ValueError(f"edition {self.id} has no {key} for {regime}")
        return self.parameters[key]

    def _row(self, key: Key, regime: Regime, *units: Unit) -> Parameter:
        row = self.row(key, regime)
        if row.unit not in units:
            raise ValueError(f"{key} is in {row.unit}")
        return row

    def days(self, key: Key, regime: Regime) -> Days:
        """Return a period in calendar days or in working days; the type says which."""
        row = self._row(key, regime, Unit.CALENDAR_DAYS, Unit.WORKING_DAYS)
        kind = CalendarDays if row.unit is Unit.CALENDAR_DAYS else WorkingDays
        return kind(count=int(row.value))

    def calendar_days(self, key: Key, regime: Regime) -> CalendarDays:
        """Return a period in calendar days."""
        return CalendarDays(count=int(self._row(key, regime, Unit.CALENDAR_DAYS).value))

    def duration_ms(self, key: Key, regime: Regime) -> int:
        """Return a period given in minutes, in milliseconds."""
        return int(self._row(key, regime, Unit.MINUTES).value) * _MINUTE_MS

    def count(self, key: Key, regime: Regime) -> int:
        """Return a number of things or of years."""
        return int(self._row(key, regime, Unit.COUNT, Unit.YEARS).value)

    def flag(self, key: Key, regime: Regime) -> bool:
        """Return a switch."""
        return bool(self._row(key, regime, Unit.SWITCH).value)

    def money(self, key: Key, regime: Regime) -> Money:
        """Return an amount of CNY; rows give whole yuan."""
        return Money(minor=int(self._row(key, regime, Unit.CNY).value) * 100, currency="CNY")

    def fraction(self, key: Key, regime: Regime) -> Fraction:
        """Return an exact share; rows give per cent or ``a/b``."""
        row = self._row(key, regime, Unit.PERCENT, Unit.FRACTION)
        return exact(row.value) / (100 if row.unit is Unit.PERCENT else 1)

    def allows(self, key: Key, regime: Regime, actual: int | Fraction) -> bool:
        """Hold an actual number against the row, the way the row's ``compare`` says."""
        return self.row(key, regime).allows(actual)
