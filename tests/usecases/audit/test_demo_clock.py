"""Demonstration time moves on over empty stretches, with an entry, and never back (P13)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.databases import Database
from tests.support.logs import LogWorld
from trading.audit import demo_clock, queries, service
from trading.audit.ledger import Ledger
from trading.kernel.clock import ShiftedClock
from trading.kernel.errors import Conflict, InvalidInput, RuleBroken
from trading.kernel.events import Event, Registry
from trading.kernel.roles import Actor

ACTOR = Actor.system("demo")
HOUR = 3_600_000


@dataclass(frozen=True)
class Access:
    ledger: Ledger
    log_dir: Path
    origin: str
    witness_policy: str


@pytest.fixture
def shift_file(tmp_path: Path) -> Path:
    return tmp_path / "demo-shift"


@pytest.fixture
def demo(demo_database: Database, tmp_path: Path, shift_file: Path) -> Iterator[LogWorld]:
    world = LogWorld(demo_database, tmp_path, clock=ShiftedClock(shift_file))
    yield world
    world.close()


@pytest.fixture
def access(demo: LogWorld, registry: Registry) -> Iterator[Access]:
    service.reader.cache_clear()
    ledger = Ledger(demo.database.engine(pool_size=2), registry=registry)  # two connections are enough
    yield Access(ledger, demo.tiles.root, demo.database.origin, demo.policy_text)
    service.reader.cache_clear()


def now(access: Access) -> int:
    with access.ledger.read() as conn:
        return access.ledger.platform_time(conn)


def act(access: Access) -> None:
    with access.ledger.begin(ACTOR) as uow:
        uow.record(Event(kind="config.changed", subject="setting:x", body={"what": "x"}))


def test_a_jump(demo: LogWorld, access: Access, shift_file: Path) -> None:
    act(access)
    with demo.running():
        target = now(access) + 5 * HOUR
        shift = demo_clock.jump(access, ACTOR, target, shift_file=shift_file)
        assert target <= now(access) < target + 60_000
        act(access)
        with access.ledger.read() as conn:
            newest = queries.newest_h(conn)
        assert newest is not None
        assert service.wait_witnessed(access, newest, 10.0) is not None
    assert int(shift_file.read_text()) == shift
    with access.ledger.read() as conn:
        records = queries.records_of(conn, None)
    assert [record.kind for record in records] == ["config.changed", "clock.jumped", "clock.state", "config.changed"]
    assert records[1].data["body"] == {"from": records[1].data["at"], "to": target}
    assert records[2].data["at"] >= target
    assert all(abs(record.t - record.data["at"]) <= 60_000 for record in records)  # TE1 TE-06
    assert demo.fsck().findings == []


def test_nothing_due_is_jumped_over(demo: LogWorld, access: Access, shift_file: Path) -> None:
    due = now(access) + 2 * HOUR
    with access.ledger.begin(ACTOR) as uow:
        uow.wake("lots.close", {}, due)
    with demo.running():
        with pytest.raises(RuleBroken) as caught:
            demo_clock.jump(access, ACTOR, due + 1, shift_file=shift_file)
        assert (caught.value.code, caught.value.facts["due_at"]) == ("demo.past_due", due)
        assert not shift_file.exists()
        with access.ledger.begin(ACTOR) as uow:
            uow.wake("upkeep.anything", {}, due - 1)  # returns for ever, so time moves past it
        demo_clock.jump(access, ACTOR, due, shift_file=shift_file)  # exactly at it is not past it
        assert now(access) >= due
        with pytest.raises(InvalidInput, match="not_forward"):
            demo_clock.jump(access, ACTOR, due, shift_file=shift_file)


def test_without_witnesses_time_stays(
    demo: LogWorld, access: Access, shift_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_clock, "_WAIT_S", 0.2)
    act(access)
    before = now(access)
    with demo.running():
        for witness in demo.witnesses:
            witness.stop()
        act(access)
        with pytest.raises(Conflict):
            demo_clock.jump(access, ACTOR, before + HOUR, shift_file=shift_file)
    assert now(access) < before + HOUR
    assert not shift_file.exists()


def test_a_production_database_is_never_moved(world: LogWorld, ledger: Ledger, shift_file: Path) -> None:
    production = Access(ledger, world.tiles.root, world.database.origin, world.policy_text)
    with pytest.raises(InvalidInput, match="not_demo"):
        demo_clock.jump(production, ACTOR, 4_000_000_000_000, shift_file=shift_file)


def test_acts_wait_while_time_moves(demo: LogWorld, access: Access, shift_file: Path) -> None:
    """Acts of other threads see one clock: the order of the log never contradicts ``at`` by an hour."""
    others = Ledger(demo.database.engine(), registry=access.ledger.registry)
    stop, errors = threading.Event(), []

    def write() -> None:
        try:
            while not stop.wait(0.003):
                with others.begin(ACTOR) as uow:
                    uow.record(Event(kind="config.changed", subject="setting:x", body={"what": "x"}))
        except BaseException as error:  # noqa: BLE001 - shown by the assertion below
            errors.append(error)

    with demo.running():
        writer = threading.Thread(target=write)
        writer.start()
        try:
            for _ in range(3):
                demo_clock.jump(access, ACTOR, now(access) + HOUR, shift_file=shift_file)
        finally:
            stop.set()
            writer.join()
    demo.log_everything()
    assert errors == []
    with access.ledger.read() as conn:
        records = queries.records_of(conn, None)
    assert sum(record.kind == "clock.jumped" for record in records) == 3
    assert all(abs(record.t - record.data["at"]) <= 60_000 for record in records)


def test_the_file_follows_the_database_after_a_crash(demo_database: Database, shift_file: Path) -> None:
    with demo_database.connect("trading_web") as conn:
        conn.exec_driver_sql("UPDATE log.demo_shift SET ms = 12345")
        assert demo_clock.restore_file(conn, shift_file) == 12345
    assert shift_file.read_text() == "12345"
