"""TE-02: outages recomputed from the probes that a derived schedule names, or that a close passed over (TE1 T5, T6)."""

from __future__ import annotations

from typing import Any

from verifier.checks_clocks import is_confirmed
from verifier.checks_refusals import TYPICAL, settled_before, was_seen
from verifier.evidence import Logged
from verifier.lot import Lot
from verifier.report import Check

PROBE_KINDS = ("availability.state",)
VANTAGES = ("operator", "supervisor")
LEAST_FAILED = 2

# First and last instant (ms), the latter None while it goes on, and the commitments of the probes that tell it.
Down = tuple[int, "int | None", frozenset[str]]


def check_outage_close(lot: Lot, check: Check) -> None:
    """TE-02: no lot was closed over an outage that moves its deadline, unless agency and supervisor confirmed it.

    Only the whole log shows what the probes told.
    """
    closed, schedule = lot.closed, lot.schedule
    if closed is None or schedule is None or not lot.evidence.whole_log:
        return
    rule, due = schedule["extension_rule"] or TYPICAL, schedule["close"]
    told = [each for kind in PROBE_KINDS for each in lot.evidence.of_kind(kind)]
    seen = [each for each in told if each.n < closed.n and was_seen(each, closed)]
    met = outage_met(sorted(seen, key=lambda each: each.n), rule, due, settled_before(lot, closed))
    moving = met is not None and (met[0] is None or met[0] + rule["extend_ms"] > due)
    if moving and is_confirmed(lot.evidence, closed, "outage"):
        check.note(closed.place, "probes had told an outage; agency and supervisor confirmed the close")
    else:
        check.require(closed.place, "closed although probes had told an outage", holds=not moving)


def outage_met(
    rows: list[Logged], rule: dict[str, Any], close: int, settled: int
) -> tuple[int | None, list[str]] | None:
    """Return the end of the last outage that counts, and its probes in log order; ``None`` if the trigger is not met.

    Enough of them between look-back and deadline, or one in progress at it; the end is ``None`` while one goes on.
    """
    begin = max(close - int(rule["look_back_ms"]), settled)
    running = [each for each in outages_told(rows) if each[0] <= close and (each[1] is None or each[1] > close)]
    parts = [each for each in outages_told(rows) if each in running or _inside(each, begin, close) > 0]
    if not running and (not parts or sum(_inside(each, begin, close) for each in parts) < rule["min_outage_ms"]):
        return None
    ends = [each[1] for each in parts]
    named = {h for each in parts for h in each[2]}
    until = None if None in ends else max(end for end in ends if end is not None)
    return until, [each.h for each in rows if each.h in named]


def outages_told(rows: list[Logged]) -> list[Down]:
    """Return what the failures of every vantage point have in common."""
    first, *others = ([each for each in rows if each.body["vantage"] == vantage] for vantage in VANTAGES)
    found = _failures(first)
    for probes in others:
        found = [part for one in found for other in _failures(probes) for part in _common(one, other)]
    return found


def _failures(probes: list[Logged]) -> list[Down]:
    """Return the failures at one vantage point: at least two failed probes in a row, until the next good one ends."""
    found: list[Down] = []
    failed: list[Logged] = []
    for probe in sorted(probes, key=lambda each: (each.body["from"], each.body["ms"], each.h)):
        if not probe.body["ok"]:
            failed.append(probe)
            continue
        if len(failed) >= LEAST_FAILED:
            told = frozenset(each.h for each in (*failed, probe))
            found.append((failed[0].body["from"], probe.body["from"] + probe.body["ms"], told))
        failed = []
    if len(failed) >= LEAST_FAILED:
        found.append((failed[0].body["from"], None, frozenset(each.h for each in failed)))
    return found


def _common(one: Down, other: Down) -> list[Down]:
    ends = [each[1] for each in (one, other) if each[1] is not None]
    first, last = max(one[0], other[0]), min(ends, default=None)
    return [] if last is not None and last <= first else [(first, last, one[2] | other[2])]


def _inside(down: Down, first: int, last: int) -> int:
    end = last if down[1] is None else min(down[1], last)
    return max(0, end - max(down[0], first))
