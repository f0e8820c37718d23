"""How the log does: witnesses late by a second, entries that wait, clocks on hold, kinds that nobody records yet."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from tests.build.signed_log import ORIGIN, SignedLog, policy_text
from tests.support.logs import LogWorld
from tests.support.polling import eventually
from trading.audit.health import MISSED_MS, QUEUE_MS, Health, WitnessHealth, health
from trading.audit.ledger import Ledger
from trading.audit.queries import AccessWish, accesses
from trading.audit.service import record_access
from trading.kernel.events import Event
from trading.kernel.roles import Actor
from trading.storage.tiles import TileStore

SYSTEM = Actor.system("test")
NOW = 1_778_551_200_000


class Process:
    """What of a process is needed."""

    def __init__(self, world: LogWorld, ledger: Ledger) -> None:
        self.ledger = ledger
        self.log_dir: Path = world.log_dir / "tiles"
        self.origin = world.database.origin
        self.witness_policy = world.policy_text


def now(process: Process) -> Health:
    with process.ledger.read() as conn:
        return health(conn, process)


def record(ledger: Ledger, kind: str, subject: str, /, **body: object) -> None:
    with ledger.begin(SYSTEM) as uow:
        uow.record(Event(kind=kind, subject=subject, body=body))


def test_a_log_before_its_first_entry(world: LogWorld, ledger: Ledger) -> None:
    found = now(Process(world, ledger))
    assert (found.working, found.waiting_ms, found.clocks) == (None, 0, ())
    assert [(each.name, each.signed_at) for each in found.witnesses] == [("w1", None), ("w2", None), ("w3", None)]
    assert set(found.events.values()) == {()}


def test_witnesses_that_sign_and_one_that_is_gone(world: LogWorld, ledger: Ledger) -> None:
    process = Process(world, ledger)
    world.witnesses[2].stop()
    record(ledger, "witness.missed", "witness:w3", since=NOW - 5, witness="w3")
    with world.running():
        eventually(lambda: now(process).working)
        eventually(lambda: sum(each.signed_at is not None for each in now(process).witnesses) == 2)
    found = {each.name: each for each in now(process).witnesses}
    assert found["w3"] == WitnessHealth(name="w3", signed_at=None, missed_since=NOW - 5)
    assert found["w1"].missed_since is None
    assert now(process).waiting_ms == 0


def test_a_witness_that_signed_an_earlier_note_is_told_by_that(world: LogWorld, ledger: Ledger, tmp_path: Path) -> None:
    """Two of three make a note: the third is late only when it has signed none for a minute."""
    process, log, tiles = Process(world, ledger), SignedLog().grow(9), TileStore(tmp_path / "kept")
    process.log_dir, process.origin, process.witness_policy = tiles.root, ORIGIN, policy_text()
    tiles.keep_witnessed(5, log.note(5, cosigners=((1, 100), (2, 101), (3, 102))))
    tiles.keep_witnessed(5, log.note(5, cosigners=((1, 200), (2, 201))))
    tiles.keep_witnessed(9, log.note(9, cosigners=((1, 300), (2, 301))))
    found = now(process)
    assert found.working == 9
    assert [(each.name, each.signed_at) for each in found.witnesses] == [
        ("w1", 300_000),
        ("w2", 301_000),
        ("w3", 102_000),
    ]


def test_an_entry_that_nobody_logs_waits(world: LogWorld, ledger: Ledger) -> None:
    process = Process(world, ledger)
    record(ledger, "config.changed", "setting:x", what="x")
    eventually(lambda: now(process).waiting_ms > 0)
    world.log_everything()
    assert now(process).waiting_ms == 0  # the control: once it is logged, nothing waits


@pytest.mark.parametrize(("age", "late"), [(MISSED_MS - 1, False), (MISSED_MS, False), (MISSED_MS + 1, True)])
def test_a_witness_is_late_after_a_minute(age: int, *, late: bool) -> None:
    assert WitnessHealth(name="w", signed_at=NOW - age, missed_since=None).is_late(NOW) is late
    assert WitnessHealth(name="w", signed_at=None, missed_since=None).is_late(NOW)


@pytest.mark.parametrize(("age", "delayed"), [(QUEUE_MS - 1, False), (QUEUE_MS, False), (QUEUE_MS + 1, True)])
def test_the_queue_is_delayed_after_five_seconds(age: int, *, delayed: bool) -> None:
    assert Health(witnesses=(), working=None, waiting_ms=age, clocks=(), events={}).is_delayed is delayed


def test_clocks_holds_and_time_stamps(world: LogWorld, ledger: Ledger) -> None:
    report: dict[str, object] = {"dispersion_us": 20, "leap": 0, "sources": [], "stratum": 2, "synchronised": True}
    for offset in (-7, 12):
        record(ledger, "clock.state", "host:database", host="database", offset_us=offset, **report)
    record(ledger, "clock.state", "host:web", host="web", offset_us=1, **report)
    record(ledger, "clock.hold", "host:web", host="web", reason="no source")
    stamp: dict[str, object] = {
        "gen_time": NOW,
        "root": "0" * 64,
        "size": 8,
        "token_sha256": "1" * 64,
        "tsa": "tsa.test",
    }
    record(ledger, "tst.anchored", "log", **stamp)
    found = now(Process(world, ledger))
    assert [(each.host, each.offset_us, each.hold) for each in found.clocks] == [
        ("database", 12, None),
        ("web", 1, "no source"),
    ]
    (anchored,) = found.events["tst.anchored"]
    assert anchored.items() >= stamp.items()


def test_accesses_are_found_by_who_and_what_page_by_page(ledger: Ledger) -> None:
    for number in range(6):
        actor = Actor(account=f"a-{number % 2}", organisation=f"ORG{number % 2}")
        record_access(ledger, actor, f"record:T-{number}:{secrets.token_hex(4)}")
    record(ledger, "config.changed", "setting:x", what="record:T-9")  # not an access

    def found(limit: int = 50, **wish: str) -> list[str]:
        with ledger.read() as conn:
            return [each.what.split(":")[1] for each in accesses(conn, AccessWish(**wish), limit)]

    assert found() == ["T-5", "T-4", "T-3", "T-2", "T-1", "T-0"]
    assert found(who="org1") == ["T-5", "T-3", "T-1"]
    assert found(who="a-0", what="t-2") == ["T-2"]
    with ledger.read() as conn:
        first = accesses(conn, AccessWish(), 4)
        rest = accesses(conn, AccessWish(before=first[-1].h), 4)
        own = accesses(conn, AccessWish(), 2, lambda each: each.organisation == "ORG0")
    assert [each.what.split(":")[1] for each in rest] == ["T-1", "T-0"]
    assert [each.organisation for each in own] == ["ORG0", "ORG0"]
