"""Log order is lock order, and no committed entry is skipped (AL1 L4.4); the wrong variants are the controls (L4.7)."""

from __future__ import annotations

import itertools
import secrets
import threading
import time
from collections import defaultdict
from collections.abc import Callable

import psycopg
import pytest
from sqlalchemy import make_url

from tests.support.databases import Database
from tests.support.logs import LogWorld
from trading.audit.ledger import Ledger, UnitOfWork
from trading.audit.sequencer.queue import AuditQueue
from trading.kernel.events import Event
from trading.kernel.roles import Actor

ACTOR = Actor.system("test")
ROWS = 6
WRITERS = 12
ACTS = 40  # of each writer
_CHOICE = secrets.SystemRandom()
EVENT = Event(kind="config.changed", subject="setting:x", body={"what": "x"})


@pytest.fixture
def rows(database: Database, ledger: Ledger) -> None:
    """A few rows to fight over; the value of each tells how often it has been locked."""
    with ledger.upkeep() as connection:
        for number in range(ROWS):
            connection.exec_driver_sql("INSERT INTO desk.cursor VALUES (%s, 0)", (f"row{number}",))
    assert database.name


def pause(at_most_ms: int) -> None:
    """Let others in, for a random time: the races under test live in these gaps."""
    time.sleep(_CHOICE.random() * at_most_ms / 1000)


def in_threads(work: Callable[[int], None], count: int) -> None:
    errors: list[BaseException] = []

    def run(number: int) -> None:
        try:
            work(number)
        except BaseException as error:  # noqa: BLE001 - raised again below
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def lock(uow: UnitOfWork, row: str) -> int:
    """Lock a row and return its place in the row's own order of locks."""
    connection = uow.connection
    place: int = connection.exec_driver_sql("SELECT n FROM desk.cursor WHERE name = %s FOR UPDATE", (row,)).scalar_one()
    connection.exec_driver_sql("UPDATE desk.cursor SET n = n + 1 WHERE name = %s", (row,))
    return place


def write_with_locks(database: Database, ledger: Ledger, *, entry_first: bool) -> dict[str, list[tuple[int, int]]]:
    """Let many writers lock random rows and record; return (place in lock order, entry id) by row."""
    order: dict[str, list[tuple[int, int]]] = defaultdict(list)
    wide = Ledger(database.engine(pool_size=WRITERS), registry=ledger.registry)

    def work(_number: int) -> None:
        for _ in range(ACTS):
            chosen = sorted(_CHOICE.sample([f"row{n}" for n in range(ROWS)], 2))
            with wide.begin(ACTOR) as uow:
                early = draw_entry(uow) if entry_first else None
                pause(4 if entry_first else 0)
                places = [lock(uow, row) for row in chosen]
                pause(2)
                entry_id = early if early is not None else uow.record(EVENT).entry_id
                pause(2)
            for row, place in zip(chosen, places, strict=True):
                order[row].append((place, entry_id))

    in_threads(work, WRITERS)
    return order


def draw_entry(uow: UnitOfWork) -> int:
    """Write an entry past the unit of work: the mistake that rule L forbids."""
    query = "INSERT INTO log.audit_entry (kind, record, nonce) VALUES ('config.changed', '{}', %s) RETURNING id"
    entry_id: int = uow.connection.exec_driver_sql(query, (secrets.token_bytes(32),)).scalar_one()
    return entry_id


def disagreements(database: Database, order: dict[str, list[tuple[int, int]]]) -> int:
    """Count neighbours in the lock order of a row whose entries stand the other way round in the log."""
    with database.connect() as superuser:
        found = superuser.exec_driver_sql("SELECT entry_id, n FROM log.log_position")
        positions = {row.entry_id: row.n for row in found}
    wrong = 0
    for pairs in order.values():
        logged = [positions[entry_id] for _, entry_id in sorted(pairs)]
        wrong += sum(first > second for first, second in itertools.pairwise(logged))
    return wrong


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize("entry_first", [False, True], ids=["rule L", "control: entry before locks"])
def test_log_order_is_lock_order(world: LogWorld, ledger: Ledger, *, entry_first: bool) -> None:
    with world.running():
        order = write_with_locks(world.database, ledger, entry_first=entry_first)
    world.log_everything()
    assert sum(len(pairs) for pairs in order.values()) == WRITERS * ACTS * 2
    wrong = disagreements(world.database, order)
    if entry_first:
        assert wrong > 0, "the control must be able to fail"
    else:
        assert wrong == 0
        assert world.fsck().findings == []


class CursorDrain:
    """The wrong drain of L4.7: everything above the last id seen."""

    def __init__(self, conninfo: str) -> None:
        self._connection = psycopg.connect(conninfo, autocommit=True)
        self._last = 0

    def drain(self) -> list[int]:
        rows = self._connection.execute(
            "SELECT id FROM log.audit_entry WHERE id > %s ORDER BY id", (self._last,)
        ).fetchall()
        self._last = rows[-1][0] if rows else self._last
        return [row[0] for row in rows]

    def close(self) -> None:
        self._connection.close()


class QueueDrain:
    """The right one, as the sequencer does it."""

    def __init__(self, conninfo: str) -> None:
        self._queue = AuditQueue(conninfo)
        self._n = 0

    def drain(self) -> list[int]:
        ids = [entry_id for entry_id, _ in self._queue.drain(5_000)]
        self._queue.place(self._n, ids, [bytes(32)] * len(ids), [0] * len(ids))
        self._n += len(ids)
        return ids

    def close(self) -> None:
        self._queue.close()


@pytest.mark.parametrize("kind", [QueueDrain, CursorDrain], ids=["queue", "control: id above the last one"])
def test_no_entry_is_skipped(database: Database, ledger: Ledger, kind: type[QueueDrain | CursorDrain]) -> None:
    """Transactions commit in another order than they draw their ids."""
    url = make_url(database.url("trading_sequencer")).set(drivername="postgresql")
    drain = kind(url.render_as_string(hide_password=False))
    wide = Ledger(database.engine(pool_size=WRITERS), registry=ledger.registry)
    drained: list[int] = []
    is_over = threading.Event()

    def work(number: int) -> None:
        if number == WRITERS:
            while not is_over.is_set():
                drained.extend(drain.drain())
                time.sleep(0.002)
            return
        for _ in range(ACTS):
            with wide.begin(ACTOR) as uow:
                uow.record(EVENT)
                pause(6)

    writers = threading.Thread(target=in_threads, args=(work, WRITERS))
    drainer = threading.Thread(target=work, args=(WRITERS,))
    drainer.start()
    writers.start()
    writers.join()
    is_over.set()
    drainer.join()
    drained.extend(drain.drain())
    drain.close()
    lost = WRITERS * ACTS - len(set(drained))
    assert len(drained) == len(set(drained))
    if kind is CursorDrain:
        assert lost > 0, "the control must be able to fail"
    else:
        assert lost == 0
