"""When did an entry exist? Bounds from the signed times of witnesses, and the verdicts drawn from them (TE1 T7).

Both bounds hold if every quorum contains at least one honest witness (R9). The lower bound says "nobody honest had been
shown it", not "it did not exist".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from trading.audit.rules.note import VerifiedCheckpoint
from trading.audit.rules.policy import Policy

SECOND_MS = 1000
FLOOR_MS = 999  # cosignature times are cut down to whole seconds
TOLERANCE_MS = 2000  # added to drain (TE1 T7)


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessedTime:
    """Size of a witnessed checkpoint with ``T_up`` and ``T_low`` in seconds."""

    size: int
    t_up: int
    t_low: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """``lower_ms`` ≤ first showing, existence ≤ ``upper_ms``; ``None`` stands for infinity, 0 for no lower bound."""

    lower_ms: int
    upper_ms: int | None


class Verdict(StrEnum):
    """What the bounds say about one bid; ``QUESTIONABLE`` fails the check TE-05."""

    NOT_A_BID = "not a bid"
    PROVEN_ON_TIME = "PROVEN_ON_TIME"
    ON_TIME_BY_ORDER = "ON_TIME_BY_ORDER"
    QUESTIONABLE = "QUESTIONABLE"


class ClosingVerdict(StrEnum):
    """What the bounds say about a close entry (TE-04); only ``CONFIRMED`` passes."""

    CONFIRMED = "confirmed"
    UNCONFIRMED = "unconfirmed"
    EARLY = "early"


def witnessed_time(verified: VerifiedCheckpoint, policy: Policy) -> WitnessedTime | None:
    """Return size and times of a verified checkpoint, or ``None`` if its cosignatures do not meet the quorum."""
    t_up, t_low = policy.t_up(verified.times), policy.t_low(verified.times)
    if t_up is None or t_low is None:
        return None
    return WitnessedTime(size=verified.checkpoint.size, t_up=t_up, t_low=t_low)


def bounds(n: int, checkpoints: Iterable[WitnessedTime]) -> Bounds:
    """Return the bounds of entry ``n`` over all witnessed checkpoints at hand."""
    lower, upper = 0, None
    for checkpoint in checkpoints:
        if checkpoint.size > n:
            latest = SECOND_MS * checkpoint.t_up + FLOOR_MS
            upper = latest if upper is None else min(upper, latest)
        else:
            lower = max(lower, SECOND_MS * checkpoint.t_low)
    return Bounds(lower_ms=lower, upper_ms=upper)


def bid_verdict(
    n: int, found: Bounds, *, n_close: int, close: int, drain_ms: int, intake_upper_ms: int | None = None
) -> Verdict:
    """Return the verdict on the bid at index ``n``; the first line of TE1 T7 that matches wins.

    Args:
        n: Index of the bid's entry.
        found: Its bounds.
        n_close: Index of the close entry.
        close: The deadline, ms; strictly before it is on time.
        drain_ms: The drain time of the platform, 5 000 by default.
        intake_upper_ms: Upper bound of the supervisor's intake receipt, if there is one (SB1 S7.6).
    """
    if n > n_close:
        return Verdict.NOT_A_BID
    if any(upper is not None and upper < close for upper in (found.upper_ms, intake_upper_ms)):
        return Verdict.PROVEN_ON_TIME
    if found.lower_ms <= close + drain_ms + TOLERANCE_MS:
        return Verdict.ON_TIME_BY_ORDER
    return Verdict.QUESTIONABLE


def closing_verdict(found: Bounds, *, close: int) -> ClosingVerdict:
    """Return what the bounds of the close entry say: early is proven, or the heartbeat confirms it, or neither."""
    if found.upper_ms is not None and found.upper_ms < close:
        return ClosingVerdict.EARLY
    return ClosingVerdict.CONFIRMED if found.lower_ms >= close else ClosingVerdict.UNCONFIRMED
