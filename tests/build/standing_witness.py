"""A witness at work in the test's own process: no HTTP unless asked for, and a clock that stands still."""

from __future__ import annotations

import hashlib
import http.client
import sys
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

from agents.witness_server import Reply, Witness, WitnessServer
from agents.witness_state import WitnessState
from tests.build.signed_log import ORIGIN, SignedLog, log_key
from trading.audit.rules.note import VerifierKey
from trading.kernel.clock import FixedClock

NAME = "witness.example/w1"
NOW_MS = 1_700_003_610_500
SEED = b"\x11" * 32
KEY = VerifierKey(name=NAME, kind=4, public_key=bytes.fromhex(
    "d04ab232742bb4ab3a1368bd4615e4e6d0224ab71a016baf8520a332c9778737"
))  # fmt: skip
MONITOR = f"/{hashlib.sha256(ORIGIN.encode()).hexdigest()}/checkpoint"
PROGRAM = [sys.executable, "-c", "from agents.witness import main; main()"]
ROOT = Path(__file__).parents[2]


@dataclass
class Standing:
    """A witness at work, without HTTP."""

    witness: Witness
    state: WitnessState
    clock: FixedClock

    def post(self, log: SignedLog, old: int, size: int | None = None) -> Reply:
        return self.witness.add_checkpoint(log.request(old, size))


def stand(directory: Path, state: WitnessState | None = None) -> Standing:
    state = state or WitnessState.create(directory, KEY)
    clock = FixedClock(NOW_MS)
    return Standing(witness=Witness(SEED, state, [log_key()], clock), state=state, clock=clock)


class Running:
    """Run a server in a thread and give a connection to it."""

    def __init__(self, server: WitnessServer) -> None:
        self.server = server
        self.thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        self.connection = http.client.HTTPConnection("127.0.0.1", int(server.server_address[1]), timeout=30)

    def __enter__(self) -> http.client.HTTPConnection:
        self.thread.start()
        return self.connection

    def __exit__(self, *_: object) -> None:
        self.connection.close()
        self.server.shutdown()
        self.thread.join()


def ask(connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
    connection.request(method, path, body)
    response = connection.getresponse()
    return response.status, response.read()
