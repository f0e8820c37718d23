"""Instants that people and other systems write as text: ISO 8601 with an offset, or the local time of a zone (TE1 T1).

A text is taken only if it names exactly one millisecond. What names none or two is refused and never rounded: a leap
second, which the platform's time does not count; finer than a millisecond; a local time that a change of the clocks
skips or repeats; a local time where no zone is agreed. 24:00 is the end of its day (TIM-04). Process and database may
run in any zone: nothing here asks for it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final

from trading.kernel.errors import InvalidInput

_FORM: Final = re.compile(
    r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ](?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})"
    r"(?::(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]{1,9}))?)?"
    r"(?P<offset>[Zz]|[+-][0-9]{2}:[0-9]{2})?",
    re.ASCII,
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_LEAP_SECOND: Final = 60
_END_OF_DAY: Final = 24
_HOUR: Final = 60


def parse_instant(text: str, zone: tzinfo | None = None) -> int:
    """Return the instant (ms) that a text names.

    Args:
        text: ``2026-05-12T09:30``, with seconds and up to nine digits of a fraction if need be, then ``Z`` or an offset
            such as ``+05:45``.
        zone: Zone of a time without an offset; None: it must have one.

    Raises:
        InvalidInput: ``instant.malformed``, ``instant.leap_second``, ``instant.too_fine``, ``instant.no_offset``,
            ``instant.skipped`` or ``instant.repeated``.
    """
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise InvalidInput("instant.malformed", text)
    local, milliseconds = _local(found), _milliseconds(found["fraction"] or "")
    if found["offset"] is not None:
        moment = local.replace(tzinfo=_offset(found["offset"]))
    elif zone is not None:
        moment = _of_zone(local, zone)
    else:
        raise InvalidInput("instant.no_offset", text)
    return (moment - _EPOCH) // _MILLISECOND + milliseconds


def _local(found: re.Match[str]) -> datetime:
    """Return the time as written, to the second, without any zone."""
    hour, minute, second = (int(found[name] or 0) for name in ("hour", "minute", "second"))
    if second == _LEAP_SECOND:
        raise InvalidInput("instant.leap_second", found[0])
    ends_day = hour == _END_OF_DAY and minute == second == 0 and not int(found["fraction"] or 0)
    try:
        day = datetime.fromisoformat(found["day"])
        return day + timedelta(days=1) if ends_day else day.replace(hour=hour, minute=minute, second=second)
    except (ValueError, OverflowError) as error:
        raise InvalidInput("instant.malformed", found[0]) from error


def _milliseconds(fraction: str) -> int:
    digits = fraction.ljust(9, "0")
    if int(digits[3:]):
        raise InvalidInput("instant.too_fine", fraction)
    return int(digits[:3])


def _offset(text: str) -> tzinfo:
    if text in {"Z", "z"}:
        return UTC
    hours, minutes = int(text[1:3]), int(text[4:])
    if hours >= _END_OF_DAY or minutes >= _HOUR:
        raise InvalidInput("instant.malformed", text)
    return timezone((1 if text[0] == "+" else -1) * timedelta(hours=hours, minutes=minutes))


def _of_zone(local: datetime, zone: tzinfo) -> datetime:
    """Return the one moment at which the clocks of ``zone`` show a time."""
    try:
        moments = {local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
        shown = [moment for moment in moments if moment.astimezone(zone).replace(tzinfo=None, fold=0) == local]
    except OverflowError as error:  # at the ends of the calendar
        raise InvalidInput("instant.malformed", local.isoformat()) from error
    if len(shown) != 1:
        raise InvalidInput("instant.repeated" if shown else "instant.skipped", local.isoformat())
    return shown[0]
