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
CLOCK_KINDS = ("clock.hold", "clock.released")


def check_clocks(evidence: Evidence, check: Check) -> None:
    """TE-07, where the whole log is there: what is left out elsewhere may be the very record that matters."""
    if not evidence.whole_log:
        return
    states = [each for each in evidence.of_kind("clock.state") if each.body["host"] == DATABASE_HOST]
    found = holds_told(clock_rows(evidence))
    for closed in evidence.of_kind("tender.closed"):
        first, last = closed.body["close"] - BEFORE_CLOSE_MS, closed.body["close"] + DRAIN_MS
        clear = all(begun > last or (ended is not None and ended < first) for _, begun, ended in found)
        if not clear and is_confirmed(evidence, closed, "clock"):
            check.note(closed.place, "a clock was on hold at its deadline; agency and supervisor confirmed it (TE1 T5)")
        else:
            check.require(closed.place, "closed although a clock was on hold at its deadline", holds=clear)
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


def is_confirmed(evidence: Evidence, closed: Logged, reason: str) -> bool:
    """Return whether agency and supervisor signed before the close that this deadline counts (TE1 T5)."""
    place = ("lot", "stage", "reason")
    for logged in evidence.of_kind("closing.confirmed"):
        document = evidence.document(logged.body["doc_sha256"], "mb.closing-confirmation")
        here = (logged.procedure, *(logged.body[name] for name in place))
        if document is None or here != (closed.procedure, closed.body["lot"], closed.body["stage"], reason):
            continue
        said = tuple(document.value[name] for name in ("tender", *place))
        signed = all(document.signed_by(role) is not None for role in ("agency", "supervisor"))
        if logged.n < closed.n and said == here and document.value["close"] == closed.body["close"] and signed:
            return True
    return False


def holds_told(rows: list[Logged]) -> list[tuple[tuple[str, ...], int, int | None]]:
    """Return the commitments, first and last instant (ms) of every hold; None while it goes on.

    The rows stand in log order. The clock may have been set back, and a second hold of a host prolongs the first.
    """
    begun: dict[str, Logged] = {}
    found: list[tuple[tuple[str, ...], int, int | None]] = []
    for each in rows:
        host = each.body["host"]
        if each.kind == "clock.hold":
            begun.setdefault(host, each)
        elif host in begun:
            start = begun.pop(host)
            found.append(((start.h, each.h), min(start.at, each.at), max(start.at, each.at)))
    return found + [((start.h,), start.at, None) for start in begun.values()]


def clock_rows(evidence: Evidence) -> list[Logged]:
    """Return every record of a hold or its end, in log order."""
    return sorted((each for kind in CLOCK_KINDS for each in evidence.of_kind(kind)), key=lambda each: each.n)
