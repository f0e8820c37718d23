"""TE-02: what the platform refused by its own fault moves its deadline, and nothing else does (TE1 T4.3, T5, T6).

The records of refusals name bidders: tier ``audit`` alone has them. Below it only the bounds of a deadline are checked.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from verifier.bounds import DRAIN_MS, HALF_HOUR_MS
from verifier.checks_clocks import is_confirmed
from verifier.evidence import Document, Logged
from verifier.lot import Lot
from verifier.report import Check

FULL_MINUTE_MS = 60_000
TYPICAL = {
    "extend_ms": 7_200_000,
    "look_back_ms": 7_200_000,
    "min_outage_ms": 600_000,
}  # T6, where the agency gave no consent
UNSEEN_MS = 1_000  # what was logged so shortly before a transaction began may not have been seen by it


@dataclass(frozen=True)
class Deadline:
    """A deadline, the instant from which it was in force, and whether the agency signed it."""

    since: int
    close: int
    signed: bool


@dataclass(frozen=True)
class Refused:
    """A refusal that the platform caused, and the arrival of what it refused (ms)."""

    logged: Logged
    arrival: int


def check_refused_close(lot: Lot, check: Check) -> None:
    """TE-02: no lot was closed over a refusal that moves its deadline, unless agency and supervisor confirmed it."""
    closed, schedule = lot.closed, lot.schedule
    if closed is None or schedule is None or not lot.evidence.holds("audit"):
        return
    rule = schedule["extension_rule"] or TYPICAL
    due = schedule["close"]
    moving = [
        each
        for each in refused_around(lot, closed, rule, due)
        if each.arrival + rule["extend_ms"] > due and was_seen(each.logged, closed)
    ]
    if moving and is_confirmed(lot.evidence, closed, "refusal"):
        check.note(
            closed.place, "the platform had refused what came in time; agency and supervisor confirmed the close"
        )
    else:
        text = "closed although the platform had refused by its own fault what came in time"
        check.require(closed.place, text, holds=not moving)


def until_refused(lot: Lot, check: Check, logged: Logged, schedule: Document, before: Document) -> int | None:
    """Return the arrival (ms) of the last refusal, which a derived schedule names; ``None`` if there is nothing to use.

    Only the last one is named: the number of refusals would tell how many bid.
    """
    rule, due, named = before.value["extension_rule"], before.value["close"], schedule.value["evidence"]
    check.require(schedule.place, "names more than the last refusal", holds=len(named) == 1)
    rows = [each for each in lot.all("bid.refused") if [each.h] == named[:1]]
    if not rows and not lot.evidence.holds("audit"):
        _check_range(lot, check, logged, schedule, before)
        return None
    early = bool(rows) and rows[0].n < logged.n
    if not check.require(schedule.place, "its evidence is no refusal of this lot before it", holds=early):
        return None
    found = refused_around(lot, logged, rule, due)
    arrivals = [each.arrival for each in found if [each.logged.h] == named[:1]]
    if not check.require(schedule.place, "its evidence does not move a deadline", holds=bool(arrivals)):
        return None
    later = any(each.arrival > arrivals[0] and was_seen(each.logged, logged) for each in found)
    check.require(schedule.place, "its evidence is not the last refusal that the log tells", holds=not later)
    return arrivals[0]


def _check_range(lot: Lot, check: Check, logged: Logged, schedule: Document, before: Document) -> None:
    """Check that some refusal could have moved the deadline so far, where the refusal itself is not shown."""
    rule, due = before.value["extension_rule"], before.value["close"]
    first = max(_first_arrival(lot, logged, rule, due), due - rule["extend_ms"] + 1)
    last = min(due + DRAIN_MS, logged.at)
    lowest, highest = (close_by_rule(until, rule, logged.at) for until in (first, last))
    close = schedule.value["close"]
    met = first <= last and lowest <= close <= highest and close % FULL_MINUTE_MS == 0
    check.require(schedule.place, "no refusal moves a deadline to this close", holds=met)
    check.note(schedule.place, "the refusal that moved it names a bidder and stands in tier audit only")


def refused_around(lot: Lot, act: Logged, rule: dict[str, Any], due: int) -> list[Refused]:
    """Return what the platform refused by its own fault around a deadline, as an act of the closer found it."""
    first, last = _first_arrival(lot, act, rule, due), due + DRAIN_MS
    return [each for each in _caused(lot) if first <= each.arrival <= last and each.logged.n < act.n]


def was_seen(told: Logged, act: Logged) -> bool:
    """Return whether a record was in the log when the act began, so that the act had to heed it."""
    return told.t <= act.at - UNSEEN_MS


def close_by_rule(until: int, rule: dict[str, Any], at: int) -> int:
    """Return the deadline that follows from the end of a failure, told by a record of the instant ``at`` (ms)."""
    earliest = max(until + int(rule["extend_ms"]), at + HALF_HOUR_MS)
    return -(-earliest // FULL_MINUTE_MS) * FULL_MINUTE_MS


def _first_arrival(lot: Lot, act: Logged, rule: dict[str, Any], due: int) -> int:
    return max(due - int(rule["look_back_ms"]), settled_before(lot, act))


def settled_before(lot: Lot, act: Logged) -> int:
    """Return from when on failures count: what the agency decided about after a deadline is settled (T5)."""
    settled = [
        after.since
        for before, after in pairwise(_deadlines(lot, act.n))
        if after.signed and after.close > before.close and after.since >= before.close
    ]
    return max(settled, default=0)


def _caused(lot: Lot) -> list[Refused]:
    """Return every refusal that the platform caused, judged by the deadline in force at the arrival (T4.3)."""
    known, found = _deadlines(lot), []
    for logged in lot.all("bid.refused"):
        arrival = logged.body["received_at"] - logged.body["queue_ms"]
        due = [each.close for each in known if each.since <= arrival][-1:]
        if due and _is_caused(logged.body["code"], arrival, logged.body["received_at"], due[0]):
            found.append(Refused(logged, arrival))
    return found


def _is_caused(code: str, arrival: int, received_at: int, due: int) -> bool:
    if code == "bid.late":
        return arrival < due <= received_at
    return code in {"bid.closed", "clock.hold"} or (code == "busy" and arrival < due)


def _deadlines(lot: Lot, below: int | None = None) -> list[Deadline]:
    """Return the deadlines of the lot in log order, of the records below an index."""
    return [
        Deadline(logged.at, int(schedule.value["close"]), schedule.value["cause"] is None)
        for logged, schedule in lot.schedules
        if below is None or logged.n < below
    ]
