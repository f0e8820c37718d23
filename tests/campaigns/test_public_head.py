"""The public head tells nothing: the same sizes at the same moments with no sealed bid and with fifty (AL1 L6, G4)."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.support.databases import Server, clone
from tests.support.kills import Draws
from tests.support.logs import FAST, LogWorld
from trading.audit.ledger import Ledger
from trading.audit.model import EVENTS
from trading.audit.rules.cover import Rate
from trading.audit.rules.note import parse_checkpoint_text, parse_note
from trading.kernel.events import Event, Registry
from trading.kernel.roles import Actor
from trading.storage.tiles import CHECKPOINT, PUBLIC

RATE = Rate(quantum=8, window_s=10.0)
STEP_S = 0.5
STEPS = 85  # four windows and a little more
MOST = 50


@dataclass(frozen=True, slots=True)
class Seen:
    """Sizes by step, as somebody sees them who asks twice a second: the public head, and the working one."""

    public: tuple[int, ...]
    working: tuple[int, ...]


def size_of(world: LogWorld, path: str) -> int:
    data = world.tiles.read(path)
    return 0 if data is None else parse_checkpoint_text(parse_note(data).text).size


def run(server: Server, directory: Path, moments: list[int]) -> Seen:
    """Let a log grow by an entry at each of these steps; return what could be seen."""
    time = {"now": 1_000.0}
    public, working = [], []
    with clone(server) as database:
        world = LogWorld(database, directory)
        ledger = Ledger(database.engine(), registry=Registry(EVENTS))
        try:
            options = replace(FAST, cover=RATE)
            with world.sequencer(options=options, monotonic=lambda: time["now"]) as sequencer:
                sequencer.start()
                for step in range(STEPS):
                    time["now"] += STEP_S
                    for _ in range(moments.count(step)):
                        with ledger.begin(Actor.system("test")) as uow:
                            uow.record(Event(kind="config.changed", subject="setting:x", body={"what": "x"}))
                    sequencer.step()
                    public.append(size_of(world, f"{PUBLIC}/{CHECKPOINT}"))
                    working.append(size_of(world, CHECKPOINT))
        finally:
            world.close()
    return Seen(public=tuple(public), working=tuple(working))


def test_the_public_head_stands_at_the_same_sizes_whatever_happens(
    server: Server, tmp_path_factory: pytest.TempPathFactory, amount: Callable[[int, int], int]
) -> None:
    seed = secrets.token_hex(8)
    print(f"SEED={seed}")  # noqa: T201 - pytest shows it with a failure
    draws, seen = Draws(seed), []
    for number in range(amount(6, 200)):
        bids = {0: 0, 1: MOST}.get(number, draws.below(MOST + 1))
        # As bids come: most of them shortly before a deadline.
        moments = [min(draws.below(STEPS), draws.below(STEPS)) for _ in range(bids)]
        seen.append(run(server, tmp_path_factory.mktemp("head"), moments))
    assert {each.public for each in seen} == {seen[0].public}
    assert sorted(set(seen[0].public)) == [0, 8, 16, 24, 32]
    # The control: who could see the working head would see how much happens, and when.
    assert len({each.working for each in seen}) == len(seen)
