"""What there is to do in the browser follows from the lot and the bidder's part in its opening (SB1 S9.5, S9.6)."""

from __future__ import annotations

import pytest

from trading.kernel.errors import NotFound, RuleBroken
from trading.notices.rules.progress import LotState
from trading.participation.rules.browser_acts import BrowserAct, browser_act


def act(state: LotState = LotState.OPENING, **known: object) -> BrowserAct:
    plain = {"stands": True, "needs_factor": True, "factor": "none", "rescue": "none"}
    return browser_act(state, **{**plain, **known})  # type: ignore[arg-type]  # the caller names what differs


def refused(**known: object) -> str:
    with pytest.raises(RuleBroken) as caught:
        act(**known)  # type: ignore[arg-type]  # as above
    return caught.value.code


def test_an_open_lot_is_sealed_in_whatever_stands() -> None:
    assert {act(LotState.OPEN, stands=stands) for stands in (True, False)} == {BrowserAct.SEAL}


def test_who_has_no_bid_finds_nothing() -> None:
    for state in LotState:
        if state is not LotState.OPEN:
            with pytest.raises(NotFound):
                act(state, stands=False)


def test_the_factor_is_asked_for_in_its_window_alone() -> None:
    assert (refused(factor="none"), act(factor="open"), refused(factor="over")) == (
        "factor.early",
        BrowserAct.REVEAL,
        "factor.over",
    )
    assert refused(state=LotState.CLOSED) == "factor.early"
    assert act(factor="revealed") is BrowserAct.NOTHING
    assert act(needs_factor=False) is BrowserAct.NOTHING


def test_a_rescue_is_offered_while_it_counts() -> None:
    for needed, factor in ((True, "revealed"), (False, "none")):
        states = ("none", "open", "accepted", "over")
        offered = [act(rescue=rescue, needs_factor=needed, factor=factor) for rescue in states]
        assert offered == [BrowserAct.NOTHING, BrowserAct.RESCUE, BrowserAct.NOTHING, BrowserAct.NOTHING]


def test_what_is_over_has_nothing_to_do() -> None:
    for state in (LotState.OPENED, LotState.PUBLISHED, LotState.FAILED, LotState.CANCELLED):
        assert act(state, factor="over", rescue="open") is BrowserAct.NOTHING
