"""Checks of time evidence: TE-01, TE-03 to TE-06 and TE-09 (TE1 T11)."""

from __future__ import annotations

from typing import Any

from verifier.bounds import (
    DRAIN_MS,
    HALF_HOUR_MS,
    NOT_A_BID,
    PROVEN_ON_TIME,
    QUESTIONABLE,
    lower_ms,
    time_verdict,
    upper_ms,
)
from verifier.checks_bids import valid_heads
from verifier.checks_opening import newest_factor_list, used_releases
from verifier.evidence import Document, Evidence, Logged
from verifier.intake import intake_upper
from verifier.lot import Lot
from verifier.report import Check

SEQUENCING_MS = 60_000
CHANGEABLE = (
    "cause",
    "close",
    "evidence",
    "factor_window_ms",
    "objection_ms",
    "release_window_ms",
    "rescue_ms",
    "seq",
    "share_check_ms",
    "supersedes",
)


def check_schedule_chain(lot: Lot, check: Check) -> None:
    """TE-01: unbroken chain, signed by the agency or derived, only later, before the close, 30 minutes ahead."""
    closed = lot.closed
    if lot.missing("tender.published"):
        check.fail(lot.place, "no tender.published record, though later steps are recorded")
    before: Document | None = None
    for logged, schedule in lot.schedules:
        value, place = schedule.value, schedule.place
        here = (value["tender"], value["lot"], value["stage"]) == (lot.procedure, lot.lot, lot.stage)
        check.require(place, "names another tender, lot or stage", holds=here)
        check.require(place, "close is not a full second", holds=value["close"] % 1000 == 0)
        if value["cause"] is None:
            check.require(place, "not signed by the agency", holds=schedule.signed_by("agency") is not None)
        if closed is not None:
            check.require(logged.place, "schedule changed after the close entry", holds=logged.n < closed.n)
        _check_step(check, logged, schedule, before)
        before = schedule


def _check_step(check: Check, logged: Logged, schedule: Document, before: Document | None) -> None:
    value, place = schedule.value, schedule.place
    if before is None or before.sha256 == schedule.sha256:
        if before is None:
            first = (value["seq"], value["supersedes"], value["cause"]) == (1, None, None)
            check.require(place, "is not the first schedule of a chain", holds=first)
        return
    chain = (value["seq"], value["supersedes"]) == (before.value["seq"] + 1, before.sha256)
    check.require(place, "does not follow the schedule before it", holds=chain)
    check.require(place, "close moves earlier", holds=value["close"] >= before.value["close"])
    same = all(value[name] == before.value[name] for name in value if name not in CHANGEABLE)
    check.require(place, "changes a field that must stay", holds=same)
    early = value["close"] == before.value["close"] or value["close"] >= logged.at + HALF_HOUR_MS
    check.require(logged.place, "the new close is less than 30 minutes after the change", holds=early)


def check_heartbeat(lot: Lot, check: Check) -> None:
    """TE-03: a quorum signed a tree with ``deadline.reached`` after the close, before the close entry."""
    closed = lot.closed
    hidden = lot.veiled and lot.first("deadline.reached") is None
    if lot.missing("deadline.reached") and not hidden:
        check.fail(lot.place, "no deadline.reached record, though later steps are recorded")
    if closed is None:
        return
    size, close = closed.body["heartbeat_size"], closed.body["close"]
    beats = [logged for logged in lot.all("deadline.reached") if logged.body["close"] == close]
    holds = (hidden or any(logged.n < size for logged in beats)) and size <= closed.n
    check.require(closed.place, "heartbeat_size is not between deadline.reached and the close entry", holds=holds)
    times = [note.t_low for note in lot.evidence.notes if note.checkpoint.size == size and note.t_low is not None]
    late = any(1000 * time >= close for time in times)
    check.require(f"checkpoints/{size}-last", "no checkpoint of this size with a quorum after the close", holds=late)


def check_close_entry(lot: Lot, check: Check) -> None:
    """TE-04: the close entry was not shown before the close; the drain was waited for."""
    closed = lot.closed
    if closed is None:
        return
    close, notes = closed.body["close"], lot.evidence.notes
    check.require(closed.place, "its lower time bound is before the close", holds=lower_ms(closed.n, notes) >= close)
    upper = upper_ms(closed.n, notes)
    check.require(closed.place, "EARLY CLOSING: it existed before the close", holds=upper is None or upper >= close)
    waited = closed.body["closed_at"] >= close + DRAIN_MS
    check.require(closed.place, "closed_at is before close + drain", holds=waited)


def check_bid_times(lot: Lot, check: Check) -> None:
    """TE-05: the verdict of T7 on every bid of the manifest."""
    closed = lot.closed
    if closed is None:
        return
    proven = 0
    heads = {row["h"] for row in valid_heads(lot, closed)}
    for logged in lot.all("bid.received"):
        if logged.h not in heads:
            continue
        notes, close = lot.evidence.notes, closed.body["close"]
        bounds = upper_ms(logged.n, notes), lower_ms(logged.n, notes), intake_upper(lot, logged)
        verdict = time_verdict(logged.n, closed.n, close, *bounds)
        proven += verdict == PROVEN_ON_TIME
        check.require(
            logged.place, f"bid {logged.body['bid']}: {verdict}", holds=verdict not in (NOT_A_BID, QUESTIONABLE)
        )
    if heads:
        check.note(lot.place, f"{proven} of {len(heads)} bids PROVEN_ON_TIME by witnesses, the others by order")


def check_entry_times(evidence: Evidence, check: Check) -> None:
    """TE-06: |t − at| at most 60 s, except inside a recorded delay of the sequencer."""
    delays = [(logged.body["from"], logged.body["to"]) for logged in evidence.of_kind("log.delayed")]
    last = 0
    for logged in evidence.records:
        check.require(logged.place, "t decreases", holds=logged.t >= last)
        last = logged.t
        near = abs(logged.t - logged.at) <= SEQUENCING_MS
        excused = any(start <= logged.at <= end for start, end in delays)
        check.require(logged.place, f"t and at are {abs(logged.t - logged.at)} ms apart", holds=near or excused)


def check_windows(lot: Lot, check: Check) -> None:
    """TE-09: objection, share check, factor, release and rescue windows start and end as the schedule says."""
    schedule = lot.schedule
    if schedule is None or not lot.orders:
        return
    first, newest = lot.orders[0][0], lot.orders[-1][0]
    _check_objection_window(lot, check, schedule, first)
    start = lot.first("factor.opened") if lot.factor_mode else lot.first("share.released")
    if start is not None:
        end = first.at + schedule["objection_ms"]
        check.require(start.place, "the objection window was not over", holds=start.at >= end)
        answered = _custodians_before(lot, "share.checked", start.n) >= _custodian_count(lot)
        late = start.at >= newest.at + schedule["share_check_ms"]
        check.require(start.place, "custodians still had time for the share check", holds=answered or late)
    if lot.factor_mode:
        _check_factor_window(lot, check, schedule)
    _check_release_window(lot, check, schedule, first)


def _custodian_count(lot: Lot) -> int:
    return len(lot.policy.value["custodians"]) if lot.policy is not None else 16


def _custodians_before(lot: Lot, kind: str, n: int) -> int:
    return len({logged.body["custodian"] for logged in lot.all(kind) if logged.n < n})


def _check_objection_window(lot: Lot, check: Check, schedule: dict[str, Any], first: Logged) -> None:
    start = lot.first("factor.opened") if lot.factor_mode else lot.first("share.released")
    decided = lot.pairs("objection.decided", "decision_sha256", "sb1.objection-decision")
    for logged in lot.all("objection.raised"):
        inside = logged.n > first.n and logged.at < first.at + schedule["objection_ms"]
        check.require(logged.place, "objection outside its window", holds=inside)
        answers = [row.n for row, decision in decided if decision.value["objection_h"] == logged.h]
        in_time = start is None or any(n < start.n for n in answers)
        check.require(logged.place, "not decided before the ceremony went on", holds=in_time)


def _check_factor_window(lot: Lot, check: Check, schedule: dict[str, Any]) -> None:
    opened, closed = lot.first("factor.opened"), lot.first("factor.closed")
    if opened is None:
        return
    ends_at = opened.body["ends_at"]
    length = ends_at >= opened.at + schedule["factor_window_ms"]
    check.require(opened.place, "the factor window is shorter than the schedule says", holds=length)
    if closed is not None:
        after = closed.at >= ends_at and closed.n > opened.n
        check.require(closed.place, "the factor window was ended early", holds=after)


def _check_release_window(lot: Lot, check: Check, schedule: dict[str, Any], first: Logged) -> None:
    gaps, closed = lot.last("release.gaps"), lot.last("release.closed")
    newest = newest_factor_list(lot)
    begin = newest[0].at if lot.factor_mode and newest is not None else first.at + schedule["objection_ms"]
    if closed is None:
        return
    if not check.require(closed.place, "no release.gaps before it", holds=gaps is not None and gaps.n < closed.n):
        return
    if gaps is not None:
        all_released = len([1 for logged, _ in used_releases(lot) if logged.n < gaps.n]) >= _custodian_count(lot)
        late = gaps.at >= begin + schedule["release_window_ms"]
        check.require(gaps.place, "custodians still had time to release", holds=all_released or late)
        rescue = closed.at >= gaps.at + schedule["rescue_ms"]
        check.require(closed.place, "bidders still had time for the rescue", holds=not gaps.body["bids"] or rescue)
