from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path
from threading import Barrier

import pytest
from click.testing import CliRunner
from typing_extensions import override

from agents.witness import main, open_witness
from agents.witness_server import Reply, WitnessServer
from agents.witness_state import DATABASE, WitnessState
from tests.build.signed_log import LOG_SEED, ORIGIN, SignedLog, cosign, log_key, sign_line, witness_key
from tests.build.standing_witness import KEY, MONITOR, NAME, SEED, Running, Standing, ask, stand
from trading.audit.rules.cosigning import (
    SIZE_TYPE,
    Cosigned,
    Seen,
    SizeConflict,
    add_checkpoint_body,
    parse_answer,
    verified_cosignatures,
)
from trading.audit.rules.note import Checkpoint, Note, SignatureLine, parse_vkey, verify_checkpoint
from trading.crypto.files import write_secret
from trading.crypto.notes import verify_note_signature
from trading.kernel.errors import Conflict, IntegrityFailure, InvalidInput


@pytest.fixture
def standing(tmp_path: Path) -> Iterator[Standing]:
    made = stand(tmp_path)
    yield made
    made.state.close()


def cosigned_time(reply: Reply, log: SignedLog, size: int | None = None) -> int:
    """Return the time that the reply's cosignature carries, after verifying it."""
    answer = parse_answer(reply.status, reply.content_type, reply.body)
    assert isinstance(answer, Cosigned)
    found = verified_cosignatures(answer.lines, log.checkpoint(size), [KEY], verify_note_signature)
    return found[KEY][1]


def test_growth_is_cosigned_with_the_witness_time(standing: Standing) -> None:
    log = SignedLog().grow(3)
    assert cosigned_time(standing.post(log, 0), log) == 1_700_003_610
    log.grow(4)
    standing.clock.ms += 7_000
    assert cosigned_time(standing.post(log, 3), log) == 1_700_003_617
    assert standing.state.log(ORIGIN).seen == Seen(size=7, root=log.checkpoint().root)


def test_a_heartbeat_gives_a_fresh_time_for_an_unchanged_log(standing: Standing) -> None:
    log = SignedLog().grow(5)
    standing.post(log, 0)
    standing.clock.ms += 1_000
    assert cosigned_time(standing.post(log, 5), log) == 1_700_003_611
    assert standing.state.refused() == []


def test_an_empty_log_may_be_cosigned(standing: Standing) -> None:
    log = SignedLog()
    assert cosigned_time(standing.post(log, 0), log) == 1_700_003_610
    wrong = Checkpoint(origin=ORIGIN, size=0, root=b"r" * 32)
    note = Note(text=wrong.text, signatures=(sign_line(log_key(), LOG_SEED, wrong),)).encode()
    reply = standing.witness.add_checkpoint(add_checkpoint_body(0, [], note))
    assert reply.status == HTTPStatus.UNPROCESSABLE_ENTITY


def test_a_split_view_is_refused_and_kept(standing: Standing) -> None:
    log, fork = SignedLog().grow(5), SignedLog(salt=b"fork").grow(9)
    standing.post(log, 0)
    assert standing.post(fork, 5, 5).status == HTTPStatus.UNPROCESSABLE_ENTITY
    assert standing.post(fork, 5, 9).status == HTTPStatus.UNPROCESSABLE_ENTITY
    assert standing.post(fork, 0, 5).status == HTTPStatus.CONFLICT  # an asker who hides what it knows
    assert standing.state.log(ORIGIN).seen.root == log.checkpoint().root
    kept = standing.state.refused()
    assert {(note.note, note.fraud) for note in kept} == {(fork.note(5), True), (fork.note(9), False)}
    assert {note.known_note for note in kept} == {log.note()}
    assert cosigned_time(standing.post(log, 5), log)  # and the honest log goes on


def test_a_rollback_is_refused(standing: Standing) -> None:
    log = SignedLog().grow(9)
    standing.post(log, 0)
    assert standing.post(log, 9, 4).status == HTTPStatus.BAD_REQUEST
    reply = standing.post(log, 4, 4)
    assert parse_answer(reply.status, reply.content_type, reply.body) == SizeConflict(size=9)
    assert standing.state.log(ORIGIN).seen.size == 9


def test_a_conflict_names_the_size_the_witness_knows(standing: Standing) -> None:
    log = SignedLog().grow(6)
    standing.post(log, 0)
    log.grow(1)
    for old in (0, 5, 7):
        reply = standing.post(log, old)
        assert (reply.status, reply.content_type, reply.body) == (HTTPStatus.CONFLICT, SIZE_TYPE, b"6\n")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (lambda _: b"", HTTPStatus.BAD_REQUEST),
        (lambda _: b"\xff" * 500, HTTPStatus.BAD_REQUEST),
        (lambda log: log.request(0)[:-1], HTTPStatus.BAD_REQUEST),
        (lambda log: log.request(0).replace(b"\n3\n", b"\n03\n"), HTTPStatus.BAD_REQUEST),
        (lambda log: log.request(0).replace(b"=\n\n", b"=\nextension\n\n"), HTTPStatus.BAD_REQUEST),
        (lambda _: SignedLog(origin="other.example").grow(3).request(0), HTTPStatus.NOT_FOUND),
        (lambda log: log.request(0).replace(b"\n3\n", b"\n4\n"), HTTPStatus.FORBIDDEN),
        (lambda log: log.request(0) + sign_line(log_key(), LOG_SEED, log.checkpoint()).encode().encode(),
         HTTPStatus.FORBIDDEN),
        (lambda log: add_checkpoint_body(0, [], Note(
            text=log.checkpoint().text, signatures=(cosign(1, log.checkpoint(), 5),)).encode()), HTTPStatus.FORBIDDEN),
        (lambda log: add_checkpoint_body(0, [], Note(text=log.checkpoint().text, signatures=(
            sign_line(log_key(), b"\x08" * 32, log.checkpoint()),)).encode()), HTTPStatus.FORBIDDEN),
    ],
)  # fmt: skip
def test_other_requests_are_refused(standing: Standing, body: Callable[[SignedLog], bytes], status: HTTPStatus) -> None:
    log = SignedLog().grow(3)
    assert standing.witness.add_checkpoint(body(log)).status == status
    assert standing.state.log(ORIGIN).seen == Seen()
    assert standing.state.refused() == []  # what the log did not sign proves nothing about the log


def test_junk_lines_do_not_multiply_the_evidence(standing: Standing) -> None:
    log, fork = SignedLog().grow(5), SignedLog(salt=b"fork").grow(5)
    standing.post(log, 0)
    for number in range(5):
        junk = SignatureLine(name=f"junk{number}", key_id=b"junk", signature=b"x").encode().encode()
        standing.witness.add_checkpoint(fork.request(5) + junk)
    assert [note.note for note in standing.state.refused()] == [fork.note()]


def test_unknown_lines_do_not_disturb(standing: Standing) -> None:
    log = SignedLog().grow(3)
    body = log.request(0) + cosign(2, log.checkpoint(), 5).encode().encode()
    assert standing.witness.add_checkpoint(body).status == HTTPStatus.OK
    assert standing.state.log(ORIGIN).note == log.note()


def test_the_newest_checkpoint_carries_the_witness_line(standing: Standing, tmp_path: Path) -> None:
    assert standing.witness.latest(MONITOR[1:65]).status == HTTPStatus.NOT_FOUND
    assert standing.witness.latest("00" * 32).status == HTTPStatus.NOT_FOUND
    log = SignedLog().grow(3)
    standing.post(log, 0)
    standing.clock.ms += 60_000
    restarted = stand(tmp_path, WitnessState(tmp_path))
    restarted.clock.ms += 90_000
    for witness, time_s in ((standing.witness, 1_700_003_610), (restarted.witness, 1_700_003_700)):
        body = witness.latest(MONITOR[1:65]).body
        verified = verify_checkpoint(body, ORIGIN, [log_key()], [KEY], verify_note_signature)
        assert (verified.checkpoint, verified.times) == (log.checkpoint(), {KEY: time_s})


def test_an_ml_dsa_witness(tmp_path: Path) -> None:
    run = CliRunner().invoke(main, ["new", "--state", str(tmp_path / "w"), "--name", NAME, "--ml-dsa"])
    key = parse_vkey(run.output.strip())
    witness = open_witness(tmp_path / "w", (log_key().vkey,), None)
    log = SignedLog().grow(3)
    reply = witness.add_checkpoint(log.request(0))
    answer = parse_answer(reply.status, reply.content_type, reply.body)
    assert isinstance(answer, Cosigned)
    assert key in verified_cosignatures(answer.lines, log.checkpoint(), [key], verify_note_signature)


# Two histories at once


def race(standing: Standing) -> list[int]:
    """Post two forks from the same size at the same moment and return the two statuses, sorted."""
    bodies = [SignedLog(salt=salt).grow(1).request(0) for salt in (b"a", b"b")]
    barrier = Barrier(2)

    def post(body: bytes) -> int:
        barrier.wait(10)
        return standing.witness.add_checkpoint(body).status

    with ThreadPoolExecutor(2) as pool:
        return sorted(pool.map(post, bodies))


def test_of_two_histories_posted_at_once_one_wins(tmp_path: Path) -> None:
    for number in range(20):
        assert race(stand(tmp_path / str(number))) == [HTTPStatus.OK, HTTPStatus.CONFLICT]


class _Careless(WitnessState):
    """Negative control: compares first and writes afterwards, as two steps."""

    pause = Barrier(2)

    @override
    def advance(self, seen: Seen, checkpoint: Checkpoint, note: bytes) -> bool:
        same = self.log(checkpoint.origin).seen == seen
        self.pause.wait(10)
        with self._locked() as db:
            db.execute("DROP TRIGGER IF EXISTS seen_grows")
            db.execute("UPDATE seen SET size = ?, root = ?, note = ?", (checkpoint.size, checkpoint.root, note))
        return same


def test_the_race_is_found_in_a_careless_witness(tmp_path: Path) -> None:
    WitnessState.create(tmp_path, KEY).close()
    assert race(stand(tmp_path, _Careless(tmp_path))) == [HTTPStatus.OK, HTTPStatus.OK]


class _FullDisk(WitnessState):
    """Cannot write."""

    @override
    def advance(self, seen: Seen, checkpoint: Checkpoint, note: bytes) -> bool:
        raise sqlite3.OperationalError("database or disk is full")


def test_what_cannot_be_remembered_is_not_cosigned(tmp_path: Path) -> None:
    WitnessState.create(tmp_path, KEY).close()
    standing = stand(tmp_path, _FullDisk(tmp_path))
    with WitnessServer(("127.0.0.1", 0), standing.witness) as server, Running(server) as connection:
        assert ask(connection, "POST", "/add-checkpoint", SignedLog().grow(1).request(0))[0] == 500
    assert standing.witness._last == {}


# Memory


def test_memory_is_made_once_and_never_goes_back(tmp_path: Path) -> None:
    state = WitnessState.create(tmp_path, KEY)
    with pytest.raises(Conflict):
        WitnessState.create(tmp_path, KEY)
    log = SignedLog().grow(5)
    state.know([ORIGIN])
    assert state.advance(Seen(), log.checkpoint(), log.note())
    assert not state.advance(Seen(), log.checkpoint(3), log.note(3))
    state.know([ORIGIN])  # a restart with the same list of logs
    assert state.log(ORIGIN).seen.size == 5
    for statement in (
        "UPDATE seen SET size = 4",
        "UPDATE seen SET root = zeroblob(32)",
        "UPDATE seen SET origin = 'other'",
        "DELETE FROM seen",
        "INSERT INTO seen (origin, size, root) VALUES ('log.example/audit', 0, zeroblob(32))",
    ):
        with pytest.raises(sqlite3.IntegrityError):
            state._db.execute(statement)
    assert (tmp_path / DATABASE).stat().st_mode & 0o077 == 0
    assert state._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert state._db.execute("PRAGMA synchronous").fetchone() == (2,)


def test_a_witness_without_memory_or_with_another_key_does_not_start(tmp_path: Path) -> None:
    runner, state = CliRunner(), tmp_path / "w"
    made = runner.invoke(main, ["new", "--state", str(state), "--name", NAME])
    assert made.exit_code == 0
    assert parse_vkey(made.output.strip()).name == NAME
    assert (state / "witness.key").stat().st_mode & 0o777 == 0o600
    assert runner.invoke(main, ["new", "--state", str(state), "--name", NAME]).exit_code == 1
    assert runner.invoke(main, ["new", "--state", str(tmp_path / "v"), "--name", "a b"]).exit_code == 1
    write_secret(state / "witness.key", SEED, replace=True)
    with pytest.raises(IntegrityFailure, match="not the key"):
        open_witness(state, (log_key().vkey,), None)
    (state / DATABASE).unlink()
    for command in (["serve", "--log", log_key().vkey, "--listen", "127.0.0.1:0"], ["show"]):
        run = runner.invoke(main, [*command, "--state", str(state)])
        assert run.exit_code == 1
        assert "retired" in run.output
    assert not (state / DATABASE).exists()


def test_only_real_log_keys_are_served_and_a_shifted_clock_only_a_demo(tmp_path: Path) -> None:
    CliRunner().invoke(main, ["new", "--state", str(tmp_path / "w"), "--name", NAME])
    shift = tmp_path / "demo-shift"
    shift.write_text("3600000")
    for logs, shift_file in (
        ((), None),
        (("nonsense",), None),
        ((witness_key(1).vkey,), None),
        ((log_key().vkey,), shift),
    ):
        with pytest.raises(InvalidInput):
            open_witness(tmp_path / "w", logs, shift_file)
    open_witness(tmp_path / "w", (log_key("demo.example/log").vkey,), shift)


def test_show_prints_what_is_known_and_the_evidence(tmp_path: Path) -> None:
    standing = stand(tmp_path)
    log, fork = SignedLog().grow(5), SignedLog(salt=b"fork").grow(5)
    standing.post(log, 0)
    standing.post(fork, 5)
    run = CliRunner().invoke(main, ["show", "--state", str(tmp_path), "--evidence"])
    assert run.exit_code == 0
    assert KEY.vkey in run.output
    assert f"log {ORIGIN} size 5" in run.output
    assert "refused 1 notes, 1 of them prove fraud" in run.output
    assert fork.note().decode() in run.output
    assert log.note().decode() in run.output
