"""Extension by rule (故障顺延): what of recorded evidence moves a deadline, and to when (TE1 T5 step 4, T6).

Pure: the verifier recomputes the same from the same records (TE-02). Instants are ms; evidence are commitments (hex).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from trading.audit.rules.clocks import BEFORE_CLOSE_MS, holds
from trading.bids.rules.refusals import Refusal
from trading.bids.rules.schedule import DRAIN_MS, MIN_NOTICE_MS, SCHEDULE, Schedule
from trading.kernel.canonical import loads_object
from trading.procedures.rules.extension import ExtensionRule

MOST_DERIVED: Final = 3  # of one lot and stage; then the agency decides
_MINUTE_MS: Final = 60_000
_ORDER: Final = ("outage", "clock", "refusal")  # T6: of equal instants the first in its table counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """A trigger that is met: ``until`` is R of T6, None while what it follows from goes on."""

    cause: str
    until: int | None
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """An interval common to failures at every vantage point; ``last`` is None while it goes on, else its end."""

    first: int
    last: int | None
    evidence: tuple[str, ...]

    def inside(self, first: int, last: int) -> int:
        """Return how much of it (ms) lies between two instants."""
        end = last if self.last is None else min(self.last, last)
        return max(0, end - max(self.first, first))


def by_clock(records: Sequence[Mapping[str, Any]], close: int) -> Trigger | None:
    """Return the trigger ``clock`` if a hold and [close − 120 s, close + drain] have a moment in common.

    Args:
        records: All ``clock.hold`` and ``clock.released``, in log order, each with its ``h``.
        close: The deadline.
    """
    met = [each for each in holds(records) if each.touches(close - BEFORE_CLOSE_MS, close + DRAIN_MS)]
    if not met:
        return None
    ends = [each.last for each in met if each.last is not None]
    named = {h for each in met for h in each.evidence}
    return Trigger(
        cause="clock",
        until=max(ends) if len(ends) == len(met) else None,
        evidence=tuple(record["h"] for record in records if record["h"] in named),
    )


def by_outage(outages: Iterable[Outage], rule: ExtensionRule, close: int, settled: int = 0) -> Trigger | None:
    """Return the trigger ``outage``: enough of them before the deadline, or one in progress at it.

    What happened before ``settled`` does not count any more (``refusals.settled_until``).
    """
    begin = max(close - rule.look_back_ms, settled)
    parts = [each for each in outages if each.inside(begin, close) > 0 or _in_progress(each, close)]
    in_progress = any(_in_progress(each, close) for each in parts)
    if not parts or (sum(each.inside(begin, close) for each in parts) < rule.min_outage_ms and not in_progress):
        return None
    ends = [each.last for each in parts if each.last is not None]
    evidence = tuple(dict.fromkeys(h for each in parts for h in each.evidence))
    return Trigger(cause="outage", until=max(ends) if len(ends) == len(parts) else None, evidence=evidence)


def _in_progress(outage: Outage, at: int) -> bool:
    return outage.first <= at and (outage.last is None or outage.last > at)


def by_refusal(refusals: Iterable[Refusal], rule: ExtensionRule, close: int, settled: int = 0) -> Trigger | None:
    """Return the trigger ``refusal``: the platform refused what arrived in [close − look back, close + drain].

    Only the last arrival moves anything, and only its record is evidence, of equals the last in log order: how many
    were refused is told to nobody before the opening (ADR 0052).

    Args:
        refusals: What the platform refused by its own fault, in log order.
        rule: Whose look-back counts.
        close: The deadline.
        settled: What arrived before does not count any more (``refusals.settled_until``).
    """
    first = max(close - rule.look_back_ms, settled)
    met = sorted(
        (each for each in refusals if first <= each.arrival <= close + DRAIN_MS), key=lambda each: each.arrival
    )
    return Trigger(cause="refusal", until=met[-1].arrival, evidence=(met[-1].h,)) if met else None


class Verdict(StrEnum):
    """What becomes of a deadline that has passed."""

    CLOSE = "close"  # no trigger moves it
    WAIT = "wait"  # what moves it is not over
    EXTEND = "extend"
    BLOCK = "block"  # the agency decides


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A verdict, the trigger that counts, and for ``EXTEND`` the new deadline."""

    verdict: Verdict
    trigger: Trigger | None = None
    close: int = 0


def decide(schedule: Schedule, triggers: Iterable[Trigger], *, usual: ExtensionRule, derived: int, at: int) -> Decision:
    """Return what the triggers that are met make of a deadline (TE1 T5 step 4, T6).

    Args:
        schedule: In force; its ``extension_rule`` is the agency's consent.
        triggers: All that are met at its deadline, whether listed there or not.
        usual: The parameters that decide whether a deadline would move where there is no consent.
        derived: How many schedules of the lot and stage were derived so far.
        at: The ``at`` of the ``tender.changed`` that would log the new one.
    """
    rule = schedule.extension_rule
    extend_ms = (usual if rule is None else rule).extend_ms
    moving = [each for each in triggers if each.until is None or each.until + extend_ms > schedule.close]
    if not moving:
        return Decision(verdict=Verdict.CLOSE)
    if any(each.until is None for each in moving):
        return Decision(verdict=Verdict.WAIT)
    listed = [] if rule is None or derived >= MOST_DERIVED else [each for each in moving if each.cause in rule.triggers]
    if not listed:
        return Decision(verdict=Verdict.BLOCK, trigger=_latest(moving))
    trigger = _latest(listed)
    return Decision(verdict=Verdict.EXTEND, trigger=trigger, close=_new_close(trigger, extend_ms, at))


def _latest(triggers: Iterable[Trigger]) -> Trigger:
    return max(triggers, key=lambda each: (each.until or 0, -_ORDER.index(each.cause)))


def _new_close(trigger: Trigger, extend_ms: int, at: int) -> int:
    earliest = max((trigger.until or 0) + extend_ms, at + MIN_NOTICE_MS)
    return -(-earliest // _MINUTE_MS) * _MINUTE_MS


def successor(schedule: Schedule, trigger: Trigger, close: int) -> bytes:
    """Return the derived ``mb.schedule`` that follows ``schedule``; nobody signs it (T2)."""
    said = {name: value for name, value in loads_object(schedule.raw).items() if name not in {"typ", "v"}}
    following = {"cause": trigger.cause, "close": close, "evidence": list(trigger.evidence)}
    return SCHEDULE.write({**said, **following, "seq": schedule.seq + 1, "supersedes": schedule.sha256})
