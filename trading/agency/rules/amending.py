"""A correction as it is typed: the changeable fields of a published specification, and the specification they make."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from trading.agency.rules.content import Content, Step
from trading.agency.rules.specification import (
    Outcome,
    Problem,
    amount,
    close_of,
    located,
    number,
    questions_of,
    supply_end_of,
)
from trading.kernel.calendar import WorkCalendar
from trading.kernel.money import Money, decimal_text
from trading.procedures.rules.fields import InvalidFields
from trading.procedures.rules.spec import DocumentSpec, ProcedureSpec, parse_spec

_TEXTS = ("title_zh", "title_en", "text_zh", "text_en")


def typed_from(spec: ProcedureSpec, calendar: WorkCalendar) -> Content:
    """Return what a published specification says, as the form of a correction shows it."""
    day = calendar.date_of(spec.close)
    minutes = (spec.close - calendar.start_of(day)) // 60_000
    questions = None if spec.questions_until is None else calendar.date_of(spec.questions_until)
    supply = None if spec.supply_ends_at is None else calendar.date_of(spec.supply_ends_at) - timedelta(days=1)
    return {
        "subject": {name: getattr(spec, name) for name in _TEXTS},
        "lots": [
            {
                "title_zh": lot.title_zh,
                "title_en": lot.title_en,
                "budget": _text(lot.budget, lot.currency),
                "ceiling": _text(lot.ceiling, lot.currency),
                "currency": lot.currency,
            }
            for lot in spec.lots
        ],
        "dates": {
            "issue_day": "",
            "close_day": day.isoformat(),
            "close_time": f"{minutes // 60:02d}:{minutes % 60:02d}",
            "supply_day": "" if supply is None else supply.isoformat(),
            "questions_day": "" if questions is None else questions.isoformat(),
            "validity_days": "" if spec.bid_validity_days is None else str(spec.bid_validity_days),
        },
        "declared": "",
        "cause": "",
    }


def _text(minor: int | None, currency: str) -> str:
    return "" if minor is None else decimal_text(Money(minor=minor, currency=currency))


def amended(
    content: Content,
    base: ProcedureSpec,
    *,
    documents: Sequence[DocumentSpec],
    calendar: WorkCalendar,
    cutoff: Callable[[int, date | None], int | None],
) -> Outcome:
    """Return the specification that a correction leaves in force, or what is amiss.

    Args:
        content: What was typed.
        base: What is published.
        documents: Files after the correction.
        calendar: Zone of the days and hours.
        cutoff: Instant (ms) until which questions are taken, by the deadline and the chosen day.
    """
    close = close_of(content, calendar)
    value = base.to_json()
    value |= dict(content["subject"])
    value["documents"] = [{name: getattr(each, name) for name in each.__slots__} for each in _sorted(documents)]
    value["bid_validity_days"] = number(content["dates"]["validity_days"])
    value["close"] = close
    # A day that was not touched keeps its instant, to the second that was published.
    before, typed = typed_from(base, calendar)["dates"], content["dates"]
    if typed["supply_day"] != before["supply_day"]:
        value["supply_ends_at"] = supply_end_of(content, calendar)
    if close is not None and (close, typed["questions_day"]) != (base.close, before["questions_day"]):
        value["questions_until"] = cutoff(close, questions_of(content))
    value["lots"] = [{**lot, **_lot(typed)} for lot, typed in zip(value["lots"], content["lots"], strict=True)]
    try:
        return Outcome(spec=parse_spec(value), problems=())
    except InvalidFields as invalid:
        return Outcome(spec=None, problems=tuple(_here(located(error.path, error.code)) for error in invalid.errors))


def _sorted(documents: Sequence[DocumentSpec]) -> list[DocumentSpec]:
    return sorted(documents, key=lambda each: each.name)


def _lot(typed: dict[str, str]) -> dict[str, Any]:
    amounts = {name: amount(typed[name], typed["currency"]) for name in ("budget", "ceiling")}
    return {"title_zh": typed["title_zh"], "title_en": typed["title_en"], **amounts}


def _here(problem: Problem) -> Problem:
    """A correction is one page: every field is on it."""
    return replace(problem, step=Step.SUBJECT)
