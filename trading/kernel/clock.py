"""The only source of "now" outside the database. Deciding instants come from ``log.platform_time()`` (TE1 T1)."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class Clock(Protocol):
    """Milliseconds since 1970-01-01T00:00:00Z."""

    def now_ms(self) -> int:
        """Return the present instant."""
        ...


@dataclass(frozen=True, slots=True)
class SystemClock:
    """The host's clock."""

    def now_ms(self) -> int:
        """Return the present instant of this host."""
        return time.time_ns() // 1_000_000


@dataclass(slots=True)
class FixedClock:
    """A clock that stands still until it is moved; for tests."""

    ms: int

    def now_ms(self) -> int:
        """Return the instant it was set to."""
        return self.ms


@dataclass(frozen=True, slots=True)
class ShiftedClock:
    """The host's clock plus the recorded shift of demo mode (P13), read from a file at every call.

    The file holds one integer, milliseconds, and is replaced atomically by the process that moves demo time on.
    """

    shift_file: Path

    def now_ms(self) -> int:
        """Return the host's instant plus the shift; no file means no shift."""
        try:
            shift = int(self.shift_file.read_text())
        except FileNotFoundError:
            shift = 0
        return time.time_ns() // 1_000_000 + shift
