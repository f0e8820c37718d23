"""A day of the platform as its synthetic bidders saw it: state of each vantage point, outages, a strip (TE1 T6).

Instants are ms. Only what both saw is an outage; what one saw alone may be its own network's fault.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from trading.bids.rules.derivation import Outage
from trading.bids.rules.outages import VANTAGES, Probe, failures, outages
from trading.bids.rules.probing import ROUND_MS

DAY_MS: Final = 86_400_000
CELLS: Final = 96  # a quarter of an hour each
_LATE_ROUNDS: Final = 4  # without a word of a vantage point, it is silent


class State(StrEnum):
    """How a vantage point, or a quarter of an hour, is called; in a strip the worst one shows."""

    SERVED = "served"
    SILENT = "silent"
    FAILED = "failed"  # at one vantage point
    OUTAGE = "outage"  # at both


@dataclass(frozen=True, slots=True, kw_only=True)
class Vantage:
    """One vantage point: its last round, None before the first, and how it is called now."""

    name: str
    last: Probe | None
    reason: str | None
    state: State


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One quarter of an hour of the strip."""

    start: int
    state: State


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """The day until ``now``: vantage points, outages (the newest first), the strip (the oldest first)."""

    now: int
    vantages: tuple[Vantage, ...]
    outages: tuple[Outage, ...]
    strip: tuple[Cell, ...]


def day(records: Sequence[Mapping[str, Any]], now: int) -> Day:
    """Return what ``availability.state`` records with their ``h`` tell of the day until ``now``."""
    by_vantage = {name: [each for each in records if each["body"]["vantage"] == name] for name in VANTAGES}
    found = tuple(each for each in outages(records)[::-1] if each.last is None or each.last > now - DAY_MS)
    return Day(
        now=now,
        vantages=tuple(_vantage(name, told, now) for name, told in by_vantage.items()),
        outages=found,
        strip=_strip([[Probe.of(each) for each in told] for told in by_vantage.values()], found, now),
    )


def _vantage(name: str, told: Sequence[Mapping[str, Any]], now: int) -> Vantage:
    if not told:
        return Vantage(name=name, last=None, reason=None, state=State.SILENT)
    newest = max(told, key=lambda each: int(each["body"]["from"]))
    probe = Probe.of(newest)
    state = State.SERVED if probe.ok else State.FAILED
    if probe.end < now - _LATE_ROUNDS * ROUND_MS:
        state = State.SILENT
    return Vantage(name=name, last=probe, reason=newest["body"]["reason"], state=state)


def _strip(by_vantage: Sequence[Sequence[Probe]], found: Sequence[Outage], now: int) -> tuple[Cell, ...]:
    width = DAY_MS // CELLS
    served = {(each.start - now + DAY_MS) // width for probes in by_vantage for each in probes if each.ok}
    failed = [each for probes in by_vantage for each in failures(probes)]
    cells = []
    for number in range(CELLS):
        start = now - DAY_MS + number * width
        state = State.SERVED if number in served else State.SILENT
        if any(each.inside(start, start + width) for each in failed):
            state = State.FAILED
        if any(each.inside(start, start + width) for each in found):
            state = State.OUTAGE
        cells.append(Cell(start=start, state=state))
    return tuple(cells)
