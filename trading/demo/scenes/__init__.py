"""The scenes of the demonstration in their order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from trading.demo.play import Play
from trading.demo.scenes import award, bidding, committee, custodians, evaluating, opening, publishing

SCENES: Final[tuple[Callable[[Play], None], ...]] = (
    committee.admit_pool,
    custodians.start_agents,
    publishing.publish,
    bidding.bid,
    opening.close,
    opening.open_bids,
    committee.draw,
    evaluating.evaluate,
    award.award,
    award.conclude,
)


def perform(play: Play) -> None:
    """Play the whole tender; stop the custodians at the end, whatever happened."""
    try:
        for scene in SCENES:
            scene(play)
    finally:
        play.standing.stop()
