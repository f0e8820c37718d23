"""Rows of the log's tables and files of the log are changed one at a time: ``fsck`` names the first bad place.

A normal run plays 28 mutations and 4 clean logs, ``MINGBIAO_CAMPAIGN=long`` 1,000 of each (AL1 L15, reliability F30,
F34). After every mutation the log is put right and checked again. The controls leave out one check of ``fsck``, which
must then miss what the check is for.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.campaigns.test_tamper import Dice
from tests.support.campaigns import LONG
from tests.support.databases import Server, clone
from tests.support.forks import shown
from tests.support.logs import LogWorld
from tests.support.made_log import MadeLog
from tests.support.make_bundle import make_bundle
from tests.support.mutations import (
    FILES,
    ROWS,
    DeadLog,
    Mutation,
    bit_of_a_record,
    clock_of_a_position,
    entry_queued_again,
    files_swapped,
    owner_of_log,
    tile_removed,
    undone,
)
from tests.support.polling import eventually
from tests.support.verifying import failures, told_once, verify
from trading.audit.fsck import Fsck
from trading.audit.ledger import Ledger
from trading.audit.model import EVENTS
from trading.kernel.events import Event, Registry
from trading.kernel.roles import Actor
from verifier.verification import Options

ROUNDS = 1000 if LONG else 28
CLEAN = 1000 if LONG else 4
SIZES = (37, 255, 256, 262, 270)  # witnessed at these: before, at and after a full tile, and two widths of the next
EVENT = Event(kind="config.changed", subject="setting:x", body={"what": "x"})
MUTATIONS: tuple[Mutation, ...] = (*ROWS, *FILES)


@pytest.fixture(scope="module")
def log(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeadLog]:
    with clone(server) as database, pytest.MonkeyPatch.context() as patch:
        patch.setattr("trading.audit.fsck._PATIENCE_S", 0.0)  # nobody will add a position that is missing
        patch.setattr("trading.audit.fsck.OVERDUE_MS", 3_600_000)  # an entry without one is found for that reason
        world = LogWorld(database, tmp_path_factory.mktemp("log"))
        ledger = Ledger(database.engine(), registry=Registry(EVENTS), reader=database.engine("trading_reader"))
        with world.running():
            for size in SIZES:
                grow(world, ledger, size)
        world.close()
        with owner_of_log(database) as conn:
            yield DeadLog(conn, world.log_dir, database.origin, world.policy)


def grow(world: LogWorld, ledger: Ledger, size: int) -> None:
    with ledger.begin(Actor.system("test")) as uow:
        known = uow.connection.exec_driver_sql("SELECT count(*) FROM log.audit_entry").scalar_one()
        for _ in range(size - known):
            uow.record(EVENT)
    eventually(lambda: f"\n{size}\n".encode() in (world.tiles.read("witnessed") or b""))


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_every_mutation_is_found_and_its_place_named_first(log: DeadLog, seed: int) -> None:
    mutate = MUTATIONS[seed % len(MUTATIONS)]
    with undone(log):
        places = mutate(log, Dice(seed))
        found = log.fsck()
    assert found, f"{mutate.__name__} at {places} was not found"
    assert any(place in found[0] for place in places), f"{mutate.__name__} at {places} was found elsewhere: {found[:3]}"
    assert log.fsck() == []


def test_a_wrong_size_is_named_once(log: DeadLog) -> None:
    """What stands after a row that is gone is compared with its own entry."""
    with undone(log):
        log.conn.exec_driver_sql("DELETE FROM log.log_position WHERE n IN (7, 8, 200)")
        found = [each for each in log.fsck() if each.startswith("position")]
    assert found == ["position entry 7", "position entry 8", "position entry 200"]


@pytest.mark.parametrize("turn", range(CLEAN))
def test_clean_logs_raise_no_alarm(turn: int) -> None:
    """Logs of other sizes, times and checkpoints each time, read by the verifier."""
    dice, tender = Dice(turn), told_once("clean")
    other = MadeLog(tender.log.origin)
    at = 1_770_000_000_000 + dice.below(10**9)
    for _ in range(1 + dice.below(70 if turn % 20 else 600)):
        at += dice.below(90_000)
        other.append("log.pad", {}, at=at, subject="log", procedure=None)
        if not dice.below(40):
            other.witness(at + 1_000)
    report = verify(make_bundle(shown(tender, other), "audit", "log"), tender, Options())
    assert (failures(report), report.exit_code) == ({}, 0)


CONTROLS: dict[str, tuple[Mutation, str, object]] = {
    "positions": (clock_of_a_position, "_positions", None),
    "records": (bit_of_a_record, "_compare_row", None),
    "queue": (entry_queued_again, "_queue", None),
    "tiles": (tile_removed, "_compare_tile", None),
    "notes and tiles": (files_swapped, "_notes", {}),
}


@pytest.mark.parametrize("name", CONTROLS)
def test_control_without_its_check_a_mutation_is_missed(
    log: DeadLog, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    mutate, check, answer = CONTROLS[name]
    monkeypatch.setattr(Fsck, check, lambda *_: answer)
    if check == "_notes":
        monkeypatch.setattr(Fsck, "_compare_tile", lambda *_: None)
    for seed in range(3):
        with undone(log):
            mutate(log, Dice(seed))
            assert log.fsck() == []
