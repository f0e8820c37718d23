"""The agent's whole path, and every refusal of SB1 S9.3 with the same job accepted when the one thing is right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agents.custodian import desk
from agents.custodian.admission import place_of
from agents.custodian.agent import Agent
from tests.build.ceremony import SECOND, World
from trading.crypto.keys import release_info
from trading.custody.rules.jobs import read_job
from trading.kernel.errors import InvalidInput, RuleBroken
from trading.kernel.signed import SignedDocument
from trading.openings.rules.answers import parse_release, parse_share_check
from trading.openings.rules.orders import parse_order


def ask(agent: Agent, job: bytes) -> dict[str, Any]:
    said: list[str] = []
    return desk.answer(agent, read_job(job), said.append)


def refused(agent: Agent, job: bytes) -> str:
    with pytest.raises((RuleBroken, InvalidInput)) as caught:
        ask(agent, job)
    assert isinstance(caught.value, RuleBroken | InvalidInput)
    return caught.value.code


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Published, admitted by the first agent, three bids received."""
    world = World(tmp_path).publish()
    ask(world.agents[0], world.admit_job(world.agents[0]))
    for total in (300, 100, 200):
        world.clock.ms += SECOND
        world.submit(total)
    return world


@pytest.fixture
def closed(world: World) -> World:
    world.close()
    return world


@pytest.fixture
def ordered(closed: World) -> World:
    closed.order()
    return closed


def test_the_whole_path_of_one_agent(ordered: World) -> None:
    agent = ordered.agents[0]
    check = parse_share_check(SignedDocument.from_wire(ask(agent, ordered.check_job(agent))).doc)
    assert [item.code.value for item in check.items] == ["ok"] * 3
    factors = ordered.factor_list()
    answer = SignedDocument.from_wire(ask(agent, ordered.release_job(agent, factors)))
    release = parse_release(answer.doc)
    order = parse_order(ordered.orders[0].doc)
    for item, bid in zip(release.items, order.bids, strict=True):
        assert item.ct is not None
        info = release_info(1, bytes.fromhex(order.sha256), bytes.fromhex(bid.envelope_sha256))
        assert ordered.station.open(info, item.ct)[-1] == 1
    assert answer.sigs[0]["kid"] == agent.signer.kid


def test_the_vault_and_the_state_hold_no_share_and_no_seed_in_clear(ordered: World) -> None:
    agent = ordered.agents[0]
    ask(agent, ordered.check_job(agent))
    seed = agent.share_key(place_of(read_job(ordered.check_job(agent)))).seed
    for path in agent.directory.iterdir():
        assert seed not in path.read_bytes()
        assert seed.hex().encode() not in path.read_bytes()
        assert path.stat().st_mode & 0o077 == 0
    assert agent.directory.stat().st_mode & 0o777 == 0o700
