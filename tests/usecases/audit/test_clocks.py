"""Clock states on PostgreSQL: what a report and a silence lead to, and when a hold ends (TE1 T3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.build.dummy_envelopes import MemoryStore
from tests.build.market import DemoTime, runtime_of
from tests.support.databases import Database
from tests.support.logs import LogWorld
from tests.support.polling import eventually
from trading.audit import clocks, errands
from trading.audit.queries import clock_uncertainty_ms, hold_reason, on_hold
from trading.audit.rules.clocks import DISAGREE, FAR, SILENT, UNSYNCHRONISED
from trading.audit.runtime import Runtime
from trading.kernel.errors import InvalidInput
from trading.kernel.events import Event
from trading.kernel.roles import Actor

HEALTHY: dict[str, Any] = {
    "dispersion_us": 900,
    "leap": "normal",
    "offset_us": -120,
    "sources": [{"name": "192.0.2.1", "offset_us": -100, "reach": 255}],
    "stratum": 3,
    "synchronised": True,
}
REPORTER = Actor.system("clock")


@dataclass(kw_only=True)
class Watched:
    """An installation whose time the test moves, and that takes itself for a production one."""

    runtime: Runtime
    world: LogWorld
    time: DemoTime

    def report(self, host: str = "database", **other: object) -> None:
        clocks.report(self.runtime.ledger, REPORTER, host, {**HEALTHY, **other})

    def reason(self) -> str | None:
        with self.runtime.ledger.read() as conn:
            return hold_reason(conn, "database")

    def held(self) -> bool:
        with self.runtime.ledger.read() as conn:
            return on_hold(conn)

    def pass_by(self, milliseconds: int) -> None:
        self.time.move_to(self.time.now_ms() + milliseconds)

    def work(self) -> None:
        """Run what is due, once."""
        with self.runtime.ledger.read() as conn:
            found = errands.due(conn, errands.platform_ms(conn))
        for each in found:
            errands.run(self.runtime, clocks.ERRANDS, each.id)

    def works_itself_free(self) -> bool:
        self.work()
        return not self.held()

    def open_errands(self) -> list[str]:
        with self.runtime.ledger.read() as conn:
            return list(conn.exec_driver_sql("SELECT name FROM desk.errand WHERE done_at IS NULL").scalars())


@pytest.fixture
def watched(demo_database: Database, tmp_path: Path) -> Iterator[Watched]:
    time = DemoTime(database=demo_database, shift_file=tmp_path / "demo-shift")
    time.move_to(time.now_ms() + 60_000)
    world = LogWorld(demo_database, tmp_path, clock=time.clock)
    try:
        runtime = replace(runtime_of(demo_database, world, MemoryStore()), demo=False)
        yield Watched(runtime=runtime, world=world, time=time)
    finally:
        world.close()


def test_a_healthy_report_is_recorded_and_watched(watched: Watched) -> None:
    watched.report()
    watched.report("sequencer", synchronised=False)  # that clock decides nothing
    with watched.runtime.ledger.read() as conn:
        assert clock_uncertainty_ms(conn) == 2
    assert not watched.held()
    watched.report()
    assert watched.open_errands() == [clocks.WATCH]  # one for all reports


@pytest.mark.parametrize(
    ("told", "reason"),
    [({"synchronised": False}, UNSYNCHRONISED), ({"offset_us": -400_000, "dispersion_us": 100_001}, FAR)],
)
def test_an_unhealthy_report_is_a_hold_at_once(watched: Watched, told: dict[str, Any], reason: str) -> None:
    watched.report(**told)
    watched.report(**told)
    assert watched.reason() == reason
    with watched.runtime.ledger.read() as conn:
        count = "SELECT count(*) FROM log.audit_entry WHERE kind = 'clock.hold'"
        assert conn.exec_driver_sql(count).scalar_one() == 1


def test_silence_is_a_hold_after_two_minutes(watched: Watched) -> None:
    watched.report()
    watched.pass_by(100_000)
    watched.report()
    watched.pass_by(30_000)  # 130 s after the first, 30 s after the second
    watched.work()
    assert watched.reason() is None
    watched.pass_by(91_000)
    watched.work()
    assert watched.reason() == SILENT
    assert watched.open_errands() == [clocks.WATCH]


def test_a_hold_ends_when_the_clock_is_healthy_and_witnesses_confirm_it(watched: Watched) -> None:
    watched.report(synchronised=False)
    assert clocks.released(watched.runtime) is False
    watched.report()
    watched.work()
    assert watched.reason() == UNSYNCHRONISED  # nobody has cosigned anything
    with watched.world.running():
        eventually(watched.works_itself_free)
    assert clocks.RELEASE not in watched.open_errands()


def test_witnesses_alone_do_not_end_the_hold_of_a_sick_clock(watched: Watched) -> None:
    """Control: without the state, the same witnesses would end it."""
    with watched.world.running():
        watched.report(synchronised=False)
        watched.report(offset_us=600_000)  # synchronised, and still not healthy
        assert not eventually_released(watched)
        healed = replace(watched.runtime, demo=True)  # a demonstration asks the witnesses alone
        eventually(lambda: clocks.released(healed))


def eventually_released(watched: Watched, rounds: int = 50) -> bool:
    return any(clocks.released(watched.runtime) for _ in range(rounds))


def test_the_hold_of_somebody_else_is_not_ours_to_end(watched: Watched) -> None:
    with watched.runtime.ledger.begin(REPORTER) as uow:
        body = {"host": "database", "reason": "maintenance"}
        uow.record(Event(kind="clock.hold", subject="host:database", body=body))
    watched.report()
    assert watched.open_errands() == [clocks.WATCH]
    with watched.world.running():
        assert not eventually_released(watched)
    assert DISAGREE != watched.reason() == "maintenance"


def test_an_unknown_host_is_refused(watched: Watched) -> None:
    with pytest.raises(InvalidInput, match=r"clock\.unknown_host"):
        watched.report("web")
