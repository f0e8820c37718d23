"""A witness that other people wrote cosigns our log while it only grows, and refuses everything else (AL1 L7, L15)."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.build.partners import new_python, python_packages
from tests.support.polling import eventually
from trading.audit.files import LogProofs
from trading.audit.rules.cosigning import Answer, Cosigned, Refused, SizeConflict, verified_cosignatures
from trading.audit.rules.note import parse_vkey
from trading.audit.rules.policy import parse_policy
from trading.audit.sequencer.client import WitnessClient, WitnessUnreachable, clients_of
from trading.audit.sequencer.command import open_files
from trading.audit.sequencer.loading import load
from trading.audit.sequencer.writer import LogSigner, LogWriter, SignedHead
from trading.crypto.notes import verify_note_signature
from trading.kernel.clock import SystemClock

ORIGIN = "log.test/audit"
UNPROCESSABLE = 422


class Log:
    """A log of ours without a database: what is appended, its heads and its proofs."""

    def __init__(self, directory: Path, seed: bytes = b"\7" * 32) -> None:
        self._files = open_files(directory)
        self.writer: LogWriter = load(self._files, LogSigner(ORIGIN, seed), lambda _step: None)[0]

    def grow(self, count: int, mark: int) -> SignedHead:
        commitments = [bytes([mark]) * 30 + number.to_bytes(2) for number in range(count)]
        return self.writer.append(commitments, SystemClock().now_ms())[1]

    def show(self, client: WitnessClient, old: int, head: SignedHead) -> Answer:
        proof = LogProofs(self._files.tiles).consistency(old, head.checkpoint.size) if old else []
        return client.add_checkpoint(old, proof, head.note.encode())

    def close(self) -> None:
        self._files.wal.close()


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    with closing(Log(tmp_path / "log")) as log:
        yield log


@pytest.fixture
def fork(tmp_path: Path) -> Iterator[Log]:
    """Another history under the same key."""
    with closing(Log(tmp_path / "fork")) as log:
        yield log


@pytest.fixture
def witness(tmp_path: Path, log: Log) -> Iterator[WitnessClient]:
    """The foreign witness in a process of its own, which was told the key of our log."""
    python = new_python()
    if python is None:
        pytest.skip("aics-witness needs a Python of 3.12 or newer")
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    variables = {"PYTHONPATH": str(python_packages(python))}
    program = [str(python), "-m", "aics_witness"]
    config = str(tmp_path / "witness.json")

    def run(*words: str) -> str:
        done = subprocess.run([*program, *words], env=variables, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    listen = f"127.0.0.1:{port}"
    told = run("init", "--config", config, "--name", "foreign.test/w", "--listen", listen)
    vkey = next(word.strip('",') for word in told.split() if word.strip('",').startswith("foreign.test/w+"))
    key = log.writer.signer.key.vkey
    run("add-log", "--config", config, "--origin", ORIGIN, "--vkey", key)
    policy = parse_policy(f"log {key}\nwitness w {vkey} http://{listen}\nquorum w\n")
    assert policy.witness_keys == (parse_vkey(vkey),)
    with subprocess.Popen([*program, "serve", "--config", config], env=variables, stderr=subprocess.DEVNULL) as process:
        (client,) = clients_of(policy)
        try:
            eventually(lambda: answers(client))
            yield client
        finally:
            client.close()
            process.terminate()


def answers(client: WitnessClient) -> bool:
    try:
        client.checkpoint(ORIGIN)
    except WitnessUnreachable as error:
        return "ConnectionRefused" not in str(error)
    return True


def require_cosigned(client: WitnessClient, head: SignedHead, answer: Answer) -> None:
    assert isinstance(answer, Cosigned), answer
    assert set(verified_cosignatures(answer.lines, head.checkpoint, client.keys, verify_note_signature)) == set(
        client.keys
    )


def test_it_cosigns_growth(log: Log, witness: WitnessClient) -> None:
    old, head = 0, log.grow(3, mark=1)
    for mark, count in ((2, 1), (3, 300)):
        require_cosigned(witness, head, log.show(witness, old, head))
        old, head = head.checkpoint.size, log.grow(count, mark)
    require_cosigned(witness, head, log.show(witness, old, head))
    require_cosigned(witness, head, log.show(witness, head.checkpoint.size, head))  # a heartbeat
    assert log.show(witness, 0, head) == SizeConflict(size=head.checkpoint.size)


def test_it_refuses_a_split_view_a_truncation_and_a_fork(log: Log, fork: Log, witness: WitnessClient) -> None:
    short = log.grow(10, mark=1)
    require_cosigned(witness, short, log.show(witness, 0, short))
    head = log.grow(10, mark=2)
    require_cosigned(witness, head, log.show(witness, 10, head))
    split = fork.grow(20, mark=3)  # as large, and another tree
    assert refused(fork.show(witness, 20, split)).status == UNPROCESSABLE
    truncated = log.show(witness, 10, short)
    assert isinstance(truncated, SizeConflict | Refused)
    forked = fork.grow(5, mark=4)
    assert refused(fork.show(witness, 20, forked)).status == UNPROCESSABLE
    further = log.grow(1, mark=5)
    require_cosigned(witness, further, log.show(witness, 20, further))  # nothing of this harmed the honest log


def refused(answer: Answer) -> Refused:
    assert isinstance(answer, Refused), answer
    return answer


def test_it_knows_no_log_of_another_key(log: Log, witness: WitnessClient, tmp_path: Path) -> None:
    with closing(Log(tmp_path / "stranger", seed=b"\x08" * 32)) as stranger:
        head = stranger.grow(2, mark=6)
        assert isinstance(stranger.show(witness, 0, head), Refused)
    own = log.grow(1, mark=1)
    require_cosigned(witness, own, log.show(witness, 0, own))
