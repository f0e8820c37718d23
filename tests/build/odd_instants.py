"""One instant in the many ways in which it can be written, texts that name none, and zones that move their clocks."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from random import Random  # noqa: TID251 - a seeded generator of test data
from typing import Final

#: Zones by their rule as POSIX writes it, for a host may lack the zone database.
ZONES: Final = {
    "America/New_York": "EST5EDT,M3.2.0,M11.1.0",
    "Australia/Lord_Howe": "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
    "Asia/Kathmandu": "<+0545>-5:45",
    "UTC": "UTC0",
}
MINUTE_MS: Final = 60_000
DAY_MS: Final = 86_400_000
_MINUTES: Final = (0, 345, -210, 840, -720, 330, 765, -570, 630, 480, -300, 660)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

#: Texts that name no single instant, by the code that says why; read without a zone.
NO_INSTANT: Final = {
    "instant.leap_second": ("2026-06-30T23:59:60Z", "2026-07-01T05:44:60+05:45", "2026-06-30T23:59:60.999Z"),
    "instant.too_fine": ("2026-05-12T09:30:00.0001Z", "2026-05-12T09:30:00,999999999-03:30"),
    "instant.no_offset": ("2026-05-12T09:30", "2026-05-12 24:00", "2026-05-12T09:30:00.5"),
    "instant.malformed": (
        *("", "soon", "2026-05-12", "09:30Z", "2026-05-12T09Z", "2026-5-12T09:30Z"),
        *(
            "2026-02-29T09:30Z",
            "2026-13-01T09:30Z",
            "2026-05-12T25:00Z",
            "2026-05-12T24:01Z",
            "2026-05-12T24:00:00.001Z",
        ),
        *("2026-05-12T09:60Z", "2026-05-12T09:30:61Z", "2026-05-12T09:30:00.Z", "2026-05-12T09:30:00.0000000000Z"),
        *("2026-05-12T09:30+5:45", "2026-05-12T09:30+0545", "2026-05-12T09:30+24:00", "2026-05-12T09:30+05:60"),
        *("2026-05-12T09:30 CST", "2026-05-12T09:30ZZ", "2026-W20-2T09:30Z", "2026-05-12T0930Z", "9999-12-31T24:00Z"),
        *(
            "2026-05-12T09:30+05:45[Asia/Kathmandu]",
            "２０２６-05-12T09:30Z",
            "2026-05-12T09:30−03:30",
            "-2026-05-12T09:30Z",
        ),
    ),
}


def written(instant_ms: int, random: Random) -> str:
    """Return an instant with an offset, a fraction and signs by chance."""
    minutes = random.choice(_MINUTES)
    at = _EPOCH + timedelta(milliseconds=instant_ms + minutes * MINUTE_MS)
    is_midnight = (at.hour, at.minute, at.second, at.microsecond) == (0, 0, 0, 0)
    if is_midnight and random.random() < 0.5:
        day, clock = (at - timedelta(days=1)).date(), "24:00" + random.choice(("", ":00", ":00.000"))
    else:
        day, clock = at.date(), at.strftime("%H:%M") + _seconds(at, random)
    return f"{day.isoformat()}{random.choice('Tt ')}{clock}{_offset(minutes, random)}"


def _seconds(at: datetime, random: Random) -> str:
    """Return seconds and fraction, as short as may be or longer: up to nine digits, of which those past ms are 0."""
    fraction = f"{at.microsecond:06d}000".rstrip("0")
    if not at.second and not fraction and random.random() < 0.3:
        return ""
    digits = random.randint(max(len(fraction), 0), 9)
    return f":{at.second:02d}" + (random.choice(".,") + fraction.ljust(digits, "0") if digits else "")


def _offset(minutes: int, random: Random) -> str:
    if minutes == 0:
        return random.choice(("Z", "z", "+00:00", "-00:00"))
    return f"{'+' if minutes > 0 else '-'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


@contextmanager
def process_in(zone: str) -> Iterator[None]:
    """Let this process live in a zone, as ``TZ`` tells it to."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = ZONES[zone]
    time.tzset()
    try:
        yield
    finally:
        os.environ.pop("TZ")
        if before is not None:
            os.environ["TZ"] = before
        time.tzset()


def clock_changes(after_ms: int, days: int) -> list[int]:
    """Return the instants (ms) at which the clocks of the process's zone are moved, in so many days."""
    first = after_ms // 1000 // 1800 * 1800
    steps = range(first, first + days * DAY_MS // 1000, 1800)
    offsets = [time.localtime(second).tm_gmtoff for second in steps]
    pairs = zip(steps[1:], offsets, offsets[1:], strict=False)
    return [second * 1000 for second, before, then in pairs if before != then]
