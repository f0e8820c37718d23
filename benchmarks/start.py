"""Time from the start of the web server to its first answer, and the memory of each of its workers.

Bytecode is compiled beforehand, as an installed release has it. The rest of the platform runs already. The answer
counted is that of a page which reads the database, not of a health check.
"""

from __future__ import annotations

import argparse
import compileall
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from statistics import median
from typing import Any, Final

from benchmarks.support.machine import finish
from benchmarks.support.processes import Memory, children, memory
from tests.support.platforms import temporary_platform
from trading.up import Platform
from trading.up.programs import ROOT

_START_S: Final = 3.0
_WORKER_MB: Final = 120.0
_WARM_UP: Final = 200  # requests, so that both workers have loaded everything they load late
_PATIENCE_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """One start: seconds until the first page, memory of every worker after some pages."""

    seconds: float
    workers: tuple[Memory, ...]


def measure(rounds: int) -> dict[str, Any]:
    """Start the web server of a running platform several times."""
    for folder in ("trading", "agents"):
        compileall.compile_dir(ROOT / folder, quiet=2)
    with temporary_platform() as platform:
        platform.halt("web")
        starts = [_start(platform) for _ in range(rounds)]
    workers = [worker for start in starts for worker in start.workers]
    return {
        "starts": rounds,
        "start_median_s": round(median(start.seconds for start in starts), 2),
        "start_best_s": round(min(start.seconds for start in starts), 2),
        "start_worst_s": round(max(start.seconds for start in starts), 2),
        "workers": len(starts[0].workers),
        "worker_rss_max_mb": max(worker.rss_mb for worker in workers),
        "worker_pss_max_mb": max(worker.pss_mb for worker in workers),
    }


def _start(platform: Platform) -> Start:
    began = time.perf_counter()
    with _web(platform) as process:
        while not _answers(platform.listen, "/procedures"):
            if time.perf_counter() - began > _PATIENCE_S or process.poll() is not None:
                raise SystemExit("the web server does not start")
            time.sleep(0.005)
        seconds = time.perf_counter() - began
        for _ in range(_WARM_UP):
            _answers(platform.listen, "/procedures")
        return Start(seconds=seconds, workers=tuple(memory(pid) for pid in children(process.pid)))


@contextmanager
def _web(platform: Platform) -> Iterator[subprocess.Popen[bytes]]:
    """Start gunicorn as the platform does, and stop it by its own process id."""
    log = platform.data_dir / "logs" / "bench-web.log"
    command = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "wsgi:app"]
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - our own program
            command, cwd=ROOT, env=_environment(platform), stdout=output, stderr=output, stdin=subprocess.DEVNULL
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=_PATIENCE_S)


def _environment(platform: Platform) -> dict[str, str]:
    passed = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return passed | {
        "DATA_DIR": str(platform.data_dir),
        "LISTEN": platform.listen,
        "PUBLIC_URL": platform.base_url,
    }


def _answers(address: str, path: str) -> bool:
    connection = HTTPConnection(address, timeout=_PATIENCE_S)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
    return response.status == 200  # noqa: PLR2004 - the page is there


def main(argv: list[str]) -> int:
    """Measure and print one line of JSON."""
    parser = argparse.ArgumentParser(prog="bench start", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often the server is started")
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    options = parser.parse_args(argv)
    figures = measure(options.rounds)
    goals = {
        "start": (figures["start_median_s"] <= _START_S, f"at most {_START_S:.0f} s to the first page (median)"),
        "memory": (figures["worker_rss_max_mb"] <= _WORKER_MB, f"at most {_WORKER_MB:.0f} MB resident per worker"),
    }
    return finish("start", figures, goals, only_json=options.json)
