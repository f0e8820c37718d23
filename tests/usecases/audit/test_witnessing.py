"""The witness loop of the sequencer: newest head to all, a quorum is enough, nobody holds up the others (AL1 L7.3)."""

from __future__ import annotations

import socket
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from tests.support.databases import Database
from tests.support.logs import FAST, LogWorld, foreign_growth
from tests.support.polling import eventually
from trading.audit.ledger import Ledger
from trading.audit.rules.bounds import witnessed_time
from trading.audit.rules.note import parse_checkpoint_text, parse_note
from trading.audit.sequencer import client
from trading.audit.sequencer.writer import LogSigner
from trading.audit.service import verified_note
from trading.kernel.clock import FixedClock, SystemClock
from trading.kernel.errors import IntegrityFailure
from trading.kernel.events import Event
from trading.kernel.roles import Actor

ACTOR = Actor.system("test")


def act(ledger: Ledger) -> None:
    with ledger.begin(ACTOR) as uow:
        uow.record(Event(kind="config.changed", subject="setting:x", body={"what": "x"}))


def witnessed_size(world: LogWorld) -> int:
    data = world.tiles.read("witnessed")
    return 0 if data is None else parse_checkpoint_text(parse_note(data).text).size


def is_witnessed(world: LogWorld, size: int) -> bool:
    return witnessed_size(world) >= size


def kinds(database: Database) -> list[str]:
    with database.connect() as superuser:
        return list(superuser.exec_driver_sql("SELECT kind FROM log.audit_entry ORDER BY id").scalars())


def test_every_kept_note_meets_the_quorum(world: LogWorld, ledger: Ledger) -> None:
    with world.running():
        for count in range(1, 6):
            act(ledger)
            eventually(partial(is_witnessed, world, count))
    notes = world.tiles.notes()
    assert notes[-1][0] == 5
    for size, path in notes:
        data = world.tiles.read(path)
        assert data is not None
        found = witnessed_time(verified_note(data, world.database.origin, world.policy), world.policy)
        assert found is not None
        assert found.size == size


def test_a_silent_witness_holds_up_nobody(world: LogWorld, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address that takes connections and never answers."""
    monkeypatch.setattr(client, "TIMEOUT_S", 60.0)  # so that the first question stays open to the end of this test
    with socket.create_server(("127.0.0.1", 0)) as silent:
        world.witnesses[2].stop()
        world.witnesses[2].url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with world.sequencer() as sequencer:
            sequencer._wait_for_witnesses = lambda: None  # type: ignore[method-assign]
            sequencer.start()
            for count in range(1, 8):
                act(ledger)
                sequencer.step()
                eventually(partial(is_witnessed, world, count))
            assert [each.names for each in sequencer._witnesses._busy.values()] == [("w3",)]
            silent.close()  # the open question ends with a reset


def test_a_missing_witness_is_reported_once(world: LogWorld, ledger: Ledger) -> None:
    with world.running(options=replace(FAST, missed_s=0.2)):
        act(ledger)
        eventually(lambda: witnessed_size(world) == 1)
        world.witnesses[0].stop()
        eventually(lambda: "witness.missed" in kinds(world.database))
        before = witnessed_size(world)
        act(ledger)
        eventually(lambda: witnessed_size(world) > before)  # two of three are a quorum
        world.witnesses[0].start()
        eventually(lambda: world.witnesses[0].size == witnessed_size(world))
        world.witnesses[0].stop()
        eventually(lambda: kinds(world.database).count("witness.missed") == 2)


def test_a_jump_of_demonstration_time_is_no_silence(world: LogWorld, ledger: Ledger) -> None:
    clock = FixedClock(SystemClock().now_ms())
    with world.sequencer(clock=clock) as sequencer:
        sequencer.start()
        act(ledger)
        sequencer.step()
        eventually(lambda: witnessed_size(world) == 1)
        clock.ms += 5 * 3_600_000
        act(ledger)
        sequencer.step()
        eventually(lambda: witnessed_size(world) == 2)
        sequencer.step()
    assert "witness.missed" not in kinds(world.database)


def test_another_history_at_a_witness_stops_the_log(world: LogWorld, ledger: Ledger, tmp_path: Path) -> None:
    act(ledger)
    world.log_everything()
    world.copy_log(tmp_path / "fork" / "log")
    with world.sequencer() as ours:
        ours.start()
        foreign_growth(world, tmp_path / "fork" / "log", entries=1)
        act(ledger)
        with pytest.raises(IntegrityFailure, match="knows"):  # a larger size or another history, whatever comes first
            eventually(lambda: ours.step() and False)
    with world.sequencer() as ours, pytest.raises(IntegrityFailure, match="knows"):
        ours.start()


def test_the_key_must_be_the_one_of_the_policy(world: LogWorld) -> None:
    world.signer = LogSigner(world.database.origin, bytes(32))
    with world.sequencer() as sequencer, pytest.raises(IntegrityFailure, match="log key"):
        sequencer.start()


def test_a_hold_of_this_host_is_released_when_witnesses_agree(world: LogWorld, ledger: Ledger) -> None:
    with ledger.begin(ACTOR) as uow:
        uow.record(Event(kind="clock.hold", subject="host:sequencer", body={"host": "sequencer", "reason": "x"}))
    with world.running():
        eventually(lambda: kinds(world.database)[-1] == "clock.released")
    with ledger.read() as connection:
        assert connection.exec_driver_sql("SELECT log.on_hold()").scalar_one() is False


def test_a_hold_stays_while_witnesses_disagree(world: LogWorld, ledger: Ledger) -> None:
    """Control: the witnesses live in another hour."""
    with ledger.begin(ACTOR) as uow:
        uow.record(Event(kind="clock.hold", subject="host:sequencer", body={"host": "sequencer", "reason": "x"}))
    with world.sequencer(clock=FixedClock(SystemClock().now_ms() + 3_600_000)) as sequencer:
        sequencer.start()
        sequencer.step()
        eventually(lambda: witnessed_size(world) == 1)
        sequencer.step()
    assert "clock.released" not in kinds(world.database)
