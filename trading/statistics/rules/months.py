"""Months in the time of China, half-open: every instant is in exactly one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from trading.kernel.calendar import CHINA
from trading.opendata.rules.periods import GRACE_MS
from trading.statistics.rules.indicators import DAY_MS

_NAME: Final = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])\Z")
_MONTHS: Final = 12
_FIRST_YEAR, _LAST_YEAR = 1970, 9998  # of instants in ms that this calendar can tell


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A month of a year; ``start`` belongs to it, ``end`` does not (ms)."""

    year: int
    number: int

    @property
    def name(self) -> str:
        """Return its name: ``2026-11``."""
        return f"{self.year:04}-{self.number:02}"

    @property
    def start(self) -> int:
        """Return its first instant, ms."""
        return int(datetime(self.year, self.number, 1, tzinfo=CHINA).timestamp()) * 1000

    @property
    def end(self) -> int:
        """Return the first instant after it, ms."""
        return self.next.start

    @property
    def read_until(self) -> int:
        """Return until when releases are read (exclusive, ms): an act of midnight is published a moment later."""
        return self.end + DAY_MS

    @property
    def next(self) -> Month:
        """Return the month after it."""
        return self.plus(1)

    def plus(self, months: int) -> Month:
        """Return the month so many months later, or earlier."""
        year, rest = divmod(self.year * _MONTHS + self.number - 1 + months, _MONTHS)
        return Month(year, rest + 1)

    def is_over(self, now: int) -> bool:
        """Whether its bulletin can be made at ``now`` (ms): all that it reads has been released."""
        return now >= self.read_until + GRACE_MS


def month_at(at: int) -> Month:
    """Return the month of an instant (ms)."""
    day = datetime.fromtimestamp(at // 1000, CHINA)
    return Month(day.year, day.month)


def month_named(name: str) -> Month | None:
    """Return the month of a name such as ``2026-11``; None if it is none that this calendar has."""
    found = _NAME.match(name)
    year = int(found[1]) if found else 0
    return Month(year, int(found[2])) if found and _FIRST_YEAR <= year <= _LAST_YEAR else None
