"""TE-07: the database clock was healthy around every deadline, and no deadline inside a hold was closed (TE1 T3)."""

from __future__ import annotations

from itertools import pairwise

from verifier.bounds import DRAIN_MS
from verifier.evidence import Evidence, Logged
from verifier.report import Check

DATABASE_HOST = "database"
MAX_AGE_MS = 120_000
MAX_ERROR_US = 500_000
BEFORE_CLOSE_MS = 120_000


def check_clocks(evidence: Evidence, check: Check) -> None:
    """TE-07, where the whole log is there: what is left out elsewhere may be the very record that matters."""
    if not evidence.whole_log:
        return
    states = [each for each in evidence.of_kind("clock.state") if each.body["host"] == DATABASE_HOST]
    found = _holds(evidence)
    for closed in evidence.of_kind("tender.closed"):
        first, last = closed.body["close"] - BEFORE_CLOSE_MS, closed.body["close"] + DRAIN_MS
        for host, begun, ended in found:
            clear = begun > last or (ended is not None and ended < first)
            check.require(closed.place, f"closed although the clock of {host} was on hold at its deadline", holds=clear)
        if not evidence.report.demo:  # a demonstration moves its one clock on and says so (AL-12)
            _check_states(states, first, last, closed, check)
    if evidence.report.demo:
        check.note("bundle", "a demonstration: the states of its clock tell nothing")


def _check_states(states: list[Logged], first: int, last: int, closed: Logged, check: Check) -> None:
    """Check that from ``first`` to ``last`` (ms) there was always a healthy state of at most 120 s."""
    seen = [each for each in states if each.at <= first][-1:] + [each for each in states if first < each.at <= last]
    instants = [first - MAX_AGE_MS, *(each.at for each in seen if each.at > first - MAX_AGE_MS), last]
    gap = max(later - earlier for earlier, later in pairwise(instants))
    check.require(closed.place, f"no clock state for {gap} ms around its deadline", holds=gap <= MAX_AGE_MS)
    for each in seen:
        check.require(each.place, "the clock was not synchronised at a deadline", holds=each.body["synchronised"])
        error = abs(each.body["offset_us"]) + each.body["dispersion_us"]
        check.require(each.place, f"the clock may have been wrong by {error} µs", holds=error <= MAX_ERROR_US)


def _holds(evidence: Evidence) -> list[tuple[str, int, int | None]]:
    """Return host, first and last instant (ms) of every hold; None while it goes on. The clock may be set back."""
    begun: dict[str, int] = {}
    found: list[tuple[str, int, int | None]] = []
    rows = sorted([*evidence.of_kind("clock.hold"), *evidence.of_kind("clock.released")], key=lambda each: each.n)
    for each in rows:
        host = each.body["host"]
        if each.kind == "clock.hold":
            begun.setdefault(host, each.at)
        elif host in begun:
            start = begun.pop(host)
            found.append((host, min(start, each.at), max(start, each.at)))
    return found + [(host, at, None) for host, at in begun.items()]
