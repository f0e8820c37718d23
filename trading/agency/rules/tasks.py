"""What comes next for a procedure, who does it and until when the law gives time (ux 4.4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from trading.kernel.calendar import WorkCalendar
from trading.kernel.errors import RuleBroken
from trading.rulebook.keys import Key, Regime
from trading.rulebook.model import Edition


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One task: its name, the lot (None: the whole procedure), the legal instant (ms) and rule, if there is one.

    An act is in time if it happens before ``due_at``.
    """

    name: str
    lot: str | None
    due_at: int | None
    rule: str | None

    def late(self, now: int) -> bool:
        """Whether the legal time is over at ``now`` (ms)."""
        return self.due_at is not None and now >= self.due_at


# Phase of a procedure to its task.
_OF_PROCEDURE: Final[Mapping[str, str]] = {"draft": "revise", "review": "review"}
# Phase of a lot to (task, kind of the record that starts the legal time, parameter, rule).
_OF_LOT: Final[Mapping[str, tuple[str, str | None, Key | None, str | None]]] = {
    "closed": ("order_opening", None, None, "OPN-03"),
    "opening": ("follow_opening", None, None, "OPN-04"),
    "opened": ("evaluate", None, None, "EVL-02"),
    "evaluated": ("award", "bids.ranked", Key.AWARD_DECIDE_WITHIN, "AWD-09"),
    "determined": ("result", "award.determined", Key.RESULT_NOTICE_WITHIN, "AWD-11"),
    "concluded": ("contract", "result.published", Key.CONTRACT_SIGN_WITHIN, "CON-01"),
    "contracted": ("publish_contract", "contract.signed", Key.CONTRACT_PUBLISH_WITHIN, "CON-02"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One lot as tasks see it; ``close_at`` in ms."""

    number: str
    phase: str
    close_at: int | None


def tasks(
    phase: str,
    lots: Iterable[Standing],
    acts: Iterable[Mapping[str, Any]],
    *,
    edition: Edition,
    regime: Regime,
    calendar: WorkCalendar,
) -> list[Task]:
    """Return the tasks of a procedure in the order of its lots.

    Args:
        phase: Of the procedure.
        lots: Its lots.
        acts: Its records that start a legal time.
        edition: The edition that governs it.
        regime: Its legal track.
        calendar: Working days.
    """
    if phase in _OF_PROCEDURE:
        return [Task(name=_OF_PROCEDURE[phase], lot=None, due_at=None, rule="MB-01")]
    if phase == "cancelled":
        return []
    known = list(acts)
    found = []
    for lot in lots:
        found += _of_lot(lot, known, edition=edition, regime=regime, calendar=calendar)
    return found


def _of_lot(
    lot: Standing, acts: list[Mapping[str, Any]], *, edition: Edition, regime: Regime, calendar: WorkCalendar
) -> list[Task]:
    started = {act["kind"]: act["at"] for act in acts if act["body"].get("lot") == lot.number}
    if lot.phase == "open":
        return [Task(name="wait", lot=lot.number, due_at=lot.close_at, rule="OPN-01")]
    if lot.phase == "failed":
        announced = "failure.published" in started
        return [] if announced else [Task(name="failure", lot=lot.number, due_at=None, rule="NOT-10")]
    found = []
    if lot.phase in _OF_LOT:
        name, kind, key, rule = _OF_LOT[lot.phase]
        start = started.get(kind or "")
        due = None if key is None or start is None else _end(start, key, edition, regime, calendar)
        found.append(Task(name=name, lot=lot.number, due_at=due, rule=rule))
    signed = started.get("contract.signed") if edition.has(Key.CONTRACT_FILE_WITHIN, regime) else None
    if signed is not None and "contract.filed" not in started:
        due = _end(signed, Key.CONTRACT_FILE_WITHIN, edition, regime, calendar)
        found.append(Task(name="file_contract", lot=lot.number, due_at=due, rule="CON-03"))
    return found


def _end(start: int, key: Key, edition: Edition, regime: Regime, calendar: WorkCalendar) -> int | None:
    """Return when a legal time ends; None if the law has none, or the calendar does not reach so far (TIM-07)."""
    if not edition.has(key, regime):
        return None
    try:
        return calendar.end_of_period(start, edition.days(key, regime))
    except RuleBroken:
        return None
