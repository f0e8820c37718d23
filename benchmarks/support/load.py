"""Clients that send prepared POST requests over kept connections, in a process of their own: ``load PLAN ANSWERS``.

Everything is prepared before the first byte is sent, so that the load costs the server's processors as little as
possible. The plan is a JSON object with ``address`` and ``clients``: for each client the list of its requests in order.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[2]
_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One request. ``name`` identifies it in the answers.

    ``at`` is when it is sent, in s after the start; without it, as soon as the one before is answered. What waits for
    its turn behind a slow answer has begun at ``at`` all the same: a crowd does not slow down because the server does.
    """

    name: str
    path: str
    headers: Mapping[str, str]
    body: str
    at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back: status (0 if nothing did) and body, with the instants of the client's own clock in s."""

    name: str
    status: int
    body: str
    began: float
    ended: float

    @property
    def latency_ms(self) -> float:
        """Return how long the client waited, in ms."""
        return (self.ended - self.began) * 1000

    @property
    def content(self) -> dict[str, Any]:
        """Return the body as JSON."""
        found: dict[str, Any] = json.loads(self.body)
        return found


def send(folder: Path, address: str, clients: Sequence[Sequence[Post]]) -> list[Answer]:
    """Let every client send its requests, all clients at once, from another process; return all answers."""
    plan, answers = folder / "load-plan.json", folder / "load-answers.json"
    plan.write_text(json.dumps({"address": address, "clients": [[asdict(post) for post in one] for one in clients]}))
    command = [sys.executable, "-m", "benchmarks.support.load", str(plan), str(answers)]
    subprocess.run(command, cwd=_ROOT, check=True)  # noqa: S603 - this very module
    return [Answer(**each) for each in json.loads(answers.read_text())]


class Client:
    """One client with its connection; the requests are encoded beforehand, and answers are read without ceremony.

    What the load costs is taken from the server, which has the same processors.
    """

    def __init__(self, address: str, posts: list[dict[str, Any]]) -> None:
        host, _, port = address.partition(":")
        self._address = (host, int(port))
        self._posts = [(post, _encoded(address, post)) for post in posts]
        self._socket: socket.socket | None = None
        self.answers: list[Answer] = []

    def connect(self) -> None:
        """Open the connection before the clock starts."""
        self._connected()

    def _connected(self) -> socket.socket:
        self._socket = socket.create_connection(self._address, timeout=_TIMEOUT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._socket

    def run(self, start: threading.Barrier) -> None:
        """Send one request after the other, each at its instant or as soon as the one before is answered."""
        start.wait()
        zero = time.perf_counter()
        for post, encoded in self._posts:
            began = time.perf_counter() if post["at"] is None else zero + post["at"]
            time.sleep(max(0.0, began - time.perf_counter()))
            status, text = self._post(encoded)
            ended = time.perf_counter()
            self.answers.append(Answer(name=post["name"], status=status, body=text, began=began, ended=ended))
        self._close()

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None

    def _post(self, encoded: bytes) -> tuple[int, str]:
        try:
            connection = self._socket or self._connected()
            connection.sendall(encoded)
            status, body, keeps = _answer(connection)
        except (OSError, ValueError, LookupError) as error:
            self._close()
            return 0, f"{type(error).__name__}: {error}"
        if not keeps:
            self._close()
        return status, body.decode()


def _encoded(address: str, post: Mapping[str, Any]) -> bytes:
    body: bytes = post["body"].encode()
    headers = {"Host": address, **post["headers"], "Content-Length": str(len(body))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head: bytes = f"POST {post['path']} HTTP/1.1\r\n{lines}\r\n".encode("latin-1")
    return head + body


def _answer(connection: socket.socket) -> tuple[int, bytes, bool]:
    """Read one answer with a length; return status, body, and whether the connection is kept.

    Raises:
        ValueError: The connection ended in the middle.
        LookupError: The answer has no length.
    """
    received = bytearray()
    while (end := received.find(b"\r\n\r\n")) < 0:
        received += _more(connection)
    head = bytes(received[:end]).lower()
    length = int(head.split(b"\r\ncontent-length:", 1)[1].split(b"\r\n", 1)[0])
    while len(received) < end + 4 + length:
        received += _more(connection)
    return int(head[9:12]), bytes(received[end + 4 :]), b"\r\nconnection: close" not in head


def _more(connection: socket.socket) -> bytes:
    found = connection.recv(65_536)
    if not found:
        raise ValueError("the connection ended")
    return found


def main(plan: str, answers: str) -> None:
    """Run the plan and write the answers."""
    content = json.loads(Path(plan).read_text())
    clients = [Client(content["address"], posts) for posts in content["clients"]]
    start = threading.Barrier(len(clients))
    for client in clients:
        client.connect()
    threads = [threading.Thread(target=client.run, args=(start,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = [asdict(answer) for client in clients for answer in client.answers]
    Path(answers).write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
