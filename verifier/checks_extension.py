"""TE-02: deadlines that moved by rule, recomputed from their evidence records, and confirmed ones (TE1 T5, T6)."""

from __future__ import annotations

from verifier.bounds import DRAIN_MS
from verifier.checks_clocks import BEFORE_CLOSE_MS, CLOCK_KINDS, clock_rows, holds_told
from verifier.checks_refusals import close_by_rule, until_refused
from verifier.evidence import Document, Logged
from verifier.lot import Lot
from verifier.report import Check

MOST_DERIVED = 3


def check_extensions(lot: Lot, check: Check) -> None:
    """TE-02: each derived schedule has its consent, its evidence, and the deadline that follows from them."""
    before: Document | None = None
    derived = 0
    for logged, schedule in lot.schedules:
        cause = schedule.value["cause"]
        same = before is not None and before.sha256 == schedule.sha256
        if cause is None or same or before is None:
            if "evidence" in logged.body:
                none = not logged.body["evidence"]
                check.require(logged.place, "evidence for a deadline that no rule moved", holds=none)
        else:
            derived += 1
            _check_consent(check, schedule, before, derived)
            _check_derived(lot, check, logged, schedule, before)
        before = schedule


def check_confirmations(lot: Lot, check: Check) -> None:
    """TE-02: what agency and supervisor confirmed was blocked, for that reason, at that deadline (T5)."""
    for logged, document in lot.pairs("closing.confirmed", "doc_sha256", "mb.closing-confirmation"):
        value = document.value
        here = (lot.procedure, lot.lot, lot.stage, logged.body["reason"])
        said = (value["tender"], value["lot"], value["stage"], value["reason"])
        check.require(document.place, "is of another lot or reason than its record", holds=said == here)
        due = [schedule.value["close"] for row, schedule in lot.schedules if row.n < logged.n][-1:]
        check.require(document.place, "confirms another deadline than the one in force", holds=due == [value["close"]])
        blocked = [row for row in lot.all("closing.blocked") if row.body["reason"] == value["reason"]]
        met = any(row.n < logged.n and row.at >= value["close"] for row in blocked)
        check.require(logged.place, "confirms a close that was not blocked", holds=met)
        early = lot.closed is None or logged.n < lot.closed.n
        check.require(logged.place, "confirmed after the close", holds=early)


def _check_consent(check: Check, schedule: Document, before: Document, derived: int) -> None:
    rule, cause = before.value["extension_rule"], schedule.value["cause"]
    agreed = rule is not None and cause in rule["triggers"]
    check.require(schedule.place, f"the agency did not consent to an extension by {cause}", holds=agreed)
    check.require(schedule.place, f"extension by rule no. {derived}: only three", holds=derived <= MOST_DERIVED)


def _check_derived(lot: Lot, check: Check, logged: Logged, schedule: Document, before: Document) -> None:
    value, rule = schedule.value, before.value["extension_rule"]
    cause, named = value["cause"], value["evidence"]
    same = (logged.body["cause"], logged.body["evidence"]) == (cause, named)
    check.require(logged.place, "record and schedule name another cause or other evidence", holds=same)
    if rule is None:
        return
    if cause == "clock":
        until = _until_clock(lot, check, logged, schedule, before)
    elif cause == "refusal":
        until = until_refused(lot, check, logged, schedule, before)
    else:
        check.gap(schedule.place, f"extensions by {cause} are not recomputed by this release")
        return
    if until is None:
        return
    expected = close_by_rule(until, rule, logged.at)
    check.require(schedule.place, f"close is not the {expected} that follows by rule", holds=value["close"] == expected)
    needless = until + rule["extend_ms"] <= before.value["close"]
    check.require(schedule.place, "the deadline before was late enough", holds=not needless)


def _until_clock(lot: Lot, check: Check, logged: Logged, schedule: Document, before: Document) -> int | None:
    """Return the end (ms) of the last hold that a derived schedule names; ``None`` if its evidence moves nothing."""
    rows = _evidence_rows(lot, check, logged, schedule)
    until = None if rows is None else clock_until(rows, before.value["close"])
    if rows is None or not check.require(
        schedule.place, "its evidence does not move a deadline", holds=until is not None
    ):
        return None
    if lot.evidence.whole_log:
        _check_complete(lot, check, logged, schedule, before)
    return until


def _evidence_rows(lot: Lot, check: Check, logged: Logged, schedule: Document) -> list[Logged] | None:
    """Return the records that the schedule names, if all are there, about a clock, in log order and before it."""
    by_h = {each.h: each for each in lot.evidence.records}
    rows = [by_h[h] for h in schedule.value["evidence"] if h in by_h]
    if not check.require(
        schedule.place, "evidence that is not in the bundle", holds=len(rows) == len(schedule.value["evidence"])
    ):
        return None
    for each in rows:
        fits = each.kind in CLOCK_KINDS and each.n < logged.n
        check.require(each.place, "is no evidence of clock before the extension", holds=fits)
    places = [each.n for each in rows]
    check.require(schedule.place, "evidence out of log order", holds=places == sorted(set(places)))
    return rows


def clock_until(rows: list[Logged], close: int) -> int | None:
    """Return the end of the last hold that touched a deadline (ms); ``None`` if none did, or one is not over."""
    met = _touching(rows, close)
    ends = [ended for _, _, ended in met if ended is not None]
    return max(ends) if ends and len(ends) == len(met) else None


def _touching(rows: list[Logged], close: int) -> list[tuple[tuple[str, ...], int, int | None]]:
    """Return the holds that have a moment in common with [close − 120 s, close + drain]."""
    first, last = close - BEFORE_CLOSE_MS, close + DRAIN_MS
    return [each for each in holds_told(rows) if each[1] <= last and (each[2] is None or each[2] >= first)]


def _check_complete(lot: Lot, check: Check, logged: Logged, schedule: Document, before: Document) -> None:
    """Nothing that the whole log knew of the clock at this deadline was left out, and nothing else was put in."""
    rows = [each for each in clock_rows(lot.evidence) if each.n < logged.n]
    wanted = {h for hs, _, _ in _touching(rows, before.value["close"]) for h in hs}
    told = [each.h for each in rows if each.h in wanted]
    check.require(
        schedule.place, "its evidence is not all that the log tells", holds=schedule.value["evidence"] == told
    )
