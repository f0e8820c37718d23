"""From what was typed to a specification as ``parse_spec`` reads it, and every problem with the step it belongs to.

A text that cannot be a number or an amount is left as it is: the reader of the specification then names its field.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from trading.agency.rules.content import USUAL_KIND, Content, Step
from trading.agency.rules.formulas import formula_field, typed_formula
from trading.kernel.calendar import WorkCalendar
from trading.kernel.errors import InvalidInput
from trading.kernel.money import Money
from trading.procedures.rules.abnormal_shares import AbnormalShares
from trading.procedures.rules.catalogue import KINDS as KIND_VALUES
from trading.procedures.rules.extension import ExtensionRule
from trading.procedures.rules.fields import InvalidFields
from trading.procedures.rules.policies import Method
from trading.procedures.rules.spec import DocumentSpec, ProcedureSpec, Windows, parse_spec

JURISDICTION: Final = "cn"
KINDS: Final = frozenset(kind.code for kind in KIND_VALUES)
_SCORED: Final = frozenset(method.value for method in Method if method.scored)
_TIME: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])\Z")
_DECIMAL: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?\Z")
_NUMBER: Final = re.compile(r"[0-9]{1,9}\Z")
_MINUTE_MS: Final = 60_000
# A band as typed: "from-to: points", to empty for no end; then the texts.
_BAND: Final = re.compile(
    r"\s*([0-9.]+)\s*[-–—~～]\s*([0-9.]*)\s*[:：]\s*([0-9.]+)\s*[|｜]\s*(.*?)\s*[|｜]\s*(.*?)\s*\Z"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that keeps a draft from being submitted: step, lot (from 0), field as in the form, stable code."""

    step: Step
    lot: int | None
    field: str
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A specification, or the problems that there are instead."""

    spec: ProcedureSpec | None
    problems: tuple[Problem, ...]


def specification(
    content: Content,
    *,
    agency: str,
    documents: Sequence[DocumentSpec],
    calendar: WorkCalendar,
    cutoff: Callable[[int, date | None], int | None],
    usual: ExtensionRule,
) -> Outcome:
    """Return the specification that was typed, or what is amiss.

    Args:
        content: What was typed.
        agency: Organisation of the drafter.
        documents: Files of the draft.
        calendar: Zone of the days and hours.
        cutoff: Instant (ms) until which questions are taken, by the deadline and the day that was chosen.
        usual: What holds of an extension by rule where nothing was typed.
    """
    close = close_of(content, calendar)
    value = {
        "agency": agency,
        "bid_validity_days": number(content["dates"]["validity_days"]),
        "close": close,
        "documents": [{name: getattr(each, name) for name in each.__slots__} for each in _sorted(documents)],
        "extension_rule": _extension(content["dates"], usual),
        "intake": content["dates"].get("intake") == "yes",
        "jurisdiction": JURISDICTION,
        "kind": kind_typed(content),
        "lots": [_lot(lot, str(place + 1)) for place, lot in enumerate(content["lots"])],
        "questions_until": None if close is None else cutoff(close, questions_of(content)),
        "sealing": _sealing(content["sealing"]),
        "supply_ends_at": supply_end_of(content, calendar),
        "windows": {name: getattr(Windows(), name) for name in Windows.__slots__},
        **{name: text for name, text in content["subject"].items() if name != "kind"},
    }
    try:
        return Outcome(spec=parse_spec(value), problems=())
    except InvalidFields as invalid:
        return Outcome(spec=None, problems=tuple(located(error.path, error.code) for error in invalid.errors))


def kind_typed(content: Content) -> str:
    """Return the kind that was chosen; drafts older than the choice are of the first."""
    chosen = content["subject"].get("kind") or USUAL_KIND
    return chosen if chosen in KINDS else USUAL_KIND


def _sorted(documents: Iterable[DocumentSpec]) -> list[DocumentSpec]:
    return sorted(documents, key=lambda each: each.name)


def day_of(text: str) -> date | None:
    """Return the day that was chosen, or None."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def close_of(content: Content, calendar: WorkCalendar) -> int | None:
    """Return the chosen deadline (ms), or None while day or time is missing."""
    dates = content["dates"]
    day, time = day_of(dates["close_day"]), _TIME.match(dates["close_time"])
    if day is None or time is None:
        return None
    return calendar.start_of(day) + (int(time[1]) * 60 + int(time[2])) * _MINUTE_MS


def supply_end_of(content: Content, calendar: WorkCalendar) -> int | None:
    """Return the end (ms) of the chosen last day of supply; None: until the deadline."""
    day = day_of(content["dates"]["supply_day"])
    return None if day is None else calendar.start_of(day + timedelta(days=1))


def questions_of(content: Content) -> date | None:
    """Return the chosen last day for questions; None: the last lawful one."""
    return day_of(content["dates"]["questions_day"])


def issue_of(content: Content, calendar: WorkCalendar, now: int) -> int:
    """Return the instant (ms) from which the dates are counted: the planned day of publication, never before now."""
    day = day_of(content["dates"]["issue_day"])
    return now if day is None else max(now, calendar.start_of(day))


def number(text: str) -> int | str | None:
    """Return a whole number, None for nothing, or the text itself if it is none."""
    stripped = text.strip()
    if not stripped:
        return None
    return int(stripped) if _NUMBER.match(stripped) else text


def amount(text: str, currency: str) -> int | str | None:
    """Return minor units, None for nothing, or the text itself if it is no amount."""
    if not text.strip():
        return None
    try:
        return Money.parse(text.strip(), currency).minor
    except (InvalidInput, ValueError):
        return text


def _plain(quantity: str) -> str:
    """Return a decimal as documents write it: ``12.50`` as ``12.5`` (P3 rule 3); other texts stay as they are."""
    text = quantity.strip()
    if not _DECIMAL.match(text):
        return text
    whole, _, fraction = text.partition(".")
    kept = fraction.rstrip("0")
    return (whole.lstrip("0") or "0") + (f".{kept}" if kept else "")


def _lot(lot: Mapping[str, Any], number: str) -> dict[str, Any]:
    scoring = lot["method"] in _SCORED
    formula = typed_formula(lot)
    budget, ceiling = (amount(lot[name], lot["currency"]) for name in ("budget", "ceiling"))
    preference = {name: lot[name].strip() for name in ("small_micro", "consortium")}
    domestic = lot.get("domestic", "").strip()
    granted = (*preference.values(), domestic)
    shares = {name: lot.get(f"abnormal_{name}", "").strip() for name in AbnormalShares.__slots__}
    return {
        **({"abnormal": shares} if any(shares.values()) else {}),
        **({} if formula is None else {"formula": formula}),
        "budget": budget,
        "category": lot["category"],
        # The documents set no ceiling: then the budget is the ceiling (DOC-09).
        "ceiling": (budget if isinstance(budget, int) else None) if ceiling is None else ceiling,
        "criteria": [_criterion(each) for each in lot["criteria"]] if scoring else None,
        "currency": lot["currency"],
        **({"masked": True} if scoring and lot.get("masked") == "yes" else {}),
        "items": [{**item, "quantity": _plain(item["quantity"])} for item in lot["items"]],
        "lot": number,
        "method": lot["method"],
        "preference": {**preference, **({"domestic": domestic} if domestic else {})} if any(granted) else None,
        "tie_rule": lot["tie_rule"],
        "title_en": lot["title_en"],
        "title_zh": lot["title_zh"],
    }


def _criterion(typed: Mapping[str, str]) -> dict[str, Any]:
    lines = [line for line in typed["bands"].splitlines() if line.strip()]
    return {**typed, "bands": [_band(line) for line in lines]}


def _band(line: str) -> dict[str, Any] | str:
    match = _BAND.match(line)
    if match is None:
        return line
    names = ("from", "to", "points", "text_zh", "text_en")
    band: dict[str, Any] = dict(zip(names, match.groups(), strict=True))
    return {**band, "to": band["to"] or None}


def _sealing(typed: Mapping[str, str]) -> dict[str, Any]:
    return {
        "bidder_factor": typed["bidder_factor"] == "yes",
        "k": number(typed["k"]),
        "n": number(typed["n"]),
        "price_bytes": 4096,
    }


def _extension(typed: Mapping[str, Any], usual: ExtensionRule) -> dict[str, Any] | None:
    """Return the consent that was given; who answers nothing, or typed a draft before it was asked, gives none."""
    if typed.get("extension") != "yes":
        return None
    minutes = number(typed["extend_minutes"])
    extend_ms = minutes * _MINUTE_MS if isinstance(minutes, int) else minutes
    chosen = {"triggers": sorted(typed["triggers"])}
    return {**usual.to_json(), **chosen, **({} if extend_ms is None else {"extend_ms": extend_ms})}


_SUBJECT: Final = frozenset({"kind", "title_zh", "title_en", "text_zh", "text_en", "buyer", "agency", "supervisor"})
_DATES: Final[Mapping[str, str]] = {
    "close": "close_day",
    "supply_ends_at": "supply_day",
    "bid_validity_days": "validity_days",
    "questions_until": "questions_day",
}
_EXTENSION: Final[Mapping[str, str]] = {"extend_ms": "extend_minutes"}
_METHOD: Final = frozenset(
    {"abnormal", "category", "criteria", "formula", "masked", "method", "preference", "tie_rule"}
)


def located(path: str, code: str) -> Problem:
    """Say where in the form a field of the specification is filled in."""
    first, *rest = path.split(".")
    if first in _SUBJECT:
        return Problem(step=Step.SUBJECT, lot=None, field=first, code=code)
    if first in _DATES:
        return Problem(step=Step.DATES, lot=None, field=_DATES[first], code=code)
    if first == "extension_rule":
        name = rest[-1] if rest else first
        return Problem(step=Step.DATES, lot=None, field=_EXTENSION.get(name, name), code=code)
    if first == "documents":
        return Problem(step=Step.DOCUMENTS, lot=None, field="documents", code=code)
    if first == "lots" and len(rest) > 1:
        step = Step.METHOD if rest[1] in _METHOD else Step.LOTS
        return Problem(step=step, lot=int(rest[0]), field=_lot_field(rest[1:]), code=code)
    if first == "lots":
        return Problem(step=Step.LOTS, lot=None, field="lots", code=code)
    return Problem(step=Step.SEALING, lot=None, field=rest[-1] if rest else first, code=code)


def _lot_field(rest: Sequence[str]) -> str:
    """Return the field of a lot as the form calls it: bands are typed as lines of one field."""
    if rest[0] == "preference":
        return rest[-1]
    if rest[0] == "formula":
        return formula_field(rest[1:])
    if rest[0] == "abnormal":
        return "_".join(rest)
    if len(rest) > 3 and rest[2] == "bands":  # noqa: PLR2004 - criteria.<place>.bands.<place>…
        return ".".join(rest[:3])
    return ".".join(rest)
