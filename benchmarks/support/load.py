"""Clients that send prepared POST requests over kept connections, in a process of their own: ``load PLAN ANSWERS``.

Everything is prepared before the first byte is sent, so that the load costs the server's processors as little as
possible. The plan is a JSON object with ``address`` and ``clients``: for each client the list of its requests in order.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from http.client import HTTPConnection, HTTPException
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
    """One client with its connection; the requests are encoded beforehand."""

    def __init__(self, address: str, posts: list[dict[str, Any]]) -> None:
        self._connection = HTTPConnection(address, timeout=_TIMEOUT_S)
        self._posts = [(post, post["body"].encode()) for post in posts]
        self.answers: list[Answer] = []

    def connect(self) -> None:
        """Open the connection before the clock starts."""
        self._connection.connect()

    def run(self, start: threading.Barrier) -> None:
        """Send one request after the other, each at its instant or as soon as the one before is answered."""
        start.wait()
        zero = time.perf_counter()
        for post, body in self._posts:
            began = time.perf_counter() if post["at"] is None else zero + post["at"]
            time.sleep(max(0.0, began - time.perf_counter()))
            status, text = self._post(post, body)
            ended = time.perf_counter()
            self.answers.append(Answer(name=post["name"], status=status, body=text, began=began, ended=ended))
        self._connection.close()

    def _post(self, post: dict[str, Any], body: bytes) -> tuple[int, str]:
        try:
            self._connection.request("POST", post["path"], body, post["headers"])
            response = self._connection.getresponse()
            return response.status, response.read().decode()
        except (OSError, HTTPException) as error:
            self._connection.close()
            return 0, f"{type(error).__name__}: {error}"


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
