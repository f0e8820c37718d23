from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from agents.witness import main
from agents.witness_server import WitnessServer
from agents.witness_state import WitnessState
from tests.build.signed_log import ORIGIN, SignedLog, log_key
from tests.build.standing_witness import NAME, PROGRAM, ROOT, Running, Standing, ask, stand
from trading.audit.rules.cosigning import (
    Seen,
)
from trading.audit.rules.note import verify_checkpoint
from trading.crypto.notes import verify_note_signature


@pytest.fixture
def standing(tmp_path: Path) -> Iterator[Standing]:
    made = stand(tmp_path)
    yield made
    made.state.close()


# The process


class Process:
    """``mingbiao witness serve`` as its own process on a free port."""

    def __init__(self, state: Path, *options: str) -> None:
        command = [*PROGRAM, "serve", "--state", str(state), "--listen", "127.0.0.1:0", *options]
        self.popen = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self.popen.stdout is not None
        self.port = int(self.popen.stdout.readline().rsplit(":", 1)[1])
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def post(self, body: bytes, path: str = "/add-checkpoint") -> tuple[int, bytes]:
        return ask(self.connection, "POST", path, body)

    def end(self, number: int) -> int:
        self.connection.close()
        os.kill(self.popen.pid, number)
        code = self.popen.wait(30)
        assert self.popen.stdout is not None
        self.popen.stdout.close()
        return code


def test_killed_between_requests_it_remembers(tmp_path: Path) -> None:
    CliRunner().invoke(main, ["new", "--state", str(tmp_path / "w"), "--name", NAME])
    log, fork = SignedLog().grow(5), SignedLog(salt=b"fork").grow(9)
    for old, size in ((0, 5), (5, 9)):
        log.grow(size - len(log.hashes))
        process = Process(tmp_path / "w", "--log", log_key().vkey)
        try:
            if old:
                assert process.post(fork.request(0)) == (409, b"5\n")
                assert process.post(fork.request(old, 5))[0] == 422
                assert process.post(fork.request(old))[0] == 422
                assert process.post(log.request(old, 4))[0] == 400
            assert process.post(log.request(old))[0] == 200
        finally:
            process.end(signal.SIGKILL)
    assert WitnessState(tmp_path / "w").log(ORIGIN).seen.size == 9


def test_prefix_demo_clock_and_orderly_end(tmp_path: Path) -> None:
    CliRunner().invoke(main, ["new", "--state", str(tmp_path / "w"), "--name", NAME])
    shift, origin = tmp_path / "shift", "demo.example/log"
    shift.write_text(str(10**12))  # far beyond the host's clock, so that the shift shows without comparing clocks
    options = ("--log", log_key(origin).vkey, "--prefix", "/w1/", "--shift-file", str(shift))
    process = Process(tmp_path / "w", *options)
    log = SignedLog(origin=origin).grow(2)
    assert process.post(log.request(0))[0] == 404
    status, body = process.post(log.request(0), "/w1/add-checkpoint")
    assert status == 200
    name = hashlib.sha256(origin.encode()).hexdigest()
    status, note = ask(process.connection, "GET", f"/w1/{name}/checkpoint", None)
    assert (status, note) == (200, log.note() + body)
    key = WitnessState(tmp_path / "w").key
    verified = verify_checkpoint(note, origin, [log_key(origin)], [key], verify_note_signature)
    assert verified.times[key] > 2_000_000_000
    assert process.end(signal.SIGTERM) == 0


# HTTP


def raw(port: int, data: bytes) -> bytes:
    """Send bytes, say no more, and return all that comes back.

    A server that closes without having read everything resets the connection; what it said before still arrives.
    """
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        with contextlib.suppress(OSError):
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError):
            while chunk := client.recv(65536):
                received += chunk
    return received


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\n\r\n", b"411"),
        (b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"411"),
        (b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nxx", b"411"),
        (b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"411"),
        (b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: \xc2\xb2\r\n\r\n", b"411"),
        (b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", b"413"),
        (b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", b"413"),
        (b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", b"400"),
        (b"POST /other HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", b"404"),
        (b"GET /../checkpoint HTTP/1.1\r\n\r\n", b"404"),
        (b"GET /%00/checkpoint HTTP/1.1\r\n\r\n", b"404"),
        (b"GET / HTTP/1.1\r\n\r\n", b"404"),
        (b"GET /x/checkpoint HTTP/1.1\r\nContent-Length: 5\r\n\r\nGET /", b"400"),
        (b"DELETE /add-checkpoint HTTP/1.1\r\n\r\n", b"501"),
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n", b"431"),
        (b"nonsense\r\n\r\n", b"400"),
    ],
)
def test_hostile_requests_get_their_status_and_no_second_answer(standing: Standing, data: bytes, status: bytes) -> None:
    with WitnessServer(("127.0.0.1", 0), standing.witness) as server, Running(server) as connection:
        answer = raw(int(server.server_address[1]), data)
        assert status in answer.split(b"\r\n")[0]
        assert answer.count(b"HTTP/1.1 ") <= 1
        assert b"Python" not in answer
        log = SignedLog().grow(2)
        assert ask(connection, "POST", "/add-checkpoint", log.request(0))[0] == 200


def test_a_cut_off_body_changes_nothing(standing: Standing) -> None:
    body = SignedLog().grow(2).request(0)
    head = f"POST /add-checkpoint HTTP/1.1\r\nContent-Length: {len(body) + 1}\r\n\r\n".encode()
    with WitnessServer(("127.0.0.1", 0), standing.witness) as server, Running(server):
        assert raw(int(server.server_address[1]), head + body) == b""
    assert standing.state.log(ORIGIN).seen == Seen()


def test_one_connection_carries_many_requests_and_surplus_ones_are_closed(standing: Standing) -> None:
    log = SignedLog().grow(1)
    with WitnessServer(("127.0.0.1", 0), standing.witness, connections=1) as server, Running(server) as connection:
        assert ask(connection, "POST", "/add-checkpoint", log.request(0))[0] == 200
        kept = connection.sock
        assert raw(int(server.server_address[1]), b"GET / HTTP/1.1\r\n\r\n") == b""
        for size in range(1, 20):
            log.grow(1)
            assert ask(connection, "POST", "/add-checkpoint", log.request(size))[0] == 200
        assert connection.sock is kept
