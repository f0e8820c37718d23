"""The parameters of a formula as they are typed, and where the reader's problems with them stand in the form.

Lists of coefficients are typed with commas; a list of more than one is drawn publicly after the opening (MET-06). A
quantified deviation and a row of the trimming table are one line each. What cannot be read is left as it is: the reader
of the specification then names its field.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from trading.kernel.errors import InvalidInput
from trading.kernel.money import Money
from trading.procedures.rules.formula_terms import DeviationUnit
from trading.procedures.rules.policies import Method

#: The fields of a lot that a method takes.
FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    Method.CONSULTATION_SCORING.value: ("technical",),
    Method.LOWEST_PRICE_EVALUATED_TL.value: ("factors",),
    Method.COMPREHENSIVE_EVALUATION_TL.value: (
        *("above", "band", "below", "benchmarks", "ceiling_reduction", "ceiling_weight", "floor"),
        *("reduction", "technical", "ties", "trim"),
    ),
}
_LISTS: Final = frozenset({"ceiling_reduction", "ceiling_weight", "reduction", "technical", "ties"})
_COMMA: Final = re.compile(r"[,，、\s]+")
_BAR: Final = re.compile(r"\s*[|｜]\s*")
_TRIM: Final = re.compile(r"\s*([0-9]{1,3})\s*[:：]\s*([0-9]{1,3})\s*[,，]\s*([0-9]{1,3})\s*\Z")
_FACTOR: Final = ("id", "unit", "value", "title_zh", "title_en")


def typed_formula(lot: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return ``formula`` of a lot as ``read_formula`` reads it; None for a method that leaves nothing to choose."""
    names = FIELDS.get(lot["method"])
    if names is None:
        return None
    return {name: _field(name, lot) for name in names}


def _field(name: str, lot: Mapping[str, Any]) -> Any:  # noqa: ANN401 - as the specification has it
    typed = lot.get(name, "")
    if name == "benchmarks":
        return list(typed or ())
    if name in _LISTS:
        return [each for each in _COMMA.split(typed.strip()) if each]
    lines = [line for line in typed.splitlines() if line.strip()]
    if name == "factors":
        return [_factor(line, lot["currency"]) for line in lines]
    if name == "trim":
        return [_trim(line) for line in lines]
    return typed.strip() or "0"


def _factor(line: str, currency: str) -> dict[str, str] | str:
    cells = _BAR.split(line.strip())
    if len(cells) != len(_FACTOR):
        return line
    factor = dict(zip(_FACTOR, cells, strict=True))
    if factor["unit"] == DeviationUnit.AMOUNT.value:
        try:
            factor["value"] = str(Money.parse(factor["value"], currency).minor)
        except (InvalidInput, ValueError):
            return factor
    return factor


def _trim(line: str) -> dict[str, int] | str:
    match = _TRIM.match(line)
    if match is None:
        return line
    return dict(zip(("quotes", "highest", "lowest"), map(int, match.groups()), strict=True))


def formula_field(rest: Sequence[str]) -> str:
    """Return the field of the form that shows a problem at this path below ``formula``."""
    return rest[0] if rest else "method"
