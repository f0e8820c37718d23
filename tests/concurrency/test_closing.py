"""Two closers, a closer and an extension, a closer that has to wait (AL1 L4.5; F20, F21)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.build.dummy_envelopes import MemoryStore
from tests.build.market import DemoTime, Market, OpenLot, open_market, runtime_of
from tests.support.databases import Database
from tests.support.logs import LogWorld
from tests.support.polling import eventually
from trading import db
from trading.audit import clocks
from trading.audit import ledger as ledgers
from trading.audit.queries import on_hold
from trading.bids import closing
from trading.bids.rules.schedule import DRAIN_MS
from trading.kernel.errors import RuleBroken
from trading.kernel.roles import Actor
from trading.notices.queries.page import page

LATER_MS = 3_600_000


@dataclass(kw_only=True)
class Deadline:
    """One lot whose deadline and drain are over, and nothing has closed it yet."""

    market: Market
    world: LogWorld
    time: DemoTime
    lot: OpenLot
    close_ms: int

    def close(self) -> object:
        return closing.close_lot(self.market.runtime, *self.lot.place, heartbeat_size=0)

    def extension(self) -> Callable[[], None]:
        """Draft and sign a deadline an hour from now, while the lot is open; return the act that publishes it."""
        move = self.market.extension(self.lot.tender, LATER_MS)

        def publish() -> None:
            self.close_ms = move()

        return publish

    def pass_by(self) -> None:
        self.time.move_to(self.close_ms + DRAIN_MS + 1)

    def records(self, kind: str) -> int:
        query = "SELECT count(*) FROM log.audit_entry WHERE procedure_id = %s AND kind = %s"
        with self.market.ledger.read() as conn:
            count: int = conn.exec_driver_sql(query, (self.lot.procedure_id, kind)).scalar_one()
        return count


@pytest.fixture
def deadline(demo_database: Database, tmp_path: Path) -> Iterator[Deadline]:
    demo_time = DemoTime(database=demo_database, shift_file=tmp_path / "demo-shift")
    world = LogWorld(demo_database, tmp_path, clock=demo_time.clock)
    try:
        market = open_market(runtime_of(demo_database, world, MemoryStore(), threads=10), bidders=1)
        (lot,) = market.publish()
        found = Deadline(market=market, world=world, time=demo_time, lot=lot, close_ms=lot.close)
        found.pass_by()
        yield found
    finally:
        world.close()


def together(*acts: Callable[[], object]) -> list[object]:
    """Start all acts at one moment; return what each returned or the code with which it was refused."""
    start = threading.Barrier(len(acts))
    results: list[object] = [None] * len(acts)

    def run(number: int) -> None:
        start.wait()
        try:
            results[number] = acts[number]()
        except RuleBroken as refused:
            results[number] = refused.code

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_of_eight_closers_one_closes(deadline: Deadline) -> None:
    results = together(*[deadline.close] * 8)
    assert sum(result is not None for result in results) == 1
    assert deadline.records("tender.closed") == deadline.records("opening.refused") == 1


def test_an_extension_comes_before_the_close_or_not_at_all(deadline: Deadline) -> None:
    """Either the lot stays open until its new deadline, or it is closed and stays closed; nothing between."""
    for _ in range(50):
        closed, extended = together(deadline.close, deadline.extension())
        if extended is None:
            assert closed == "close.too_early"
            assert deadline.records("tender.closed") == 0
            deadline.pass_by()
        else:
            assert extended == "act.wrong_phase"
            assert deadline.records("tender.closed") == 1
            return
    extend = deadline.extension()
    deadline.close()
    with pytest.raises(RuleBroken, match=r"act\.wrong_phase"):
        extend()


def test_the_closer_waits_for_acts_in_time_however_long(
    deadline: Deadline, monkeypatch: pytest.MonkeyPatch, demo_database: Database
) -> None:
    """No lock time-out ends the closer's patience, not even after slow statements that use up everybody else's."""
    for module in (db, ledgers):
        monkeypatch.setattr(module, "LOCK_TIMEOUT_MS", 100)
    monkeypatch.setattr(ledgers, "_WAITED_S", 0.0)  # every statement counts as slow
    deadline.market.runtime = runtime_of(demo_database, deadline.world, MemoryStore())
    closer = threading.Thread(target=deadline.close)
    with deadline.market.ledger.begin(Actor.system("test")) as act:
        query = "SELECT 1 FROM record.procedure WHERE id = %s FOR SHARE"
        act.connection.exec_driver_sql(query, (deadline.lot.procedure_id,))
        with pytest.raises(RuleBroken, match="busy"):  # what everybody else gets
            deadline.extension()()
        closer.start()
        eventually(lambda: waits_for_longer_than(demo_database, milliseconds=300))
    closer.join()
    assert deadline.records("tender.closed") == 1


def waits_for_longer_than(database: Database, *, milliseconds: int) -> bool:
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        " AND query_start < clock_timestamp() - %s * interval '1 millisecond'"
    )
    with database.connect() as superuser:
        return bool(superuser.exec_driver_sql(query, (milliseconds,)).scalar_one())


def disagree(deadline: Deadline, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the closer find witnesses that know another time, until it holds the clock."""
    with monkeypatch.context() as disagreeing:
        disagreeing.setattr(clocks, "AHEAD_MS", -60_000)
        eventually(lambda: closes(deadline) or held(deadline))
        assert not closes(deadline)
        assert held(deadline)


def closes(deadline: Deadline) -> bool:
    return closing.run(deadline.market.runtime, deadline.lot.arg) is None


def test_the_closers_own_hold_ends_when_the_witnesses_agree_again(
    deadline: Deadline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody else would ever end it, and no lot of the platform would be closed any more (TE1 T3)."""
    with deadline.world.running():
        disagree(deadline, monkeypatch)  # after the drain: the deadline itself was sound
        eventually(lambda: closes(deadline))
    assert not held(deadline)
    assert (deadline.records("closing.blocked"), deadline.records("tender.closed")) == (0, 1)


def test_a_deadline_inside_a_hold_is_void_until_it_is_moved(
    deadline: Deadline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Accepting or refusing by a bad clock would be arbitrary: the lot stays open, for everyone alike (TE1 T3, T5)."""
    deadline.extension()()
    deadline.time.move_to(deadline.close_ms)
    with deadline.world.running():
        disagree(deadline, monkeypatch)
        deadline.pass_by()
        eventually(lambda: closes(deadline) or deadline.records("closing.blocked") == 1)
        assert not held(deadline)
        assert not closes(deadline)
        with pytest.raises(RuleBroken, match=r"closing\.void"):
            deadline.close()
        assert (deadline.records("closing.blocked"), deadline.records("tender.closed")) == (1, 0)
        assert told_void(deadline)
        deadline.extension()()
        assert not told_void(deadline)
        deadline.pass_by()
        eventually(lambda: closes(deadline))
    assert deadline.records("tender.closed") == 1


def told_void(deadline: Deadline) -> bool:
    """Whether the public page says that the deadline does not count."""
    with deadline.market.ledger.read() as conn:
        (shown,) = page(conn, deadline.lot.tender, deadline.market.now_ms()).lots
    return shown.is_void


def held(deadline: Deadline) -> bool:
    with deadline.market.ledger.read() as conn:
        return on_hold(conn)
