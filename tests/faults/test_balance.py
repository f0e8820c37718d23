"""Connections are shared among the processes of the web server, also after one of them was killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Final

import pytest

from tests.support.polling import eventually
from trading.web.balance import is_ahead

_CLIENTS: Final = 24
_ROOT: Final = Path(__file__).resolve().parents[2]
# It answers with its process. The second worker is slow to take connections, as one that has much to do.
_APP: Final = """
import os
def app(environ, start):
    start("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
"""
_CONF: Final = """
exec(open("gunicorn.conf.py").read())
import threading
from gunicorn.workers.gthread import ThreadWorker
from trading.web import balance
balance._GIVE_WAY_S = 0.3
def post_worker_init(worker):
    if worker.age % 2 == 0:
        taken = worker.accept
        worker.accept = lambda listener: (threading.Event().wait(0.05), taken(listener))
"""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def _served(folder: Path, worker: str) -> Iterator[str]:
    """Serve the little application by two workers of a class, and yield its address."""
    (folder / "little.py").write_text(_APP)
    (folder / "conf.py").write_text(f"{_CONF}worker_class = {worker}\n")
    address = f"127.0.0.1:{_free_port()}"
    options = ("-c", str(folder / "conf.py"), "--pythonpath", str(folder))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", *options, "little:app"],
            cwd=_ROOT,
            env=os.environ | {"LISTEN": address},
            stdout=log,
            stderr=log,
        )
        try:
            eventually(lambda: (folder / "log").read_text().count("Booting worker") >= 2)
            eventually(lambda: len(set(_asked(address, 2))) > 0)
            yield address
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def _asked(address: str, clients: int) -> list[int]:
    """Let clients open a connection each, one after the other, and keep it; return the process that serves each."""
    kept = [HTTPConnection(address, timeout=20) for _ in range(clients)]
    found: list[int] = []
    try:
        for each in kept:
            each.request("GET", "/")
            found.append(int(each.getresponse().read()))
    except OSError:
        return []
    finally:
        for each in kept:
            each.close()
    return found


def _difference(served: list[int]) -> int:
    count = Counter(served)
    return max(count.values()) - (min(count.values()) if len(count) > 1 else 0)


def test_connections_are_shared_though_one_process_is_slow_to_take_them(tmp_path: Path) -> None:
    with _served(tmp_path, "balance.BalancedWorker") as address:
        served = _asked(address, _CLIENTS)
        assert len(served) == _CLIENTS
        assert _difference(served) <= 4
        os.kill(served[0], signal.SIGKILL)  # its last count must not keep the others from taking connections
        eventually(lambda: len(set(_asked(address, _CLIENTS))) == 2)
        assert _difference(_asked(address, _CLIENTS)) <= 4


def test_control_the_library_alone_gives_them_all_to_whoever_is_first(tmp_path: Path) -> None:
    with _served(tmp_path, "ThreadWorker") as address:
        assert _difference(_asked(address, _CLIENTS)) > 4


@pytest.mark.parametrize(
    ("others", "mine", "expected"),
    [((), 9, "take"), ((9,), 9, "take"), ((8,), 9, "take"), ((7,), 9, "give way"), ((30, 7), 9, "give way")],
)
def test_one_gives_way_to_whoever_has_two_connections_fewer(others: tuple[int, ...], mine: int, expected: str) -> None:
    slots = memoryview(bytearray(64 * 4)).cast("I")
    slots[5] = mine + 1
    for number, other in enumerate(others):
        slots[number] = other + 1
    slots[40] = 0  # no process
    assert is_ahead(slots, mine) is (expected == "give way")
