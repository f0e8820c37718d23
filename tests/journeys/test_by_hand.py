"""The whole tender by hand: real servers, a real Chromium, every person at his or her own pages."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.support.hands import asking, bidding, drafting, entering, publishing
from tests.support.hands.world import World, open_world

pytestmark = pytest.mark.skipif(
    os.environ.get("MINGBIAO_CAMPAIGN") != "long", reason="takes longer than a minute: `python3 run.py test long`"
)


@pytest.fixture
def world() -> Iterator[World]:
    with open_world() as opened:
        yield opened


def test_a_tender_lived_through_by_hand(world: World) -> None:
    ways = world.ways_in(*entering.AT_THE_START)
    entering.sign_in_by_keyboard(world, ways.pop("drafter"))
    for way in ways.values():
        entering.sign_in(world, way)
    drafting.draft(world)
    for login, label in entering.SIGNERS:
        entering.enrol(world, login, label)
    entering.hand_out_trust(world)
    publishing.start_custodians(world)
    publishing.ask_for_keys(world)
    publishing.publish(world)
    publishing.see_custodian(world)
    asking.find(world)
    asking.ask(world)
    asking.answer(world)
    bidding.bid(world)
    bidding.keep_template(world)
    bidding.bid_too(world)
    assert world.looked.faults == []
