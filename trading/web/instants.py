"""How instants are shown: civil time of one zone, with its name and offset beside it. Nothing is ever compared here.

Input is always ms since 1970-01-01T00:00:00Z; the database clock decided, a page only tells (TE1 T1).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from trading.kernel.calendar import CHINA

# Civil names for zones whose IANA name is not what people call their time.
ZONE_NAMES: Final = {"Asia/Shanghai": {"zh": "北京时间", "en": "Beijing time"}}
MILLISECOND: Final = timedelta(milliseconds=1)
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def local(ms: int, zone: tzinfo = CHINA) -> datetime:
    """Return the aware civil time of ``ms`` in ``zone``; integer arithmetic only."""
    return (EPOCH + ms * MILLISECOND).astimezone(zone)


def machine_text(ms: int) -> str:
    """Return RFC 3339 in UTC with milliseconds, for ``<time datetime>`` and JSON."""
    return (EPOCH + ms * MILLISECOND).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def clock_text(ms: int, zone: tzinfo = CHINA) -> str:
    """Return the time of day with milliseconds, ``12:00:00.412``: for sentences in which they decide."""
    return local(ms, zone).isoformat(timespec="milliseconds")[11:23]


def moment_text(ms: int, zone: tzinfo = CHINA) -> str:
    """Return date and time of day to the second, ``2026-05-12 09:30:00``."""
    return local(ms, zone).isoformat(sep=" ", timespec="seconds")[:19]


def zone_text(ms: int, language: str, zone: tzinfo = CHINA) -> str:
    """Return the zone's name and its offset at ``ms``: ``北京时间 UTC+8``."""
    shown = local(ms, zone)
    minutes = (shown.utcoffset() or timedelta()) // timedelta(minutes=1)
    hours, rest = divmod(abs(minutes), 60)
    offset = f"UTC{'+' if minutes >= 0 else '-'}{hours}" + (f":{rest:02d}" if rest else "")
    iana = shown.tzname() or ""
    return f"{ZONE_NAMES.get(iana, {}).get(language, iana)} {offset}"


def day_start(ms: int, zone: tzinfo = CHINA) -> int:
    """Return the instant at which the civil day of ``ms`` began in ``zone``."""
    begin = local(ms, zone).replace(hour=0, minute=0, second=0, microsecond=0)
    return (begin - EPOCH) // MILLISECOND
