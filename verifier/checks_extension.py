"""TE-02: deadlines that moved by rule, recomputed from their evidence records, and confirmed ones (TE1 T5, T6)."""

from __future__ import annotations

from verifier.bounds import DRAIN_MS
from verifier.checks_clocks import BEFORE_CLOSE_MS, CLOCK_KINDS, holds_told
from verifier.checks_outages import PROBE_KINDS, outage_met
from verifier.checks_refusals import close_by_rule, settled_before, until_refused
from verifier.evidence import Document, Logged
from verifier.lot import Lot
from verifier.report import Check

MOST_DERIVED = 3
KINDS_OF_CAUSE = {"clock": CLOCK_KINDS, "outage": PROBE_KINDS}


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
    recompute = until_refused if cause == "refusal" else _until_evidence
    until = recompute(lot, check, logged, schedule, before)
    if until is None:
        return
    expected = close_by_rule(until, rule, logged.at)
    check.require(schedule.place, f"close is not the {expected} that follows by rule", holds=value["close"] == expected)
    needless = until + rule["extend_ms"] <= before.value["close"]
    check.require(schedule.place, "the deadline before was late enough", holds=not needless)


def _until_evidence(lot: Lot, check: Check, logged: Logged, schedule: Document, before: Document) -> int | None:
    """Return the end (ms) of the failures that a derived schedule names; ``None`` if its evidence moves nothing."""
    rows = _evidence_rows(lot, check, logged, schedule)
    if rows is None:
        return None
    found = _met(lot, logged, schedule, before, rows)
    until = None if found is None else found[0]
    if not check.require(schedule.place, "its evidence does not move a deadline", holds=until is not None):
        return None
    if lot.evidence.whole_log:
        kinds = KINDS_OF_CAUSE[schedule.value["cause"]]
        known = [each for each in lot.evidence.records if each.kind in kinds and each.n < logged.n]
        all_of_it = _met(lot, logged, schedule, before, sorted(known, key=lambda each: each.n))
        told = None if all_of_it is None else all_of_it[1]
        same = schedule.value["evidence"] == told
        check.require(schedule.place, "its evidence is not all that the log tells", holds=same)
    return until


def _met(
    lot: Lot, logged: Logged, schedule: Document, before: Document, rows: list[Logged]
) -> tuple[int | None, list[str]] | None:
    """Return what these records make of the deadline: the end of the failure, and which of them tell it."""
    due = before.value["close"]
    if schedule.value["cause"] == "clock":
        return clock_met(rows, due)
    return outage_met(rows, before.value["extension_rule"], due, settled_before(lot, logged))


def _evidence_rows(lot: Lot, check: Check, logged: Logged, schedule: Document) -> list[Logged] | None:
    """Return the records that the schedule names, if all are there and of its cause, in log order and before it."""
    cause = schedule.value["cause"]
    by_h = {each.h: each for each in lot.evidence.records}
    rows = [by_h[h] for h in schedule.value["evidence"] if h in by_h]
    if not check.require(
        schedule.place, "evidence that is not in the bundle", holds=len(rows) == len(schedule.value["evidence"])
    ):
        return None
    strange = [each for each in rows if each.kind not in KINDS_OF_CAUSE[cause] or each.n >= logged.n]
    for each in strange:
        check.fail(each.place, f"is no evidence of {cause} before the extension")
    places = [each.n for each in rows]
    check.require(schedule.place, "evidence out of log order", holds=places == sorted(set(places)))
    return None if strange else rows


def clock_met(rows: list[Logged], close: int) -> tuple[int | None, list[str]] | None:
    """Return the end of the last hold that touched [close − 120 s, close + drain], and the records of all of them.

    The end is ``None`` while one of them goes on; without any the trigger is not met.
    """
    first, last = close - BEFORE_CLOSE_MS, close + DRAIN_MS
    met = [each for each in holds_told(rows) if each[1] <= last and (each[2] is None or each[2] >= first)]
    if not met:
        return None
    ends = [ended for _, _, ended in met]
    named = {h for hs, _, _ in met for h in hs}
    until = None if None in ends else max(end for end in ends if end is not None)
    return until, [each.h for each in rows if each.h in named]
