"""What several hands of one bidder and the closer did at once, and whether any order of it explains every answer.

The order must respect time: what had ended before something else began comes before it. The model is the rule in five
lines: a version is taken iff it supersedes the standing one and the lot is open; the same version again is told its
first answer; the close takes what stands. Small histories are judged by trying every order (reliability F22).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.build.dummy_envelopes import DummyVersion

ACCEPTED = "accepted"
REPEATED = "repeated"
CONFLICT = "bid.version_conflict"
LATE = "bid.late"
CLOSED = "bid.closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One act and its answer; ``version`` is None for the close, which tells the envelope it ``took``.

    ``began`` and ``ended`` are monotonic seconds of whoever asked; ``late`` is what the receipt says: captured at the
    deadline or after it.
    """

    began: float
    ended: float
    version: DummyVersion | None = None
    told: str = ""
    late: bool = False
    took: str | None = None


@dataclass(frozen=True, slots=True)
class _State:
    """What stands after some of the acts."""

    head: str | None = None
    envelope: bool = False  # what stands is one, and no withdrawal
    taken: frozenset[str] = frozenset()
    closed: bool = False


def explained(calls: Sequence[Call]) -> bool:
    """Say whether some order of the calls, lawful in time, gives exactly these answers."""
    seen: set[tuple[frozenset[int], _State]] = set()
    waiting = [(frozenset(range(len(calls))), _State())]
    while waiting:
        left, state = waiting.pop()
        if not left:
            return True
        if (left, state) in seen:
            continue
        seen.add((left, state))
        first_end = min(calls[each].ended for each in left)
        for each in left:
            if calls[each].began <= first_end:
                after = _after(state, calls[each])
                if after is not None:
                    waiting.append((left - {each}, after))
    return False


def _after(state: _State, call: Call) -> _State | None:
    """Return what stands after the call, or None if its answer is not the one of the rule."""
    if call.version is None:
        right = not state.closed and call.took == (state.head if state.envelope else None)
        return _State(state.head, state.envelope, state.taken, closed=True) if right else None
    digest = call.version.signed.sha256
    if call.told == REPEATED or digest in state.taken:
        return state if call.told == REPEATED and digest in state.taken else None
    if state.closed or call.late:
        return state if (call.told == LATE and call.late) or (call.told == CLOSED and state.closed) else None
    if call.version.supersedes != state.head:
        return state if call.told == CONFLICT else None
    if call.told != ACCEPTED:
        return None
    return _State(digest, call.version.kind == "envelope", state.taken | {digest})
