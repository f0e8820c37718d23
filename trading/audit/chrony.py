"""What chrony says of this host's clock: the body of a ``clock.state`` (TE1 T3). The program is asked, not linked."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from typing import Any, Final

_TIMEOUT_S: Final = 10.0
_LEAPS: Final = {
    "Normal": "normal",
    "Insert second": "insert",
    "Delete second": "delete",
    "Not synchronised": "unsynchronised",
}
# Fields of the machine-readable forms, counted from 0.
_STRATUM, _OFFSET, _DELAY, _DISPERSION, _LEAP, _TRACKING = 2, 4, 10, 11, 13, 14
_NAME, _REACH, _SOURCE_OFFSET, _SOURCE = 2, 5, 7, 10


class ChronyUnavailable(Exception):
    """chrony does not run here, or says what nobody understands; the text tells which."""


def ask(command: Sequence[str] = ("chronyc",)) -> dict[str, Any]:
    """Return what ``chronyc`` tells now.

    Args:
        command: The program with the words that say where its daemon listens.

    Raises:
        ChronyUnavailable: There is no answer.
    """
    return body_of(_say(command, "tracking"), _say(command, "sources"))


def _say(command: Sequence[str], word: str) -> str:
    words = [*command, "-n", "-c", word]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)  # noqa: S603 - from the command line of the operator
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ChronyUnavailable(str(error)) from error
    if done.returncode != 0:
        raise ChronyUnavailable((done.stdout or done.stderr).strip() or f"exit {done.returncode}")
    return done.stdout


def body_of(tracking: str, sources: str) -> dict[str, Any]:
    """Return the body of a ``clock.state``, without its host.

    Half the delay to the reference belongs to what may be wrong, as RFC 5905 reckons a root distance.

    Raises:
        ChronyUnavailable: The answer has another form.
    """
    try:
        fields = tracking.strip().split(",")
        if len(fields) != _TRACKING or fields[_LEAP] not in _LEAPS:
            raise ValueError(tracking)
        leap = _LEAPS[fields[_LEAP]]
        return {
            "dispersion_us": _micros(float(fields[_DISPERSION]) + float(fields[_DELAY]) / 2),
            "leap": leap,
            "offset_us": _micros(float(fields[_OFFSET])),
            "sources": sorted((_source(line) for line in sources.splitlines()), key=lambda each: str(each["name"])),
            "stratum": int(fields[_STRATUM]),
            "synchronised": leap != "unsynchronised",
        }
    except (ValueError, IndexError, OverflowError) as error:
        raise ChronyUnavailable(f"an answer of another form: {error}") from error


def _source(line: str) -> dict[str, Any]:
    fields = line.split(",")
    if len(fields) != _SOURCE:
        raise ValueError(line)
    return {"name": fields[_NAME], "offset_us": _micros(float(fields[_SOURCE_OFFSET])), "reach": int(fields[_REACH], 8)}


def _micros(seconds: float) -> int:
    return round(seconds * 1_000_000)
