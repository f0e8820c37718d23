"""One row of TOML to one frozen value: what the loader refuses in a rule or a parameter.

Everything here raises ``ValueError`` with the place of the row: bad data is a bug, never a refusal of an act.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from trading.rulebook.keys import Key, Regime
from trading.rulebook.model import PERIODS, Compare, Parameter, Rule, Unit

_CONFIDENCE: Final = re.compile(r"(V1|V2|K\d\d|none|product)( \(local\))?(/(V1|V2|K\d\d|none))?\Z")
_DECIMAL: Final = re.compile(r"\d+(\.\d+)?\Z")
_SHARE: Final = re.compile(r"\d+/[1-9]\d*\Z")
_TITLES: Final = frozenset({"title_zh", "title_en"})
_RULE_FIELDS: Final = _TITLES | {"id", "article", "confidence"}
_PARAMETER_FIELDS: Final = _TITLES | {
    *("key", "value", "unit", "regime", "rule", "source", "confidence", "compare", "valid_from"),
}
_PARAMETER_OPTIONAL: Final = frozenset({"starts", "valid_to"})


def rule_of(row: Mapping[str, Any]) -> Rule:
    """Return the rule of one ``[[rule]]``."""
    where = f"rule {row.get('id')}"
    check_fields(where, row, _RULE_FIELDS)
    _check_confidence(where, row["confidence"])
    return Rule(**row)


def check_fields(
    where: str, row: Mapping[str, Any], required: frozenset[str], optional: frozenset[str] = frozenset()
) -> None:
    """Refuse a missing, unknown or empty field."""
    missing, unknown = required - set(row), set(row) - required - optional
    empty = {name for name, value in row.items() if value in ("", [])}
    if missing or unknown or empty:
        raise ValueError(f"{where}: missing {sorted(missing)}, unknown {sorted(unknown)}, empty {sorted(empty)}")


def _check_confidence(where: str, confidence: str) -> None:
    if not _CONFIDENCE.match(confidence):
        raise ValueError(f"{where}: unknown confidence {confidence!r}")


def parameter_of(where: str, row: Mapping[str, Any], rules: Mapping[str, Rule]) -> Parameter:
    """Return the parameter of one ``[[parameter]]``; ``rules`` are the known rule ids."""
    check_fields(where, row, _PARAMETER_FIELDS, _PARAMETER_OPTIONAL)
    _check_confidence(where, row["confidence"])
    unknown = set(row["rule"]) - set(rules)
    if unknown:
        raise ValueError(f"{where}: unknown rules {sorted(unknown)}")
    unit = Unit(row["unit"])
    if not _fits(row["value"], unit):
        raise ValueError(f"{where}: {row['value']!r} is no value in {unit}")
    if (unit in PERIODS) != ("starts" in row):
        raise ValueError(f"{where}: exactly a period names what starts it")
    return Parameter(
        key=Key(row["key"]),
        value=row["value"],
        unit=unit,
        regime=frozenset(Regime(name) for name in row["regime"]),
        rule=tuple(row["rule"]),
        source=row["source"],
        confidence=row["confidence"],
        starts=row.get("starts"),
        compare=Compare(row["compare"]),
        valid_from=_day(where, row["valid_from"]),
        valid_to=_day(where, row["valid_to"]) if "valid_to" in row else None,
        title_zh=row["title_zh"],
        title_en=row["title_en"],
    )


def _day(where: str, value: object) -> date:
    if type(value) is not date:
        raise ValueError(f"{where}: {value!r} is not a day")
    return value


def _fits(value: object, unit: Unit) -> bool:
    if unit is Unit.SWITCH:
        return isinstance(value, bool)
    if isinstance(value, int) and not isinstance(value, bool):
        return value >= 0 and unit is not Unit.FRACTION
    pattern = {Unit.PERCENT: _DECIMAL, Unit.FRACTION: _SHARE}.get(unit)
    return isinstance(value, str) and pattern is not None and pattern.match(value) is not None
