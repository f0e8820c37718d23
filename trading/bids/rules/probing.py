"""What the synthetic bidders tell, and in which order (TE1 T6, ADR 0054). Instants are ms.

Each vantage point tells its rounds in order, once: what it told cannot be told anew, nor can anything be put between.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from trading.bids.rules.outages import Probe, failures
from trading.kernel.errors import InvalidInput, RuleBroken

ROUND_MS: Final = 30_000  # within which a LOGGED receipt is expected; also the pause between two rounds (T6)
LONGEST_MS: Final = 60_000  # of a told round: the last answer may take a while to be given up
AHEAD_MS: Final = 2_000  # by which the clock of a vantage point may be ahead
MOST_ROUNDS: Final = 500  # told at once, four hours of silence
PATIENCE_MS: Final = 3_600_000  # after the deadline; then agency and supervisor decide (T5)
LONGEST_REASON: Final = 64
_FIELDS: Final = frozenset({"from", "ms", "ok", "reason"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One round: when it began, how long it took, whether a bidder would have been served, and if not, why."""

    start: int
    ms: int
    ok: bool
    reason: str | None

    @property
    def end(self) -> int:
        """Return when it was known how the round ended."""
        return self.start + self.ms

    def to_json(self) -> dict[str, Any]:
        """Return it as it is told and recorded, without the vantage point."""
        return {"from": self.start, "ms": self.ms, "ok": self.ok, "reason": self.reason}


def parse_rounds(value: Sequence[Any]) -> list[Round]:
    """Read what a vantage point tells, oldest first.

    Raises:
        InvalidInput: ``probe.malformed``.
    """
    if len(value) > MOST_ROUNDS:
        raise InvalidInput("probe.malformed", f"more than {MOST_ROUNDS} rounds")
    return sorted((_parse(each) for each in value), key=lambda each: each.start)


def _parse(value: object) -> Round:
    if not isinstance(value, Mapping) or set(value) != _FIELDS:
        raise InvalidInput("probe.malformed", "a round has from, ms, ok and reason")
    start, ms, ok, reason = value["from"], value["ms"], value["ok"], value["reason"]
    if not _is_count(start) or not _is_count(ms) or ms > LONGEST_MS:
        raise InvalidInput("probe.malformed", f"from and ms are counts of ms, ms at most {LONGEST_MS}")
    if not isinstance(ok, bool) or ok != (reason is None):
        raise InvalidInput("probe.malformed", "a reason stands exactly beside a failure")
    if reason is not None and not (isinstance(reason, str) and 0 < len(reason) <= LONGEST_REASON and reason.isascii()):
        raise InvalidInput("probe.malformed", f"a reason is a code of at most {LONGEST_REASON} characters")
    return Round(start=start, ms=ms, ok=ok, reason=reason)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def not_told(rounds: Iterable[Round], told_until: int, at: int) -> list[Round]:
    """Return the rounds that are still to be recorded: those that began when everything told before had ended.

    Args:
        rounds: Oldest first.
        told_until: End of the last recorded round of this vantage point; 0 before the first.
        at: Now.

    Raises:
        RuleBroken: ``probe.ahead``: a round ended later than now, so nobody can know how.
    """
    found = []
    for each in rounds:
        if each.end > at + AHEAD_MS:
            raise RuleBroken("probe.ahead", "TE1 T6", at=at, end=each.end)
        if each.start >= told_until:
            found.append(each)
            told_until = each.end
    return found


def recovers(probes: Iterable[Probe], told: Iterable[str]) -> bool:
    """Return whether one of the records ``told`` (hex) ends a failure of their vantage point (T6: "at each recovery").

    Args:
        probes: Those of one vantage point, what was told included.
        told: Commitments of what was told just now.
    """
    fresh = frozenset(told)
    return any(each.last is not None and each.evidence[-1] in fresh for each in failures(probes))
