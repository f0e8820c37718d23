"""The sequencer dies at every step of AL1 L5.1 and starts again; other writers, restored copies, knowing witnesses.

``fsck`` ends every round: nothing is logged twice, nothing acknowledged is lost, nothing signed lacks its entries.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
from pathlib import Path

import pytest

from tests.support.databases import Database
from tests.support.logs import FAST, Killed, LogWorld, foreign_growth, kill_at
from tests.support.polling import eventually
from trading.audit.ledger import Ledger
from trading.audit.rules.clocks import BEHIND
from trading.audit.rules.note import parse_checkpoint_text, parse_note
from trading.audit.sequencer.loop import Options
from trading.kernel.clock import FixedClock, SystemClock
from trading.kernel.errors import Conflict, IntegrityFailure
from trading.kernel.events import Event
from trading.kernel.roles import Actor
from trading.storage.head import HeadStore
from trading.storage.wal import WriteAheadLog, encode_frame

STEPS = ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B9", "B10")
ACTOR = Actor.system("test")


def act(ledger: Ledger, what: str = "x") -> bytes:
    with ledger.begin(ACTOR) as uow:
        return uow.record(Event(kind="config.changed", subject="setting:x", body={"what": what})).h


def die_at(world: LogWorld, step: str) -> None:
    with world.sequencer(hook=kill_at(step)) as sequencer:
        sequencer.start()
        with pytest.raises(Killed):
            sequencer.step()


def whole(world: LogWorld) -> None:
    report = world.fsck()
    assert report.findings == []
    assert report.counts["entries"] == report.counts["positions"] == len(world.log_order())


def size_of(world: LogWorld, name: str) -> int:
    data = world.tiles.read(name)
    return 0 if data is None else parse_checkpoint_text(parse_note(data).text).size


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("before", [0, 3], ids=["first batch", "later batch"])
def test_killed_after_a_step(world: LogWorld, ledger: Ledger, step: str, before: int) -> None:
    acknowledged = [act(ledger) for _ in range(before)]
    if before:
        world.log_everything()
    acknowledged += [act(ledger), act(ledger)]
    die_at(world, step)
    head_of_the_dead = HeadStore(world.log_dir / "head").read()
    acknowledged.append(act(ledger))  # commits go on while nothing is logged
    world.log_everything()
    assert world.log_order() == acknowledged
    assert size_of(world, "checkpoint") == before + 3
    head = HeadStore(world.log_dir / "head").read()
    assert head is not None
    assert head_of_the_dead is None or head.size > head_of_the_dead.size
    whole(world)


@pytest.mark.parametrize("step", STEPS)
def test_killed_again_while_it_recovers(world: LogWorld, ledger: Ledger, step: str) -> None:
    acknowledged = [act(ledger), act(ledger)]
    die_at(world, "B5")  # leaves a whole frame beyond the head, which the next start adopts
    with world.sequencer(hook=kill_at(step)) as sequencer:
        if step in {"B5", "B6", "B7", "B8"}:
            with pytest.raises(Killed):
                sequencer.start()
        else:
            sequencer.start()
    world.log_everything()
    assert world.log_order() == acknowledged
    whole(world)


def test_many_batches_and_full_tiles(world: LogWorld, ledger: Ledger) -> None:
    acknowledged = []
    options = Options(interval_s=0.001, batch=50, heartbeat_s=5.0, retry_s=0.02)
    for _ in range(3):
        with ledger.begin(ACTOR) as uow:
            event = Event(kind="config.changed", subject="setting:x", body={"what": "x"})
            acknowledged += [uow.record(event).h for _ in range(187)]
        with world.sequencer(options=options) as sequencer:
            sequencer.start()
            while sequencer.step():
                pass
    assert world.log_order() == acknowledged
    assert len(acknowledged) == 561
    assert world.tiles.read("tile/1/000.p/2") is not None
    assert not (world.tiles.root / "tile/0/000.p").exists()  # partial tiles go when the full one exists
    whole(world)


@pytest.mark.parametrize("cut", [1, 10, 30])
def test_torn_tail_of_the_write_ahead_log(world: LogWorld, ledger: Ledger, cut: int) -> None:
    acknowledged = [act(ledger)]
    world.log_everything()
    acknowledged.append(act(ledger))
    die_at(world, "B4")
    segment = next((world.log_dir / "wal").glob("*.wal"))
    os.truncate(segment, segment.stat().st_size - cut)
    world.log_everything()
    assert world.log_order() == acknowledged
    whole(world)


def test_a_frame_of_unknown_entries_is_cut_off(world: LogWorld, ledger: Ledger) -> None:
    """Whole and well formed, but not of our queue: never signed, so it goes."""
    acknowledged = [act(ledger)]
    world.log_everything()
    acknowledged.append(act(ledger))
    die_at(world, "B4")
    with world.database.connect() as superuser:  # as if the rows had been logged elsewhere meanwhile
        superuser.exec_driver_sql("DELETE FROM log.audit_queue")
    with world.sequencer() as sequencer:
        sequencer.start()
    with world.database.connect() as superuser:
        superuser.exec_driver_sql("INSERT INTO log.audit_queue SELECT max(id) FROM log.audit_entry")
    world.log_everything()
    assert world.log_order() == acknowledged
    whole(world)


def test_tiles_are_rebuilt_from_the_write_ahead_log(world: LogWorld, ledger: Ledger) -> None:
    with ledger.begin(ACTOR) as uow:
        for _ in range(300):
            uow.record(Event(kind="config.changed", subject="setting:x", body={"what": "x"}))
    world.log_everything()
    (world.tiles.root / "tile/0/000").write_bytes(b"\0" * 8192)  # stale after a power cut: tiles are not synced
    act(ledger)
    world.log_everything()
    whole(world)
    (world.tiles.root / "tile/entries/000").write_bytes(b"\0" * 8192)  # not needed to go on, so the check finds it
    assert [finding.place for finding in world.fsck().findings] == ["tile/entries/000"]
    shutil.rmtree(world.tiles.root / "tile")  # what an operator does then
    act(ledger)
    world.log_everything()
    whole(world)


def test_two_sequencers(world: LogWorld, ledger: Ledger, tmp_path: Path) -> None:
    act(ledger)
    with world.sequencer() as first:
        first.start()
        with pytest.raises(Conflict), world.sequencer():  # flock
            pass
        elsewhere = LogWorld(world.database, tmp_path / "elsewhere", witnesses=world.witnesses)
        with pytest.raises(Conflict), elsewhere.sequencer(options=Options(lock_s=0.1)):  # advisory lock
            pass
        first.step()
    whole(world)


def test_the_head_is_the_last_word(world: LogWorld, ledger: Ledger) -> None:
    act(ledger)
    with world.sequencer() as first:
        first.start()
        first.step()
        act(ledger)
        store = HeadStore(world.log_dir / "head")
        head = store.read()
        assert head is not None
        store.swap(head, type(head)(origin=head.origin, root=bytes(32), size=head.size + 1))
        with pytest.raises(Conflict, match="another sequencer"):
            first.step()
    assert size_of(world, "checkpoint") == 1


def test_a_database_that_was_set_back(world: LogWorld, ledger: Ledger, database: Database) -> None:
    act(ledger)
    world.log_everything()
    copy = f"{database.name}_copy"
    database.dispose()
    with database.server.connect() as superuser:
        superuser.exec_driver_sql(f"CREATE DATABASE {copy} TEMPLATE {database.name} STRATEGY FILE_COPY")
    try:
        act(ledger)
        world.log_everything()
        set_back = Database(server=database.server, name=copy, demo=False)
        restored = LogWorld(set_back, world.directory, witnesses=world.witnesses)
        with restored.sequencer() as sequencer, pytest.raises(IntegrityFailure, match="database was set back"):
            sequencer.start()
        assert size_of(world, "checkpoint") == 2
    finally:
        with database.server.connect() as superuser:
            superuser.exec_driver_sql(f"DROP DATABASE {copy} WITH (FORCE)")


def test_a_log_host_that_was_set_back(world: LogWorld, ledger: Ledger, tmp_path: Path) -> None:
    act(ledger)
    world.log_everything()
    world.copy_log(tmp_path / "snapshot")
    act(ledger)
    world.log_everything()
    world.restore_log(tmp_path / "snapshot")
    with world.sequencer() as sequencer, pytest.raises(IntegrityFailure, match="log was set back"):
        sequencer.start()


@pytest.mark.parametrize(
    ("parts", "told"),
    [(("wal", "tiles"), "write-ahead log leads to size 1"), (("head",), "log was set back")],
    ids=["all but the head", "the head alone"],
)
def test_a_volume_of_the_log_host_that_was_set_back(
    world: LogWorld, ledger: Ledger, tmp_path: Path, parts: tuple[str, ...], told: str
) -> None:
    act(ledger)
    world.log_everything()
    world.copy_log(tmp_path / "snapshot")
    act(ledger)
    world.log_everything()
    for part in parts:
        shutil.rmtree(world.log_dir / part)
        shutil.copytree(tmp_path / "snapshot" / part, world.log_dir / part)
    with world.sequencer() as sequencer, pytest.raises(IntegrityFailure, match=told):
        sequencer.start()


@pytest.mark.parametrize("left", [b"", bytes(300)], ids=["empty", "zeros"])
def test_a_checkpoint_that_a_power_cut_took(world: LogWorld, ledger: Ledger, left: bytes) -> None:
    """The file is never synced; head, entries and witnesses tell what it would have told."""
    act(ledger)
    world.log_everything()
    (world.tiles.root / "checkpoint").write_bytes(left)
    world.log_everything()
    assert size_of(world, "checkpoint") == 1
    whole(world)


def test_what_a_dead_sequencer_left_unfinished_is_removed(world: LogWorld, ledger: Ledger) -> None:
    act(ledger)
    world.log_everything()
    left = [world.tiles.root / ".unfinished" / ".000.0123456789ab", world.log_dir / "head" / ".head.json.0123456789ab"]
    for path in left:
        path.write_bytes(b"half")
    world.log_everything()
    assert [path for path in left if path.exists()] == []
    whole(world)


def forget_the_newest(world: LogWorld) -> None:
    """Take the newest position and entry out of the database, as the restore of an older backup would."""
    with world.database.connect() as superuser:
        superuser.exec_driver_sql("ALTER TABLE log.log_position DISABLE TRIGGER USER")
        superuser.exec_driver_sql("ALTER TABLE log.audit_entry DISABLE TRIGGER USER")
        newest = "(SELECT max(id) FROM log.audit_entry)"
        superuser.exec_driver_sql(f"DELETE FROM log.log_position WHERE entry_id = {newest}")  # noqa: S608
        superuser.exec_driver_sql(f"DELETE FROM log.audit_entry WHERE id = {newest}")  # noqa: S608
        superuser.exec_driver_sql("ALTER TABLE log.log_position ENABLE ALWAYS TRIGGER c_frozen")
        for trigger in ("a_stamp", "b_enqueue", "c_frozen"):
            superuser.exec_driver_sql(f"ALTER TABLE log.audit_entry ENABLE ALWAYS TRIGGER {trigger}")


def set_both_back(world: LogWorld, ledger: Ledger, tmp_path: Path) -> None:
    """Database and log host return to the same earlier moment; only the witnesses remember."""
    act(ledger)
    with world.running():
        eventually(lambda: all(witness.size == 1 for witness in world.witnesses))
    world.copy_log(tmp_path / "snapshot")
    act(ledger)
    with world.running():
        eventually(lambda: all(witness.size == 2 for witness in world.witnesses))
    world.restore_log(tmp_path / "snapshot")
    forget_the_newest(world)


def test_a_witness_that_knows_more(world: LogWorld, ledger: Ledger, tmp_path: Path) -> None:
    set_both_back(world, ledger, tmp_path)
    act(ledger, "another history")
    with world.sequencer() as sequencer, pytest.raises(IntegrityFailure, match="knows size 2, we have 1"):
        sequencer.start()
    assert size_of(world, "checkpoint") == 1


def test_witnesses_are_asked_before_the_first_signature(world: LogWorld, ledger: Ledger, tmp_path: Path) -> None:
    """Control: if nobody asked them at the start, a second history of size 2 would be signed."""
    set_both_back(world, ledger, tmp_path)
    act(ledger, "another history")
    with world.sequencer() as sequencer:
        sequencer._wait_for_witnesses = lambda: None  # type: ignore[method-assign]
        sequencer._witnesses.offer = lambda *_heads: None  # type: ignore[method-assign]  # nor later, while it signs
        sequencer.start()
        sequencer.step()
    assert size_of(world, "checkpoint") == 2


def test_a_witness_that_learns_more_while_we_run(world: LogWorld, ledger: Ledger, tmp_path: Path) -> None:
    """Somebody else grows the log under our key: the witnesses tell, and this sequencer stops."""
    act(ledger)
    world.log_everything()
    world.copy_log(tmp_path / "fork" / "log")
    with world.sequencer() as ours:
        ours.start()
        fork = world.tiles.read("checkpoint")
        assert fork is not None
        foreign_growth(world, tmp_path / "fork" / "log", entries=5)
        act(ledger)
        with pytest.raises(IntegrityFailure, match="knows"):
            eventually(lambda: ours.step() and False, seconds=10)
    assert world.tiles.read("witnessed") is None or size_of(world, "witnessed") == 1


@pytest.fixture
def quiet(world: LogWorld) -> LogWorld:
    """A world in which two of three witnesses are down."""
    for witness in world.witnesses[1:]:
        witness.stop()
    return world


def test_without_a_quorum_nothing_is_signed(quiet: LogWorld, ledger: Ledger) -> None:
    act(ledger)
    with quiet.sequencer(options=FAST) as sequencer:
        thread = threading.Thread(target=sequencer.start)
        thread.start()
        assert thread.is_alive()
        assert quiet.tiles.read("checkpoint") is None
        quiet.witnesses[1].start()
        thread.join(20)
        assert not thread.is_alive()
        sequencer.step()
    assert size_of(quiet, "checkpoint") == 1


def test_a_clock_that_goes_back_stops_the_log(world: LogWorld, ledger: Ledger) -> None:
    clock = FixedClock(SystemClock().now_ms())
    start = clock.ms
    act(ledger)
    with world.sequencer(clock=clock) as sequencer:
        sequencer.start()
        sequencer.step()
        act(ledger)
        clock.ms -= 2_000  # as much as is allowed: t repeats
        sequencer.step()
        act(ledger)
        clock.ms -= 1
        with pytest.raises(IntegrityFailure, match="behind the last entry"):
            sequencer.step()
    with world.database.connect() as superuser:
        times = superuser.exec_driver_sql("SELECT t FROM log.log_position ORDER BY n").scalars().all()
        kinds = superuser.exec_driver_sql("SELECT kind FROM log.audit_entry ORDER BY id").scalars().all()
        newest = superuser.exec_driver_sql("SELECT record FROM log.audit_entry ORDER BY id DESC LIMIT 1").scalar_one()
        held = superuser.exec_driver_sql("SELECT log.on_hold()").scalar_one()
    reason = json.loads(newest)["body"]["reason"]
    assert times == [start] * 2
    assert kinds[-1] == "clock.hold"
    assert BEHIND.fullmatch(reason), "pages know these words"
    assert held is True


def test_damage_in_the_middle_of_the_write_ahead_log(world: LogWorld, ledger: Ledger) -> None:
    for _ in range(3):
        act(ledger)
        world.log_everything()
    segment = next((world.log_dir / "wal").glob("*.wal"))
    data = bytearray(segment.read_bytes())
    data[100] ^= 1
    segment.write_bytes(bytes(data))
    with world.sequencer() as sequencer, pytest.raises(IntegrityFailure):
        sequencer.start()
    assert world.fsck().exit_code == 1


def test_frames_and_segments(tmp_path: Path) -> None:
    wal = WriteAheadLog(tmp_path / "wal")
    frames = [wal.append(0, 2, b"ab"), wal.append(2, 1, b"c")]
    assert [wal.read_back(frame) for frame in frames] == frames
    wal.cut(frames[1])
    wal.close()
    other = WriteAheadLog(tmp_path / "wal")
    assert list(other.frames()) == frames
    assert list(other.frames(2)) == frames[1:]
    with frames[0].segment.open("ab") as file:
        file.write(encode_frame(3, 1, b"d")[:-1])
    assert list(other.frames()) == frames
    other.cut(frames[0])
    assert other.append(2, 1, b"e").start == frames[0].end
    assert [frame.payload for frame in other.frames()] == [b"ab", b"e"]
    other.close()
