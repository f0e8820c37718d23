"""Where a lot stands and what comes next, computed from facts and one instant; never stored (style 9.6).

Nothing here depends on bids before the opening order exists, so that a page cannot tell how many came (NOT-36).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class LotState(StrEnum):
    """What the status banner says, in the order of the trade."""

    OPEN = "open"  # bids may be submitted
    CLOSING = "closing"  # the deadline has passed, the close is not written yet
    CLOSED = "closed"  # closed; the opening order is being signed
    OPENING = "opening"  # the ceremony is going on
    OPENED = "opened"  # all bids read out, evaluation
    RANKED = "ranked"
    AWARDED = "awarded"  # award determined, notice to follow
    PUBLISHED = "published"  # result notice published, contract to be signed
    CONTRACTED = "contracted"  # contract signed
    FAILED = "failed"
    CANCELLED = "cancelled"


class Stage(StrEnum):
    """The coarse stages that people search by."""

    OPEN = "open"
    OPENING = "opening"
    RESULT = "result"
    ENDED = "ended"


STAGE_OF: Final[Mapping[LotState, Stage]] = {
    LotState.OPEN: Stage.OPEN,
    LotState.CLOSING: Stage.OPENING,
    LotState.CLOSED: Stage.OPENING,
    LotState.OPENING: Stage.OPENING,
    LotState.OPENED: Stage.OPENING,
    LotState.RANKED: Stage.OPENING,
    LotState.AWARDED: Stage.RESULT,
    LotState.PUBLISHED: Stage.RESULT,
    LotState.CONTRACTED: Stage.RESULT,
    LotState.FAILED: Stage.ENDED,
    LotState.CANCELLED: Stage.ENDED,
}


# What the stored phase of a lot says; an open lot needs the instant too (below).
_BY_PHASE: Final[Mapping[str, LotState]] = {
    "closed": LotState.CLOSED,
    "opening": LotState.OPENING,
    "opened": LotState.OPENED,
    "evaluated": LotState.RANKED,
    "determined": LotState.AWARDED,
    "concluded": LotState.PUBLISHED,
    "contracted": LotState.CONTRACTED,
    "contract_published": LotState.CONTRACTED,
    "failed": LotState.FAILED,
    "cancelled": LotState.CANCELLED,
}


def lot_state(phase: str, close_at: int | None, now: int) -> LotState:
    """Return where a published lot stands at ``now`` (ms). Bids are in time strictly before ``close_at`` (TE1 T1)."""
    if phase in _BY_PHASE:
        return _BY_PHASE[phase]
    return LotState.OPEN if close_at is None or now < close_at else LotState.CLOSING


class Mark(StrEnum):
    """How a step of the timeline stands."""

    DONE = "done"
    NOW = "now"
    NEXT = "next"
    STOPPED = "stopped"  # will not happen: the lot ended before it


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of the timeline. ``at`` in ms: when it happened, or when it is due; ``h`` is its record's commitment."""

    name: str
    mark: Mark
    at: int | None
    h: str | None
    rules: tuple[str, ...]


# Step, the record kind that completes it, and the rules it stands on. The order is the order of the trade.
STEPS: Final[tuple[tuple[str, str, tuple[str, ...]], ...]] = (
    ("notice", "tender.published", ("NOT-04", "DOC-04")),
    ("deadline", "tender.closed", ("SUB-01", "SUB-07")),
    ("opening", "opening.completed", ("OPN-01", "OPN-04")),
    ("ranking", "bids.ranked", ("MET-01", "EVL-02")),
    ("award", "award.determined", ("AWD-09",)),
    ("result", "result.published", ("NOT-09", "AWD-11")),
    ("contract", "contract.signed", ("CON-01", "CON-02")),
)
# How many steps are complete in each state; the next one is going on.
_COMPLETE: Final[Mapping[LotState, int]] = {
    LotState.OPEN: 1,
    LotState.CLOSING: 1,
    LotState.CLOSED: 2,
    LotState.OPENING: 2,
    LotState.OPENED: 3,
    LotState.RANKED: 4,
    LotState.AWARDED: 5,
    LotState.PUBLISHED: 6,
    LotState.CONTRACTED: 7,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """A logged record as the timeline sees it: kind, instant of the act in ms, commitment in hex."""

    kind: str
    at: int
    h: str


def timeline(state: LotState, close_at: int | None, records: Iterable[Happened]) -> tuple[Step, ...]:
    """Return the seven steps of a lot. The deadline's instant is the deadline itself, not when it was written."""
    newest = {record.kind: record for record in records}
    complete = _COMPLETE.get(state)
    if complete is None:  # ended early: what is recorded is done, the rest will not happen
        complete = sum(1 for _name, kind, _rules in STEPS if kind in newest)
    ended = state in {LotState.FAILED, LotState.CANCELLED}
    steps = []
    for place, (name, kind, rules) in enumerate(STEPS):
        record = newest.get(kind)
        at = close_at if name == "deadline" else record.at if record is not None else None
        mark = _mark(place, complete, ended=ended)
        steps.append(Step(name=name, mark=mark, at=at, h=record.h if record is not None else None, rules=rules))
    return tuple(steps)


def _mark(place: int, complete: int, *, ended: bool) -> Mark:
    if place < complete:
        return Mark.DONE
    if ended:
        return Mark.STOPPED
    return Mark.NOW if place == complete else Mark.NEXT
