"""Cover: pads at random moments, so that the public head grows at a constant rate whatever happens (AL1 L6).

Counting entries around a deadline would tell how many bids came (招标投标法 art. 22). Each window of time has a fixed
number of slots at random moments. An entry that is no pad of a slot earns a credit; a slot takes one away, or asks for
a pad if there is none. So the size of the log less the credit is the number of slots that have passed, and at the end
of every window the log has grown far enough for the public head to move by exactly that number.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from trading.kernel.canonical import dumps, loads_object

_NOISE_S: Final = 30.0  # mean seconds between two lots of noise
_NOISE_MOST: Final = 4  # pads of one lot, at most
#: After the end of a window, until the public head moves: the last pads are logged by then, so that it moves on time.
SETTLE_S: Final = 0.5

#: Returns a number from 0 to below 1 that nobody can foresee.
Chance = Callable[[], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """The public head moves by ``quantum`` entries at the end of every ``window_s`` seconds (defaults of L6)."""

    quantum: int = 64
    window_s: float = 60.0

    @property
    def per_hour(self) -> float:
        """Return how many slots an hour has."""
        return self.quantum * 3600 / self.window_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """From which size on the public head has grown at which rate."""

    first: int
    quantum: int
    window_ms: int

    def holds(self, rate: Rate) -> bool:
        """Whether this is the phase of ``rate``."""
        return (self.quantum, self.window_ms) == (rate.quantum, round(rate.window_s * 1000))


@dataclass(frozen=True, slots=True)
class Growth:
    """How the public head has grown since the log began: told to everybody, kept beside the head."""

    phases: tuple[Phase, ...] = ()

    @classmethod
    def of(cls, data: bytes | None) -> Growth:
        """Return what the file says; nothing has been said before there is one."""
        told = () if data is None else loads_object(data)["phases"]
        return cls(tuple(Phase(first=each["from"], **{k: each[k] for k in ("quantum", "window_ms")}) for each in told))

    def document(self) -> bytes:
        """Return the bytes of the file."""
        phases = [{"from": each.first, "quantum": each.quantum, "window_ms": each.window_ms} for each in self.phases]
        return dumps({"phases": phases})

    def changed(self, rate: Rate, public: int) -> Growth:
        """Return the same, grown at ``rate`` from the size ``public`` on."""
        if self.phases and self.phases[-1].holds(rate):
            return self
        kept = tuple(each for each in self.phases if each.first < public)
        return Growth((*kept, Phase(first=public, quantum=rate.quantum, window_ms=round(rate.window_s * 1000))))

    def around(self, n: int) -> tuple[int, int]:
        """Return the last size without entry ``n`` and the first with it at which the public head stands; (0, 0) never.

        A new rate begins at such a size, so the two are of one phase.
        """
        phase = next((each for each in reversed(self.phases) if each.first <= n), None)
        if phase is None:
            return 0, 0
        lower = n - (n - phase.first) % phase.quantum
        return lower, lower + phase.quantum

    def stood_at(self, size: int) -> bool:
        """Whether the public head stood, or will stand, at ``size``; every other size tells of the working head."""
        phase = next((each for each in reversed(self.phases) if each.first < size), None)
        return phase is not None and (size - phase.first) % phase.quantum == 0


class Cover:
    """What is due when; every time is in seconds of one monotonic clock, which runs only while the sequencer does."""

    def __init__(self, rate: Rate, *, size: int, public: int, now: float, chance: Chance) -> None:
        """Begin a window.

        Args:
            rate: How the public head grows.
            size: Entries of the log.
            public: Entries below the public head.
            now: Seconds.
            chance: Where the moments of slots come from.
        """
        self.rate = rate
        self.public = public
        self._credit = size - public
        self._chance = chance
        self._ended: list[float] = []
        self._begin(now)
        self._noise_at = now + self._pause()

    @property
    def credit(self) -> int:
        """Return how many entries wait for the public head, beyond what the present window promises."""
        return self._credit

    def _begin(self, start: float) -> None:
        window = self.rate.window_s
        self._end = start + window
        self._slots = sorted((start + window * self._chance() for _ in range(self.rate.quantum)), reverse=True)

    def _pause(self) -> float:
        return -_NOISE_S * math.log(1.0 - self._chance())

    def logged(self, entries: int) -> None:
        """Take note of entries that are in the log now and are no pads of slots."""
        self._credit += entries

    def pads(self, now: float) -> int:
        """Pass every slot that is due; return how many of them need a pad."""
        count = 0
        while True:
            while self._slots and self._slots[-1] <= now:
                self._slots.pop()
                if self._credit > 0:
                    self._credit -= 1
                else:
                    count += 1
            if now < self._end:
                return count
            self._ended.append(self._end)
            self._begin(self._end)

    def noise(self, now: float) -> int:
        """Return how many pads of noise are due: they count as entries, and blur what receipts tell by their sizes."""
        if now < self._noise_at:
            return 0
        self._noise_at = now + self._pause()
        return 1 + int(_NOISE_MOST * self._chance())

    def boundary(self, now: float, size: int) -> int | None:
        """Return the size to which the public head moves now, if a window is over; ask again until None."""
        following = self.public + self.rate.quantum
        if not self._ended or now < self._ended[0] + SETTLE_S or size < following:
            return None
        self._ended.pop(0)
        self.public = following
        return following

    def boundaries(self, old: int, new: int) -> range:
        """Return the sizes above ``old`` and up to ``new`` at which the public head will stand one day."""
        quantum, phase = self.rate.quantum, self.public % self.rate.quantum
        first = old + 1 + (phase - old - 1) % quantum
        return range(first, new + 1, quantum)
