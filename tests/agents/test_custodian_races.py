"""Two processes of one agent, asked different questions at once: one answer leaves it (SB1 S13.4)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from agents.custodian import desk
from agents.custodian.agent import Agent, open_agent
from tests.build.ceremony import SECOND, World
from trading.crypto.keys import XWingPrivateKey
from trading.custody.rules.jobs import read_job
from trading.kernel.errors import Conflict, RuleBroken
from trading.kernel.signed import SignedDocument

OTHER = XWingPrivateKey.from_seed(b"\x16" * 32)


def silent(_text: str) -> None:
    """Confirm without a word."""


@pytest.fixture
def closed(tmp_path: Path) -> World:
    """A closed lot whose policy the first agent has admitted."""
    world = World(tmp_path).publish()
    desk.answer(world.agents[0], read_job(world.admit_job(world.agents[0])), silent)
    for total in (1, 2):
        world.clock.ms += SECOND
        world.submit(total)
    world.close()
    return world


def race(world: World, jobs: list[bytes]) -> list[dict[str, Any] | Exception]:
    """Let two processes decide at the same moment: both have passed every check when the person confirms."""
    barrier = Barrier(len(jobs))

    def ask(job: bytes) -> dict[str, Any] | Exception:
        agent: Agent = open_agent(world.agents[0].directory, None, world.clock)
        confirm: Callable[[str], object] = lambda _text: barrier.wait(20)  # noqa: E731 - a value
        try:
            return desk.answer(agent, read_job(job), confirm)  # type: ignore[arg-type]  # what it returns is ignored
        except (RuleBroken, Conflict) as refused:
            return refused

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(ask, jobs))


def test_two_different_orders_at_once_get_one_answer(closed: World) -> None:
    agent = closed.agents[0]
    orders = [closed.order(record=False), closed.order(record=False, station_pk=OTHER.public.raw)]
    results = race(closed, [closed.check_job(agent, order) for order in orders])
    answered = [result for result in results if isinstance(result, dict)]
    assert len(answered) == 1
    refused = next(result for result in results if isinstance(result, Exception))
    assert getattr(refused, "code", "") == "order.equivocation"


def test_without_the_check_under_the_lock_both_would_be_answered(
    closed: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.custodian.checking.check_history", lambda _agent, _question: None)
    agent = closed.agents[0]
    orders = [closed.order(record=False), closed.order(record=False, station_pk=OTHER.public.raw)]
    results = race(closed, [closed.check_job(agent, order) for order in orders])
    assert sum(isinstance(result, dict) for result in results) == 2


def test_the_same_order_at_once_gets_one_answer(closed: World) -> None:
    agent, order = closed.agents[0], closed.order()
    results = race(closed, [closed.check_job(agent, order)] * 2)
    answered = [SignedDocument.from_wire(result) for result in results if isinstance(result, dict)]
    stored = desk.answer(agent, read_job(closed.check_job(agent, order)), silent)
    assert {signed.sha256 for signed in answered} == {SignedDocument.from_wire(stored).sha256}


def test_two_releases_for_different_stations_and_lists_at_once(closed: World) -> None:
    agent = closed.agents[0]
    closed.order()
    desk.answer(agent, read_job(closed.check_job(agent)), silent)
    first = closed.factor_list(["b-0001"])
    # The second question is right by itself: a later list for a later order; but another content than the first.
    closed.order(station_pk=OTHER.public.raw)
    second = closed.factor_list(["b-0001", "b-0002"])

    def hide(record: dict[str, Any]) -> bool:
        return bool(record["body"].get("factor_list_sha256") == second.sha256)

    one = closed.release_job(agent, first, closed.orders[0], hide=hide)
    results = race(closed, [one, closed.release_job(agent, second)])
    assert sum(isinstance(result, dict) for result in results) == 1
    refused = next(result for result in results if isinstance(result, Exception))
    assert getattr(refused, "code", "") == "order.equivocation"
