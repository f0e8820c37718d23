"""Two sequencers at once, with the locks that keep the second away taken off: the head alone prevents a fork (AL1 L13).

Each of them has files of its own and shares database and head, as after a botched change of hosts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from psycopg import Error

from tests.support.logs import LogWorld
from trading.audit.ledger import Ledger
from trading.audit.queries import SEQUENCER_LOCK
from trading.audit.rules.note import Checkpoint
from trading.audit.sequencer import queue
from trading.audit.sequencer.writer import LogSigner, SignedHead
from trading.kernel.clock import FixedClock
from trading.kernel.errors import Conflict, IntegrityFailure
from trading.kernel.events import Event
from trading.kernel.roles import Actor
from trading.storage.head import Head, HeadStore

Roots = dict[int, set[bytes]]
LOSES_LATER = ("B7", "B8")  # from B7 on the head has moved: then it is the other one that comes too late


@pytest.fixture
def signed(monkeypatch: pytest.MonkeyPatch) -> Roots:
    """The roots that were signed, by size; more than one of a size is a fork."""
    roots: defaultdict[int, set[bytes]] = defaultdict(set)
    sign = LogSigner.sign

    def noted(self: LogSigner, checkpoint: Checkpoint) -> SignedHead:
        roots[checkpoint.size].add(checkpoint.root)
        return sign(self, checkpoint)

    monkeypatch.setattr(LogSigner, "sign", noted)
    return roots


@pytest.fixture
def elsewhere(world: LogWorld, tmp_path: Path) -> LogWorld:
    """The same log on another host: the head is the same, the write-ahead log is not, so flock does not help."""
    other = LogWorld(world.database, tmp_path / "elsewhere", witnesses=world.witnesses)
    other.log_dir.mkdir(parents=True)
    (world.log_dir / "head").mkdir(parents=True)
    (other.log_dir / "head").symlink_to(world.log_dir / "head")
    return other


class Pair:
    """Two sequencers that have both started; while the first logs, the second gets its turn after a step of it."""

    def __init__(self, world: LogWorld, elsewhere: LogWorld, stack: ExitStack, patch: pytest.MonkeyPatch) -> None:
        self._turn: tuple[str, Callable[[], object]] | None = None
        now = world.clock.now_ms()
        self.first = stack.enter_context(world.sequencer(hook=self._hook, clock=FixedClock(now)))
        patch.setattr(queue, "SEQUENCER_LOCK", SEQUENCER_LOCK + 1)  # another lock: the first one's keeps nobody away
        # Another clock: the same entries make another root.
        self.second = stack.enter_context(elsewhere.sequencer(clock=FixedClock(now + 1)))
        self.first.start()
        self.second.start()

    def _hook(self, step: str) -> None:
        if self._turn is not None and self._turn[0] == step:
            turn, self._turn = self._turn[1], None
            turn()

    def overtake(self, step: str) -> None:
        """Let the first log a batch, and the second the same one after ``step`` of the first."""
        self._turn = (step, self.second.step)
        self.first.step()


@pytest.fixture
def pair(world: LogWorld, elsewhere: LogWorld, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    with ExitStack() as stack:
        yield Pair(world, elsewhere, stack, monkeypatch)


def act(ledger: Ledger) -> None:
    with ledger.begin(Actor.system("test")) as uow:
        uow.record(Event(kind="config.changed", subject="setting:x", body={"what": "x"}))


def is_forked(signed: Roots) -> bool:
    return any(len(roots) > 1 for roots in signed.values())


@pytest.mark.parametrize("step", ["B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8"])
def test_only_one_of_two_moves_the_head(pair: Pair, ledger: Ledger, signed: Roots, step: str, world: LogWorld) -> None:
    act(ledger)
    with pytest.raises(Conflict, match="another sequencer has moved it"):
        pair.overtake(step)
    assert not is_forked(signed)
    assert len(world.log_order()) == (0 if step in LOSES_LATER else 1)


def test_the_one_that_lost_signs_nothing_later(pair: Pair, ledger: Ledger, signed: Roots) -> None:
    act(ledger)
    pair.first.step()
    act(ledger)
    for _ in range(2):
        with pytest.raises(Conflict):
            pair.second.step()
    pair.first.step()
    assert sorted(signed) == [1, 2]
    assert not is_forked(signed)


def test_control_a_head_that_moves_for_anybody(
    pair: Pair, ledger: Ledger, signed: Roots, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control: without the comparison both sign a log of one entry, and not the same one."""
    swap = HeadStore.swap
    monkeypatch.setattr(HeadStore, "swap", lambda self, _old, new: swap_anything(swap, self, new))
    act(ledger)
    with suppress(Error, IntegrityFailure):  # the database takes no position twice; by then both have signed
        pair.overtake("B6")
    assert is_forked(signed)


def swap_anything(swap: Callable[[HeadStore, Head | None, Head], None], store: HeadStore, new: Head) -> None:
    store._path.unlink(missing_ok=True)
    swap(store, None, new)
