"""What lies in the folder of the public head, and that the sequencer goes on from it (AL1 L6, L9)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from tests.support.logs import FAST, Killed, LogWorld, kill_at
from tests.support.polling import eventually
from trading.audit.ledger import Ledger
from trading.audit.rules.cover import Growth, Rate
from trading.audit.rules.note import parse_checkpoint_text, parse_note
from trading.audit.rules.tiles import TiledNodes, file_reader, parse_tile_path
from trading.audit.sequencer import publishing
from trading.audit.sequencer.client import WitnessClient, WitnessUnreachable
from trading.audit.sequencer.loop import Sequencer
from trading.audit.sequencer.witnessing import Lines
from trading.audit.sequencer.writer import Hook, SignedHead
from trading.kernel.errors import IntegrityFailure
from trading.kernel.events import Event
from trading.kernel.roles import Actor
from trading.storage.tiles import CHECKPOINT, PUBLIC, RATE, TileStore

QUANTUM = 100
WINDOW_S = 10.0


class Time:
    """Seconds that a test moves on."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@contextmanager
def covered(
    world: LogWorld, time: Time, hook: Hook = lambda _step: None, quantum: int = QUANTUM
) -> Iterator[Sequencer]:
    """Yield a running sequencer with a public head."""
    options = replace(FAST, cover=Rate(quantum=quantum, window_s=WINDOW_S))
    with world.sequencer(options=options, monotonic=time, hook=hook) as sequencer:
        sequencer.start()
        yield sequencer


def windows(sequencer: Sequencer, time: Time, count: int) -> None:
    """Let windows pass: the first step inserts pads, the second logs them and moves the head."""
    for _ in range(count):
        time.now += WINDOW_S
        sequencer.step()
        time.now += 1.0
        sequencer.step()
        time.now -= 1.0


def public(world: LogWorld) -> TileStore:
    return TileStore(world.log_dir / "tiles" / PUBLIC)


def head(world: LogWorld) -> tuple[int, bytes]:
    data = public(world).read(CHECKPOINT)
    assert data is not None
    note = parse_note(data)
    assert [line.name for line in note.signatures] == [world.database.origin]  # no cosignature: their times tell
    checkpoint = parse_checkpoint_text(note.text)
    return checkpoint.size, checkpoint.root


def act(ledger: Ledger, count: int) -> None:
    for _ in range(count):
        with ledger.begin(Actor.system("test")) as uow:
            uow.record(Event(kind="config.changed", subject="setting:x", body={"what": "x"}))


def test_the_folder_holds_hash_tiles_up_to_the_boundary_and_nothing_more(world: LogWorld, ledger: Ledger) -> None:
    time = Time()
    act(ledger, 37)
    with covered(world, time) as sequencer:
        sequencer.step()
        assert public(world).read(CHECKPOINT) is None
        assert public(world).read(RATE) == b'{"phases":[{"from":0,"quantum":100,"window_ms":10000}]}'
        for number in range(1, 4):
            windows(sequencer, time, 1)
            size, root = head(world)
            assert size == QUANTUM * number
            assert TiledNodes(size, file_reader(public(world).read, size)).root() == root
        working = parse_checkpoint_text(parse_note(world.tiles.read(CHECKPOINT) or b"").text).size
        assert working >= 300
        eventually(lambda: {100, 200, 300} <= {size for size, _ in world.tiles.notes()})  # each is witnessed in turn
    root_folder = public(world).root
    found = sorted(path.relative_to(root_folder).as_posix() for path in root_folder.rglob("*") if path.is_file())
    tiles = [parse_tile_path(path) for path in found if path.startswith("tile/")]
    assert {tile.level for tile in tiles} == {0, 1}
    assert {tile.path for tile in tiles} == {"tile/0/000", "tile/0/001.p/44", "tile/1/000.p/1"}
    assert set(found) - {tile.path for tile in tiles} == {CHECKPOINT, RATE}
    assert world.fsck().exit_code == 0
    assert [path for path in found if "entries" in path] == []


@pytest.mark.parametrize(("failures", "kept"), [(3, {100, 200, 300}), (6, {100, 300})])
def test_a_boundary_without_a_quorum_is_shown_once_more(world: LogWorld, failures: int, kept: set[int]) -> None:
    """Three witnesses that fail once for one size cosign it after all; if they fail twice, the next one goes on."""
    time, left = Time(), [None] * failures
    with covered(world, time) as sequencer:
        loop = sequencer._witnesses
        ask = loop._ask

        def failing(client: WitnessClient, target: SignedHead) -> Lines:
            if target.checkpoint.size == 200 and left:
                left.pop()
                raise WitnessUnreachable("no answer")
            return ask(client, target)

        loop._ask = failing  # type: ignore[method-assign]
        windows(sequencer, time, 3)
        eventually(lambda: 300 in {size for size, _ in world.tiles.notes()})
    assert {100, 200, 300} & {size for size, _ in world.tiles.notes()} == kept


def test_a_restart_goes_on_from_the_public_head(world: LogWorld, ledger: Ledger) -> None:
    time = Time()
    with covered(world, time) as sequencer:
        windows(sequencer, time, 2)
    assert head(world)[0] == 200
    act(ledger, 250)
    time.now += 1_000.0  # nobody counts while it is down
    with covered(world, time) as sequencer:
        sequencer.step()
        windows(sequencer, time, 1)
        assert head(world)[0] == 300
        windows(sequencer, time, 1)
    assert head(world)[0] == 400


def test_another_rate_is_recorded_and_keeps_the_boundaries_of_before(world: LogWorld) -> None:
    time = Time()
    with covered(world, time) as sequencer:
        windows(sequencer, time, 2)
    for _ in range(2):  # the second start changes nothing
        with covered(world, time, quantum=30) as sequencer:
            windows(sequencer, time, 1)
    assert head(world)[0] == 260
    growth = Growth.of(public(world).read(RATE))
    assert [(each.first, each.quantum) for each in growth.phases] == [(0, 100), (200, 30)]
    assert [size for size in range(300) if growth.stood_at(size)] == [100, 200, 230, 260, 290]
    with world.database.connect() as superuser:
        query = "SELECT convert_from(record, 'UTF8')::jsonb #>> '{body,what}' FROM log.audit_entry WHERE kind = %s"
        told = superuser.exec_driver_sql(query, ("config.changed",)).scalars().all()
    assert told == ["public head: 100 entries in 10 s until now, 30 in 10 s from size 200 on"]
    assert world.fsck().findings == []


def test_a_head_that_lags_for_an_hour_is_said_once(
    world: LogWorld, ledger: Ledger, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing._log, "disabled", False)  # a library of another test may have switched it off
    time = Time()
    with covered(world, time, quantum=1) as sequencer:
        act(ledger, 360)  # 360 slots an hour; the credit at the start is 0
        sequencer.step()
        sequencer.step()
        assert caplog.messages == []
        act(ledger, 1)
        for _ in range(3):
            sequencer.step()
    assert [message for message in caplog.messages if "LOG_QUANTUM" in message] == [
        "the public head is more than an hour behind the log; raise LOG_QUANTUM (AL1 L6)"
    ]


@pytest.mark.parametrize("step", [f"B{number}" for number in range(1, 11)])
def test_a_death_at_any_step_costs_the_public_head_nothing(world: LogWorld, ledger: Ledger, step: str) -> None:
    time = Time()
    with covered(world, time) as sequencer:
        windows(sequencer, time, 1)
    act(ledger, 150)
    with covered(world, time, kill_at(step)) as sequencer:
        time.now += WINDOW_S / 2
        with pytest.raises(Killed):
            sequencer.step()
    assert head(world)[0] == 100
    with covered(world, time) as sequencer:
        windows(sequencer, time, 2)
    assert head(world)[0] == 300
    assert world.fsck().findings == []


def test_a_public_head_that_is_not_of_the_log_stops_the_sequencer(world: LogWorld, ledger: Ledger) -> None:
    time = Time()
    with covered(world, time) as sequencer:
        windows(sequencer, time, 1)
    checkpoint = (public(world).read(CHECKPOINT) or b"").decode()
    lines = checkpoint.split("\n")
    lines[2] = "A" * 43 + "="  # another root
    public(world).write(CHECKPOINT, "\n".join(lines).encode())
    act(ledger, 1)
    with pytest.raises(IntegrityFailure, match="set back"), covered(world, time):
        pass
