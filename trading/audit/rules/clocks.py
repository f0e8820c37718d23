"""The health of a clock, and when it was on hold (TE1 T3). Instants are ms, offsets and dispersions µs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

DATABASE_HOST: Final = "database"  # whose clock decides (TE1 T1)
HOSTS: Final = (DATABASE_HOST, "sequencer")

MAX_AGE_MS: Final = 120_000
MAX_ERROR_US: Final = 500_000
BEFORE_CLOSE_MS: Final = 120_000  # a hold so short before a deadline moves it

SILENT: Final = "no clock state for 120 s"
UNSYNCHRONISED: Final = "the clock is not synchronised"
FAR: Final = "the clock may be wrong by more than 500 ms"
DISAGREE: Final = "a witness and the database clock disagree at a deadline"
#: Of the sequencer, whose host's clock went back (AL1 L5.4); a person ends this hold.
BEHIND: Final = re.compile(r"clock is ([0-9]+) ms behind the last entry")
#: Reasons of the platform itself: it ends these holds when the clock is healthy again and witnesses confirm it.
OWN_REASONS: Final = frozenset({SILENT, UNSYNCHRONISED, FAR, DISAGREE})


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockState:
    """One ``clock.state``: when it was recorded (ms), and what the host knows of its clock (µs)."""

    at: int
    offset_us: int
    dispersion_us: int
    synchronised: bool

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> ClockState:
        """Return the state that a record tells."""
        body = record["body"]
        return cls(
            at=record["at"],
            offset_us=body["offset_us"],
            dispersion_us=body["dispersion_us"],
            synchronised=body["synchronised"],
        )

    @property
    def error_us(self) -> int:
        """Return how far the clock may be from UTC."""
        return abs(self.offset_us) + self.dispersion_us

    @property
    def stale_at(self) -> int:
        """Return the first instant at which this state is too old."""
        return self.at + MAX_AGE_MS + 1


def trouble(state: ClockState, now: int) -> str | None:
    """Return why the clock is not healthy at ``now``; None if it is."""
    if now >= state.stale_at:
        return SILENT
    if not state.synchronised:
        return UNSYNCHRONISED
    return FAR if state.error_us > MAX_ERROR_US else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """One hold of a host: from ``first`` to ``last``, both included; ``last`` is None while it goes on.

    ``evidence`` are the commitments (hex) of the records that began and ended it.
    """

    host: str
    first: int
    last: int | None
    evidence: tuple[str, ...] = ()

    def touches(self, first: int, last: int) -> bool:
        """Whether the hold and the instants from ``first`` to ``last`` have one in common."""
        return self.first <= last and (self.last is None or self.last >= first)


def holds(records: Iterable[Mapping[str, Any]]) -> list[Hold]:
    """Return the holds that ``clock.hold`` and ``clock.released`` tell (each with its ``h``), by their ends.

    The clock may have been set back meanwhile: a hold lies between the two instants in either order. A second hold of
    a host that is held already prolongs the first.
    """
    begun: dict[str, Mapping[str, Any]] = {}
    found: list[Hold] = []
    for record in records:
        host = record["body"]["host"]
        if record["kind"] == "clock.hold":
            begun.setdefault(host, record)
        elif host in begun:
            start = begun.pop(host)
            first, last = sorted((start["at"], record["at"]))
            found.append(Hold(host=host, first=first, last=last, evidence=(start["h"], record["h"])))
    return found + [
        Hold(host=host, first=record["at"], last=None, evidence=(record["h"],)) for host, record in begun.items()
    ]
