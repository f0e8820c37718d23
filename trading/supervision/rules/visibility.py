"""Which records of a procedure somebody who watches it may read now (security 9.2, 9.5; NOT-36).

While a lot is sealed nothing is told that a bid could have caused, not even that it exists; a kind that this table does
not know waits like a bid. With the order the acts of the ceremony may be told, and everything else when every lot has
ended its opening. What a single bid did before its opening is told to nobody here: the auditor's bundle has it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

#: Kinds that say nothing about bids and are public, or say that the agency has work to do.
AT_ONCE: Final = frozenset({
    "answer.drafted", "answer.published", "closing.blocked", "closing.confirmed", "lot.failed", "opening.refused",
    "policy.fixed", "procedure.cancelled", "question.asked", "tender.changed", "tender.published",
})  # fmt: skip
#: Acts of the ceremony of one lot, from its first order on.
OF_CEREMONY: Final = frozenset({
    "factor.closed", "factor.opened", "objection.decided", "objection.raised", "open.ordered", "opening.answered",
    "opening.combined", "opening.completed", "opening.objected", "release.closed", "share.adjudicated",
    "share.checked", "share.released", "tender.closed",
})  # fmt: skip
#: What happens to one bid before or beside the read-out; never told in a list. So is every kind that begins with these.
OF_BIDS: Final = frozenset({
    "factor.refused", "factor.revealed", "rehearsal.checked", "release.gaps", "rescue.accepted",
})  # fmt: skip
OF_BID: Final = "bid."
#: What the platform writes by the clock: too much of it for a list that people read.
PERIODIC: Final = frozenset({"availability.state", "clock.state", "deadline.reached", "log.pad", "tst.anchored"})


class Secrecy(StrEnum):
    """How far the sealed stage of a procedure has come."""

    SEALED = "sealed"  # no lot has been ordered to open
    OPENING = "opening"  # some lot has; others may still be sealed, or a ceremony goes on
    OVER = "over"  # every lot was opened, failed or was cancelled


@dataclass(frozen=True, slots=True, kw_only=True)
class LotSecrecy:
    """What is recorded of one lot: its phase, and the step of its ceremony (None before the first order)."""

    number: str
    phase: str
    step: str | None

    @property
    def ordered(self) -> bool:
        """Whether the list of its bids is public."""
        return self.step is not None

    @property
    def over(self) -> bool:
        """Whether nothing of it is sealed any more, or ever will be opened."""
        return self.step == "completed" or self.phase in {"failed", "cancelled"}


def secrecy(lots: Collection[LotSecrecy]) -> Secrecy:
    """Return how far a procedure has come; one without lots is sealed."""
    if lots and all(lot.over for lot in lots):
        return Secrecy.OVER
    return Secrecy.OPENING if any(lot.ordered for lot in lots) else Secrecy.SEALED


def may_tell(kind: str, lot: str | None, lots: Collection[LotSecrecy]) -> bool:
    """Whether a record of ``kind`` about ``lot`` may be told."""
    if kind in AT_ONCE:
        return True
    if kind in OF_BIDS or kind.startswith(OF_BID):
        return False
    if kind in OF_CEREMONY:
        return any(each.ordered and each.number == lot for each in lots)
    return secrecy(lots) is Secrecy.OVER
