"""A log is closed and continued in a new one: nobody signs the old one again, and nothing falls between (AL1 L13)."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.support.continued import REASON, close, owner, prepared, resume
from tests.support.logs import Killed, LogWorld, kill_at
from tests.support.polling import eventually
from trading.audit import queries
from trading.audit.ledger import Ledger
from trading.audit.origins import continue_log
from trading.audit.queries import LoggedRecord
from trading.audit.rules.note import parse_checkpoint_text, parse_note
from trading.audit.rules.policy import parse_policy
from trading.cli import main
from trading.kernel.errors import Conflict, IntegrityFailure, InvalidInput
from trading.kernel.events import Event
from trading.kernel.roles import Actor
from trading.release import release
from trading.storage.tiles import CHECKPOINT, WITNESSED

ACTOR = Actor.system("test")
EVENT = Event(kind="config.changed", subject="setting:x", body={"what": "x"})


def write(ledger: Ledger, count: int) -> None:
    with ledger.begin(ACTOR) as uow:
        for _ in range(count):
            uow.record(EVENT)


def witness_all(world: LogWorld) -> int:
    """Log and witness everything; return the size."""
    with world.running():
        eventually(lambda: not world.log_order()[len(world.commitments()) :] and _is_witnessed(world))
    return parse_checkpoint_text(parse_note(world.tiles.read(WITNESSED) or b"").text).size


def _is_witnessed(world: LogWorld) -> bool:
    logged, note = world.log_order(), world.tiles.read(WITNESSED)
    if note is None or len(logged) != len(world.commitments()):
        return False
    newest = world.tiles.read(CHECKPOINT) or b""
    return parse_note(note).text == parse_note(newest).text


def records(world: LogWorld) -> list[LoggedRecord]:
    with world.database.connect("trading_auditor") as conn:
        return queries.logged_records(conn, 0, 10_000)


def test_a_closed_log_is_continued_and_nothing_falls_between(world: LogWorld, ledger: Ledger, tmp_path: Path) -> None:
    write(ledger, 5)
    assert witness_all(world) == 5
    write(ledger, 3)  # committed, and never logged in the old log
    closed = close(world)
    assert (closed.log.size, closed.dropped, closed.rebuilt) == (5, 0, False)
    following = resume(prepared(world, tmp_path / "next"))
    write(ledger, 2)
    assert witness_all(following) == 6
    found = records(following)
    assert [each.n for each in found] == list(range(11))
    assert [each.kind for each in found[4:7]] == ["config.changed", "log.continued", "config.changed"]
    body = found[5].data["body"]
    assert body == {
        "old_checkpoint": (world.tiles.read(WITNESSED) or b"").decode(),
        "old_origin": world.origin,
        "reason": REASON,
    }
    assert following.fsck().exit_code == 0


def test_what_no_quorum_has_seen_is_logged_again(world: LogWorld, ledger: Ledger, tmp_path: Path) -> None:
    write(ledger, 5)
    size = witness_all(world)
    for witness in world.witnesses:
        witness.stop()
    for witness in world.witnesses[:2]:
        witness.start()
    with world.sequencer() as sequencer:
        sequencer.start()
        for witness in world.witnesses[:2]:
            witness.stop()
        write(ledger, 4)
        sequencer.step()
    assert len(world.log_order()) == 9
    before = records(world)
    closed = close(world)
    assert (closed.log.size, closed.dropped) == (size, 4)
    assert len(world.log_order()) == size
    for witness in world.witnesses:
        witness.start()
    following = resume(prepared(world, tmp_path / "next"))
    witness_all(following)
    found = records(following)
    assert [each.h for each in found[:5]] == [each.h for each in before[:5]]
    assert [each.h for each in found[6:]] == [each.h for each in before[5:]]
    assert following.fsck().exit_code == 0


def test_nobody_appends_to_a_closed_log_or_signs_it(world: LogWorld, ledger: Ledger) -> None:
    write(ledger, 5)
    witness_all(world)
    with world.sequencer() as sequencer:
        sequencer.start()
        with pytest.raises(Conflict, match="a sequencer runs"):
            close(world)
        write(ledger, 1)
        sequencer.step()  # control: until it is closed, it logs
    assert len(world.log_order()) == 6
    note = world.tiles.read(CHECKPOINT)
    close(world)
    write(ledger, 1)
    with world.sequencer() as sequencer, pytest.raises(IntegrityFailure, match="closed"):
        sequencer.start()
    with pytest.raises(Conflict, match="is closed"):
        close(world)
    assert world.tiles.read(CHECKPOINT) == note


def test_a_database_of_yesterday_does_not_open_it_again(world: LogWorld, ledger: Ledger) -> None:
    """The head store says it, too; control: without that file the sequencer would sign."""
    write(ledger, 5)
    witness_all(world)
    close(world)
    with world.database.connect() as superuser:
        superuser.exec_driver_sql("ALTER TABLE log.closed_log DISABLE TRIGGER USER")
        superuser.exec_driver_sql("DELETE FROM log.closed_log")
    write(ledger, 1)
    with world.sequencer() as sequencer, pytest.raises(Conflict, match="the log is closed"):
        sequencer.start()
    (world.log_dir / "head" / "closed").unlink()
    world.log_everything()
    assert len(world.log_order()) == 6


def test_a_running_sequencer_stops_at_its_next_batch(world: LogWorld, ledger: Ledger) -> None:
    """Whoever closes past the lock, by hand, still stops it: the barrier of every batch asks."""
    write(ledger, 5)
    witness_all(world)
    with world.sequencer() as sequencer:
        sequencer.start()
        with world.database.connect() as superuser:
            superuser.exec_driver_sql("INSERT INTO log.closed_log SELECT 0, origin, 5, '', 'x', now() FROM log.origin")
        sequencer.step()  # nothing waits, nothing is signed
        write(ledger, 1)
        with pytest.raises(IntegrityFailure, match="nothing is appended"):
            sequencer.step()
    assert len(world.log_order()) == 5


def test_lost_files_are_rebuilt_from_the_records(world: LogWorld, ledger: Ledger, tmp_path: Path) -> None:
    write(ledger, 300)
    witness_all(world)
    note = world.tiles.read(WITNESSED) or b""
    tile = world.tiles.read("tile/0/000")
    shutil.rmtree(world.log_dir)
    with pytest.raises(InvalidInput, match=r"log\.no_checkpoint"):
        close(world)
    closed = close(world, checkpoint=note)
    assert closed.rebuilt
    assert world.tiles.read("tile/0/000") == tile
    following = resume(prepared(world, tmp_path / "next"))
    witness_all(following)
    assert following.fsck().exit_code == 0


@pytest.mark.parametrize("name", ["another root", "no quorum", "smaller database"])
def test_only_a_witnessed_checkpoint_of_these_records_ends_a_log(world: LogWorld, ledger: Ledger, name: str) -> None:
    write(ledger, 5)
    witness_all(world)
    note = world.tiles.read(WITNESSED) or b""
    with world.database.connect() as superuser:
        if name == "another root":
            superuser.exec_driver_sql("ALTER TABLE log.audit_entry DISABLE TRIGGER USER")
            superuser.exec_driver_sql("UPDATE log.audit_entry SET h = sha256('') WHERE id = 3")
        if name == "smaller database":
            superuser.exec_driver_sql("ALTER TABLE log.log_position DISABLE TRIGGER USER")
            superuser.exec_driver_sql("DELETE FROM log.log_position WHERE n = 4")
    if name == "no quorum":
        note = world.tiles.read(CHECKPOINT) or b""
    code = {"no quorum": "log.not_witnessed", "another root": "entry.link"}.get(name, "log.other_history")
    with pytest.raises(InvalidInput, match=code):
        close(world, checkpoint=note)


def test_a_log_is_continued_once_under_a_new_name(world: LogWorld, ledger: Ledger, tmp_path: Path) -> None:
    write(ledger, 5)
    witness_all(world)
    with pytest.raises(Conflict, match="is not closed"):
        resume(prepared(world, tmp_path / "early"))
    close(world)
    with pytest.raises(InvalidInput, match=r"log\.origin"):
        resume(prepared(world, tmp_path / "same", world.origin))
    with pytest.raises(InvalidInput, match=r"log\.origin"):
        resume(prepared(world, tmp_path / "demo", "demo.log.test/audit"))
    resume(prepared(world, tmp_path / "next"))
    with pytest.raises(Conflict, match="is not closed"):
        resume(prepared(world, tmp_path / "twice", "log.test/audit-3"))


def test_a_new_log_begins_with_its_continuation_or_not_at_all(world: LogWorld, ledger: Ledger, tmp_path: Path) -> None:
    write(ledger, 5)
    witness_all(world)
    write(ledger, 2)
    close(world)
    following = resume(prepared(world, tmp_path / "next"))
    with following.sequencer(hook=kill_at("B8")) as sequencer, pytest.raises(Killed):
        sequencer.start()
    witness_all(following)
    assert [each.kind for each in records(following)][5:] == ["log.continued", "config.changed", "config.changed"]
    assert following.fsck().exit_code == 0


def test_without_the_record_the_new_log_does_not_start(world: LogWorld, ledger: Ledger, tmp_path: Path) -> None:
    write(ledger, 5)
    witness_all(world)
    close(world)
    following = resume(prepared(world, tmp_path / "next"))
    with world.database.connect() as superuser:
        superuser.exec_driver_sql("DELETE FROM log.audit_queue")
    with following.sequencer() as sequencer, pytest.raises(IntegrityFailure, match=r"no log\.continued"):
        sequencer.start()


def test_the_third_log_counts_on(world: LogWorld, ledger: Ledger, tmp_path: Path) -> None:
    write(ledger, 5)
    witness_all(world)
    close(world)
    second = resume(prepared(world, tmp_path / "second"))
    write(ledger, 3)
    assert witness_all(second) == 4
    close(second)
    third = resume(prepared(second, tmp_path / "third", "log.test/audit-3x"))
    write(ledger, 1)
    assert witness_all(third) == 2
    assert [each.kind for each in records(third)].count("log.continued") == 2
    assert [each.n for each in records(third)] == list(range(11))
    assert third.fsck().exit_code == 0


def test_the_policy_of_the_next_log_lists_both(world: LogWorld, ledger: Ledger, tmp_path: Path) -> None:
    write(ledger, 5)
    witness_all(world)
    close(world)
    following = prepared(world, tmp_path / "next")
    others = {
        r"log\.policy": following.policy_text.replace(f"log {world.log_key.vkey}\n", ""),
        r"log\.not_witnessed": following.policy_text.replace("group q 2 ", "group q 3 ").replace(" w3\n", "\n"),
    }
    both = [f"log {each.vkey}\n" for each in following.log_keys]
    others["the policy lists"] = following.policy_text.replace("".join(both), "".join(reversed(both)))
    others[r"log\.not_witnessed"] = following.policy_text.replace("quorum q", "quorum none")
    for match, text in others.items():
        with pytest.raises(InvalidInput, match=match):
            continue_log(
                owner(world.database),
                following.name,
                parse_policy(text),
                old_log_dir=world.log_dir,
                log_dir=following.log_dir,
            )
    resume(following)


DAMAGE: dict[str, tuple[str, Callable[[LogWorld], object]]] = {
    "a tile of the closed log": ("tile", lambda w: (w.tiles.root / "tile/0/000.p/5").write_bytes(bytes(160))),
    "a bundle of the closed log": ("wal", lambda w: (w.tiles.root / "tile/entries/000.p/5").write_bytes(b"x" * 9)),
    "its final note": ("note", lambda w: (w.tiles.root / WITNESSED).write_bytes(b"no note\n\n")),
    "a record": ("record", lambda w: by_hand(w, "UPDATE log.audit_entry SET record = '{}' WHERE id = 2")),
    "the place of a record": ("position", lambda w: by_hand(w, "UPDATE log.log_position SET t = t + 1 WHERE n = 2")),
    "the closing": ("continued", lambda w: by_hand(w, "UPDATE log.closed_log SET checkpoint = 'x'")),
    "the record that continues it": (
        "continued",
        lambda w: by_hand(w, "UPDATE log.audit_entry SET kind = 'log.pad' WHERE kind = 'log.continued'"),
    ),
    "the list of closed logs": ("continued", lambda w: by_hand(w, "UPDATE log.closed_log SET size = 4")),
}  # fmt: skip


def by_hand(world: LogWorld, statement: str) -> None:
    """Do what only an owner who drops the guard could do."""
    with world.database.connect() as superuser:
        for table in ("audit_entry", "log_position", "closed_log"):
            superuser.exec_driver_sql(f"ALTER TABLE log.{table} DISABLE TRIGGER USER")
        superuser.exec_driver_sql(statement)


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_of_a_closed_log_is_found(world: LogWorld, ledger: Ledger, tmp_path: Path, name: str) -> None:
    write(ledger, 5)
    witness_all(world)
    close(world)
    following = resume(prepared(world, tmp_path / "next"))
    witness_all(following)
    assert following.fsck().exit_code == 0
    check, damage = DAMAGE[name]
    damage(world)
    found = following.fsck()
    assert found.exit_code == 1
    assert check in {each.check for each in found.findings}


def test_fsck_tells_what_it_cannot_compare(world: LogWorld, ledger: Ledger, tmp_path: Path) -> None:
    write(ledger, 5)
    witness_all(world)
    close(world)
    told = world.fsck()
    assert (told.exit_code, told.size) == (2, 5)  # closed, and not continued yet
    following = resume(prepared(world, tmp_path / "next"))
    witness_all(following)
    shutil.rmtree(world.log_dir)
    told = following.fsck()
    assert told.exit_code == 2
    assert "not there" in told.unchecked[0].detail


def test_commands_close_and_continue(
    world: LogWorld, ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(ledger, 5)
    witness_all(world)
    following = prepared(world, tmp_path / "next")
    old, new = tmp_path / "old-policy", tmp_path / "new-policy"
    old.write_text(world.policy_text)
    new.write_text(following.policy_text)
    monkeypatch.setenv("DATABASE_URL", world.database.url("postgres"))

    def run(verb: str, origin: str, *words: str) -> tuple[int, str]:
        monkeypatch.setenv("LOG_ORIGIN", origin)
        done = CliRunner().invoke(main, ["log", verb, *words])
        return done.exit_code, done.output

    closing = ("--log-dir", str(world.log_dir), "--policy", str(old), "--reason", REASON, "--yes-i-mean")
    assert run("close", world.origin, *closing, "log.test/other")[0] == 2
    assert run("close", world.origin, *closing, world.origin)[0] == 0
    assert run("close", world.origin, *closing, world.origin)[0] == 1
    place = ("--old-log-dir", str(world.log_dir), "--log-dir", str(following.log_dir), "--policy", str(new))
    code, told = run("continue", following.name, *place, "--yes-i-mean", following.name)
    assert (code, "after 5 entries" in told) == (0, True)
    release(world.database.url("postgres"), origin=following.name, demo=False)
    with pytest.raises(InvalidInput, match=r"release\.origin"):
        release(world.database.url("postgres"), origin=world.origin, demo=False)
    witness_all(following)
    assert following.fsck().exit_code == 0
