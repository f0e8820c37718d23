"""The whole tender by hand: real servers, a real Chromium, every person at his or her own pages.

The agency's drafter and one expert use the keyboard alone; every page that is opened is looked at by axe once; people
sign with keys that their browsers made; bidders run the commands that their page shows. Members and bidders whose work
would only be the same once more act through use cases or commands. Time is moved on, never waited for.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.hands import (
    asking,
    bidding,
    checking,
    committee,
    concluding,
    drafting,
    entering,
    evaluating,
    opening,
    publishing,
)
from tests.support.hands.world import World, open_world
from trading.demo import pool
from trading.demo.people import ProgramRefused

POOL = 64  # at least thirty of each specialty, so that nobody can guess a panel
LEAST_PAGES = 55

pytestmark = pytest.mark.skipif(
    os.environ.get("MINGBIAO_CAMPAIGN") != "long", reason="takes minutes: `python3 run.py test long by_hand`"
)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(pool, "SIZE", POOL)
    with open_world() as opened:
        yield opened


def test_a_tender_lived_through_by_hand(world: World, tmp_path: Path) -> None:
    enter(world)
    publish(world)
    bid(world)
    open_bids(world)
    evaluate(world)
    conclude(world)
    check(world, tmp_path)
    assert world.looked.faults == []
    assert len(world.looked.pages) >= LEAST_PAGES


def enter(world: World) -> None:
    """Sign everybody in, draft by keyboard, enrol keys in browsers, start the custodians' programs."""
    ways = world.ways_in(*entering.AT_THE_START)
    entering.sign_in_by_keyboard(world, ways.pop("drafter"))
    drafting.draft(world)
    for way in ways.values():
        entering.sign_in(world, way)
    for login, label in entering.SIGNERS:
        entering.enrol(world, login, label)
    entering.hand_out_trust(world)
    publishing.start_custodians(world)
    committee.admit_pool(world)


def publish(world: World) -> None:
    publishing.ask_for_keys(world)
    publishing.publish(world)
    publishing.see_custodian(world)


def bid(world: World) -> None:
    asking.find(world)
    asking.ask(world)
    asking.answer(world)
    bidding.bid(world)
    bidding.keep_template(world)
    bidding.bid_too(world)


def open_bids(world: World) -> None:
    opening.close(world)
    station = opening.Station(world)
    opening.order(world, station)
    opening.confirm(world)
    opening.read_out(world, station)


def evaluate(world: World) -> None:
    """Draw the committee, seat it, examine and score; one expert by keyboard."""
    committee.plan(world)
    committee.begin(world)
    committee.sign_papers(world)
    committee.answer_calls(world)
    login = committee.take_seats(world)
    expert = evaluating.take_seat(world, login, committee.seat_code(world, login))
    evaluating.qualify(world)
    evaluating.vote(world, expert)
    evaluating.score(world, expert)
    evaluating.sign_report(world, expert)


def conclude(world: World) -> None:
    concluding.determine(world)
    concluding.publish_result(world)
    concluding.read_result(world)
    concluding.contract(world)


def check(world: World, target: Path) -> None:
    """Supervisor and auditor look; every bundle verifies, and one that was cut short does not."""
    checking.supervise(world)
    checking.verify(world)
    bundles = checking.take_bundles(world, target)
    for bundle in bundles:
        assert "PASS" in checking.verified(world, bundle)
    cut = target / "cut.zip"
    cut.write_bytes(bundles[0].read_bytes()[:-200])
    with pytest.raises(ProgramRefused):
        checking.verified(world, cut)
