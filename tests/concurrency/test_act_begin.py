"""The one clock and the procedure lock in one server function (AL1 L4.3, L4.5)."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import pytest
from sqlalchemy.exc import DBAPIError

from tests.support.databases import Database
from tests.support.polling import eventually
from tests.support.rows import add_row
from trading.audit.ledger import Ledger, UnitOfWork
from trading.audit.model import Capture
from trading.db import from_ms
from trading.kernel.events import Event
from trading.kernel.ids import new_row_id
from trading.kernel.roles import Actor
from trading.procedures import tables as _tables  # noqa: F401 - declares the tables that are filled below

ACTOR = Actor.system("test")
MINUTE = 60_000


@dataclass(frozen=True)
class OpenLot:
    procedure_id: int
    lot_id: int


def event(procedure_id: int | None) -> Event:
    return Event(kind="config.changed", subject="x", body={"what": "x"}, procedure_id=procedure_id, procedure="T-1")


@pytest.fixture
def lot(ledger: Ledger) -> OpenLot:
    """Lot 1 of a new procedure, open for another minute."""
    procedure_id = new_row_id()
    with ledger.begin(ACTOR) as uow:
        recorded = uow.record(event(procedure_id))
        add_row(uow.connection, "procedure", recorded.entry_id, id=procedure_id, phase="published")
        lot_id = add_row(
            uow.connection,
            "lot",
            recorded.entry_id,
            procedure_id=procedure_id,
            number="1",
            stage="all",
            phase="open",
            close_at=uow.at + MINUTE,
        )
    return OpenLot(procedure_id, lot_id)


def set_lot(uow: UnitOfWork, lot: OpenLot, phase: str, close_at: int) -> None:
    recorded = uow.record(event(lot.procedure_id))
    uow.connection.exec_driver_sql(
        "UPDATE record.lot SET phase = %s, close_at = %s, entry_id = %s WHERE id = %s",
        (phase, from_ms(close_at), recorded.entry_id, lot.lot_id),
    )


def begin(ledger: Ledger, lot: OpenLot, number: str = "1") -> Capture:
    with ledger.begin(ACTOR) as uow:
        capture = uow.act_begin(lot.procedure_id, number, "all")
        assert uow.at == capture.received_at
    return capture


def lock_is_free(ledger: Ledger, lot: OpenLot) -> bool:
    query = "SELECT id FROM record.procedure WHERE id = %s FOR UPDATE SKIP LOCKED"
    with ledger.begin(ACTOR) as uow:
        return uow.connection.exec_driver_sql(query, (lot.procedure_id,)).scalar() is not None


def test_an_act_in_time_shares_the_procedure(ledger: Ledger, lot: OpenLot) -> None:
    with ledger.begin(ACTOR) as first, ledger.begin(ACTOR) as second:
        for uow in (first, second):
            capture = uow.act_begin(lot.procedure_id, "1", "all")
            assert capture.phase == "open"
            assert capture.close_at is not None
            assert capture.received_at < capture.close_at
            assert capture.hold is False
        assert not lock_is_free(ledger, lot)
    assert lock_is_free(ledger, lot)


@pytest.mark.parametrize(("phase", "distance"), [("open", 0), ("open", -1), ("closed", MINUTE)])
def test_an_act_that_is_not_in_time_takes_no_lock(ledger: Ledger, lot: OpenLot, phase: str, distance: int) -> None:
    with ledger.begin(ACTOR) as uow:
        set_lot(uow, lot, phase, uow.at + distance)
    with ledger.begin(ACTOR) as uow:
        capture = uow.act_begin(lot.procedure_id, "1", "all")
        assert capture.close_at is not None
        assert capture.phase == "closed" or capture.received_at >= capture.close_at
        assert lock_is_free(ledger, lot)


def test_no_such_lot(ledger: Ledger, lot: OpenLot) -> None:
    capture = begin(ledger, lot, number="2")
    assert (capture.phase, capture.close_at) == (None, None)


def test_waiting_for_the_closer_makes_nobody_late_and_lets_nobody_in(
    ledger: Ledger, lot: OpenLot, database: Database
) -> None:
    """Captured before the lock; after the wait the newest version of the window decides."""
    found: list[Capture] = []
    bidder = threading.Thread(target=lambda: found.append(begin(ledger, lot)))
    with ledger.begin(ACTOR) as closer:
        query = "SELECT id FROM record.procedure WHERE id = %s FOR UPDATE"
        closer.connection.exec_driver_sql(query, (lot.procedure_id,))
        bidder.start()
        eventually(lambda: is_anybody_waiting(database))
        before_commit = ledger.platform_time(closer.connection)
        set_lot(closer, lot, "closed", closer.at + MINUTE)
    bidder.join()
    assert found[0].phase == "closed"
    assert found[0].received_at <= before_commit


def is_anybody_waiting(database: Database) -> bool:
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    with database.connect() as connection:
        return bool(connection.exec_driver_sql(query).scalar_one())


def test_an_extension_is_seen_after_the_wait(ledger: Ledger, lot: OpenLot, database: Database) -> None:
    found: list[Capture] = []
    bidder = threading.Thread(target=lambda: found.append(begin(ledger, lot)))
    with ledger.begin(ACTOR) as agency:
        query = "SELECT id FROM record.procedure WHERE id = %s FOR UPDATE"
        agency.connection.exec_driver_sql(query, (lot.procedure_id,))
        bidder.start()
        eventually(lambda: is_anybody_waiting(database))
        later = agency.at + 60 * MINUTE
        set_lot(agency, lot, "open", later)
    bidder.join()
    assert (found[0].phase, found[0].close_at) == ("open", later)


def test_the_hold_of_any_host_is_told(ledger: Ledger, lot: OpenLot) -> None:
    def clock(kind: str, host: str) -> None:
        extra = {"reason": "x"} if kind == "clock.hold" else {"size": 1}
        with ledger.begin(ACTOR) as uow:
            uow.record(Event(kind=kind, subject=f"host:{host}", body={"host": host, **extra}))

    seen = [begin(ledger, lot).hold]
    for kind, host in (
        ("clock.hold", "database"),
        ("clock.hold", "sequencer"),
        ("clock.released", "database"),
        ("clock.released", "sequencer"),
    ):
        clock(kind, host)
        seen.append(begin(ledger, lot).hold)
    assert seen == [False, True, True, True, False]


def test_only_read_committed_will_do(database: Database, lot: OpenLot) -> None:
    engine = database.engine().execution_options(isolation_level="REPEATABLE READ")
    with engine.connect() as connection, pytest.raises(DBAPIError, match="READ COMMITTED"):
        connection.exec_driver_sql("SELECT * FROM log.act_begin(%s, '1', 'all')", (lot.procedure_id,))
