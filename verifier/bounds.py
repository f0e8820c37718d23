"""Time bounds from witnesses and the verdict on a bid's timeliness (TE1 T7)."""

from __future__ import annotations

from collections.abc import Iterable

from verifier.policy import SignedCheckpoint

DRAIN_MS = 5000
TOLERANCE_MS = DRAIN_MS + 2000
HALF_HOUR_MS = 1_800_000

NOT_A_BID = "not a bid"
PROVEN_ON_TIME = "PROVEN_ON_TIME"
ON_TIME_BY_ORDER = "ON_TIME_BY_ORDER"
QUESTIONABLE = "QUESTIONABLE"


def upper_ms(n: int, notes: Iterable[SignedCheckpoint]) -> int | None:
    """Return the instant (ms) by which entry ``n`` existed; ``None`` is infinity."""
    times = [1000 * note.t_up + 999 for note in notes if note.t_up is not None and note.checkpoint.size > n]
    return min(times) if times else None


def lower_ms(n: int, notes: Iterable[SignedCheckpoint]) -> int:
    """Return the instant (ms) at which nobody honest had been shown entry ``n``; 0 if no checkpoint says so."""
    times = [1000 * note.t_low for note in notes if note.t_low is not None and note.checkpoint.size <= n]
    return max(times) if times else 0


def time_verdict(
    n: int, n_close: int, close: int, upper: int | None, lower: int, intake_upper: int | None = None
) -> str:
    """Return the verdict of T7 for a bid at index ``n``; all instants in ms, boundaries exclusive of ``close``."""
    if n > n_close:
        return NOT_A_BID
    if (upper is not None and upper < close) or (intake_upper is not None and intake_upper < close):
        return PROVEN_ON_TIME
    return ON_TIME_BY_ORDER if lower <= close + TOLERANCE_MS else QUESTIONABLE
