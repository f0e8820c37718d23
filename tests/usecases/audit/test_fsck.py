"""fsck names every kind of damage and raises no false alarm (AL1 L11.1)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.logs import LogWorld
from tests.support.polling import eventually
from trading.audit import fsck, service
from trading.audit.ledger import Ledger
from trading.audit.model import OVERDUE_MS
from trading.audit.rules.chain import parse_entry
from trading.audit.rules.note import Checkpoint, parse_checkpoint_text, parse_note
from trading.audit.rules.tiles import parse_bundle
from trading.audit.sequencer.writer import LogSigner
from trading.kernel.events import Event
from trading.kernel.roles import Actor
from trading.storage.wal import read_frames

ACTOR = Actor.system("test")
EVENT = Event(kind="config.changed", subject="setting:x", body={"what": "x"})
ENTRIES = 260


@pytest.fixture
def logged(world: LogWorld, ledger: Ledger) -> LogWorld:
    """A log of 260 entries, witnessed."""
    with ledger.begin(ACTOR) as uow:
        for _ in range(ENTRIES):
            uow.record(EVENT)
    with world.running():
        eventually(lambda: f"\n{ENTRIES}\n".encode() in (world.tiles.read("witnessed") or b""))
    return world


def flip(world: LogWorld, path: str, at: int = 40) -> None:
    file = world.log_dir / path
    data = bytearray(file.read_bytes())
    data[at] ^= 1
    file.write_bytes(bytes(data))


def owner(world: LogWorld, statement: str) -> None:
    """Do what only an owner who drops the guard could do."""
    with world.database.connect() as superuser:
        superuser.exec_driver_sql("ALTER TABLE log.audit_entry DISABLE TRIGGER USER")
        superuser.exec_driver_sql("ALTER TABLE log.log_position DISABLE TRIGGER USER")
        superuser.exec_driver_sql(statement)


def sign_other_root(world: LogWorld, size: int) -> None:
    """Keep a note over another root: what a split view leaves behind."""
    signer = LogSigner(world.database.origin, world.signer.seed)
    signed = signer.sign(Checkpoint(origin=world.database.origin, size=size, root=bytes(32)))
    world.tiles.write("checkpoint", signed.note.encode())


DAMAGE: dict[str, tuple[str, Callable[[LogWorld], None]]] = {
    "bit of the write-ahead log": ("wal", lambda w: flip(w, "wal/0000000000000000.wal")),
    "bit of a full bundle": ("tile", lambda w: flip(w, "tiles/tile/entries/000")),
    "bit of a full tile": ("tile", lambda w: flip(w, "tiles/tile/0/000")),
    "bit of a partial tile": ("tile", lambda w: flip(w, "tiles/tile/0/001.p/4")),
    "bit of the upper tile": ("tile", lambda w: flip(w, "tiles/tile/1/000.p/1", 3)),
    "lost tile": ("tile", lambda w: (w.tiles.root / "tile/0/000").unlink()),
    "bit of a note": ("note", lambda w: flip(w, "tiles/witnessed", 100)),
    "another root signed": ("note", lambda w: sign_other_root(w, ENTRIES)),
    "a larger size signed": ("note", lambda w: sign_other_root(w, ENTRIES + 1)),
    "head of another tree": ("head", lambda w: flip(w, "head/head.json", 50)),
    "head of another log": ("head", lambda w: flip(w, "head/head.json", 14)),
    "record": ("record", lambda w: owner(w, "UPDATE log.audit_entry SET record = '{}' WHERE id = 7")),
    "nonce": ("record", lambda w: owner(w, "UPDATE log.audit_entry SET nonce = sha256('') WHERE id = 7")),
    "commitment": ("position", lambda w: owner(w, "UPDATE log.audit_entry SET h = sha256('') WHERE id = 7")),
    "clock of a position": ("position", lambda w: owner(w, "UPDATE log.log_position SET t = t + 1 WHERE n = 7")),
    "lost position": ("position", lambda w: owner(w, "DELETE FROM log.log_position WHERE n = 7")),
    "entry that left the queue": ("queue", lambda w: owner(w, "DELETE FROM log.log_position WHERE n = 259")),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_found(logged: LogWorld, name: str) -> None:
    assert logged.fsck().exit_code == 0
    check, damage = DAMAGE[name]
    damage(logged)
    report = logged.fsck()
    assert check in {finding.check for finding in report.findings}
    assert report.exit_code == 1


def test_a_whole_log(logged: LogWorld, ledger: Ledger) -> None:
    report = logged.fsck()
    assert (report.size, report.counts["entries"], report.counts["positions"]) == (ENTRIES, ENTRIES, ENTRIES)
    assert report.counts["tiles"] == 5  # two leaf tiles, two bundles, one tile above
    with ledger.begin(ACTOR) as uow:
        uow.record(EVENT)
    assert logged.fsck().exit_code == 0  # it waits, but not for long yet


def test_an_entry_that_waits_too_long(logged: LogWorld, ledger: Ledger) -> None:
    with ledger.begin(ACTOR) as uow:
        uow.record(EVENT, at=uow.at - 61_000)
    assert [finding.check for finding in logged.fsck().findings] == ["overdue"]


def test_positions_that_a_dead_sequencer_has_left_to_the_next_one(
    logged: LogWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The head moves before the positions are written (AL1 L5.1): for a minute they may be on their way."""
    monkeypatch.setattr(fsck, "_PATIENCE_S", 0.0)
    owner(logged, "DELETE FROM log.log_position WHERE n >= 250")
    now = log_clock(logged, 250)
    for late, wanted in ((OVERDUE_MS, (set(), {"position"})), (OVERDUE_MS + 1, ({"position"}, set()))):
        monkeypatch.setattr(service, "platform_ms", lambda _conn, at=now + late: at)
        report = logged.fsck()
        found = {each.check for each in report.findings} & {"position"}
        assert (found, {each.check for each in report.unchecked}) == wanted


def log_clock(world: LogWorld, n: int) -> int:
    """Return the clock of entry ``n``, ms."""
    frames = read_frames(world.log_dir / "wal")
    return [parse_entry(data).t for frame in frames for data in parse_bundle(frame.payload, frame.count)][n]


def test_beside_a_running_sequencer(logged: LogWorld, ledger: Ledger) -> None:
    with logged.running():
        for _ in range(10):
            with ledger.begin(ACTOR) as uow:
                uow.record(EVENT)
            assert logged.fsck().findings == []


def test_a_log_without_notes_is_not_fully_checked(logged: LogWorld) -> None:
    (logged.tiles.root / "checkpoint").unlink()
    assert logged.fsck().exit_code == 2


def test_delays_are_recorded(world: LogWorld, ledger: Ledger) -> None:
    """A sequencer that finds old entries says from when to when the log was late (AL1 L5.5)."""
    with ledger.begin(ACTOR) as uow:
        uow.record(EVENT, at=uow.at - 30_000)
        began = uow.at - 30_000
        uow.connection.exec_driver_sql(  # no JSON at all: must not stop the log
            "INSERT INTO log.audit_entry (kind, record, nonce) VALUES ('x', '\\xff00', decode(repeat('01', 32), 'hex'))"
        )
    world.log_everything()
    world.log_everything()
    with world.database.connect() as superuser:
        record = superuser.exec_driver_sql("SELECT record FROM log.audit_entry WHERE kind = 'log.delayed'").scalar_one()
        count = superuser.exec_driver_sql("SELECT count(*) FROM log.log_position").scalar_one()
    assert f'"from":{began},' in record.decode()
    assert count == 3
    note = world.tiles.read("checkpoint")
    assert note is not None
    assert parse_checkpoint_text(parse_note(note).text).size == 3
