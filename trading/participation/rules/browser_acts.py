"""What a bidder can do in the browser in a lot as it stands: seal, confirm, rescue (ux 7, SB1 S9.5, S9.6)."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from trading.kernel.errors import NotFound, RuleBroken
from trading.notices.rules.progress import LotState

_BEFORE_OPENED: Final = frozenset({LotState.CLOSING, LotState.CLOSED, LotState.OPENING})


class BrowserAct(StrEnum):
    """The page that has something to do; its template is named so."""

    SEAL = "seal"
    REVEAL = "reveal"
    RESCUE = "rescue"
    NOTHING = "nothing"


def browser_act(state: LotState, *, stands: bool, needs_factor: bool, factor: str, rescue: str) -> BrowserAct:
    """Return what there is to do now; ``NOTHING`` where the bidder has done all, or the opening is over.

    Args:
        state: Of the lot.
        stands: Whether a sealed version of this bidder stands.
        needs_factor: Whether the opening needs the bidder.
        factor: As in ``tasks.Situation``.
        rescue: ``none``, ``open``, ``accepted`` or ``over``.

    Raises:
        NotFound: Bids are not taken, and there is none to open.
        RuleBroken: ``factor.early``, ``factor.over``: the bidder comes too early, or too late, to confirm.
    """
    if state is LotState.OPEN:
        return BrowserAct.SEAL
    if not stands:
        raise NotFound("nothing to seal or to open")
    if state not in _BEFORE_OPENED:
        return BrowserAct.NOTHING
    if rescue == "open":
        return BrowserAct.RESCUE
    if not needs_factor or factor == "revealed":
        return BrowserAct.NOTHING
    if factor == "open":
        return BrowserAct.REVEAL
    raise RuleBroken("factor.over" if factor == "over" else "factor.early", "SB1 S9.5")
