"""Entries that the log takes per second through a whole platform: eight writers, the sequencer, three witnesses.

Writers insert under the guard as the web does, a hundred entries a transaction or one; the log has taken an entry when
it has its position. First they write as fast as they can. Then they keep to the rate that is asked for, and somebody
waits for receipts: from the commit until a quorum of witnesses has cosigned.
"""

from __future__ import annotations

import argparse
import secrets
import threading
import time
from typing import Any, Final, Self

import psycopg

from benchmarks.support.machine import finish, percentile
from tests.support.platforms import runtime_on, temporary_platform
from trading.audit.model import record_bytes
from trading.audit.rules.proof import ReceiptState
from trading.audit.runtime import Runtime
from trading.audit.service import reader, receipt
from trading.db import psycopg_url
from trading.kernel.events import Event
from trading.kernel.roles import Actor
from trading.up import Platform

_WRITERS: Final = 8
_EVENT: Final = Event(kind="config.changed", subject="setting:bench", body={"what": "bench"})
_INSERT: Final = """
    INSERT INTO log.audit_entry (kind, record, nonce)
    SELECT 'config.changed', %(record)s, nonce FROM unnest(%(nonces)s::bytea[]) AS nonce
"""
_GOALS: Final = {100: 8_000, 1: 2_000}  # entries a second, by entries of a transaction
_RECEIPT_MS: Final = 500.0
_PROBE_S: Final = 0.2


class Writers:
    """Eight connections that insert until they are stopped, together at most ``per_s`` entries a second."""

    def __init__(self, url: str, size: int, per_s: float = float("inf")) -> None:
        self._url, self._size, self._pause = url, size, _WRITERS * size / per_s
        self._stop = threading.Event()
        self._counts = [0] * _WRITERS
        self._threads = [threading.Thread(target=self._write, args=(number,)) for number in range(_WRITERS)]

    def _write(self, number: int) -> None:
        record = record_bytes(_EVENT, actor="system:bench", at=0)
        with psycopg.connect(self._url, autocommit=True) as connection:  # a statement is a transaction
            due = time.monotonic()
            while not self._stop.wait(max(0.0, due - time.monotonic())):
                due += self._pause
                nonces = [secrets.token_bytes(32) for _ in range(self._size)]
                connection.execute(_INSERT, {"nonces": nonces, "record": record})
                self._counts[number] += self._size

    def run(self, seconds: float) -> int:
        """Write for so long; return how many entries were committed."""
        for thread in self._threads:
            thread.start()
        self._stop.wait(seconds)
        self._stop.set()
        for thread in self._threads:
            thread.join()
        return sum(self._counts)


class Probe:
    """Somebody who records something now and then and waits for the witnessed receipt."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self.waited_ms: list[float] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _ask(self) -> None:
        while not self._stop.wait(_PROBE_S):
            with self._runtime.ledger.begin(Actor.system("bench")) as uow:
                h = uow.record(_EVENT).h
            began = time.perf_counter()
            while not self._witnessed(h):
                time.sleep(0.005)
            self.waited_ms.append(1000 * (time.perf_counter() - began))

    def _witnessed(self, h: bytes) -> bool:
        with self._runtime.ledger.read() as conn:
            found = receipt(conn, reader(self._runtime.log_dir), h)
        return found is not None and found.state is ReceiptState.WITNESSED


def measure(seconds: float) -> dict[str, Any]:
    """Run both sizes of transaction on one platform and return the figures."""
    figures: dict[str, Any] = {}
    with temporary_platform() as platform, runtime_on(platform) as runtime:
        for size, per_s in _GOALS.items():
            before, began = _positions(runtime), time.perf_counter()
            written = Writers(_url(platform), size).run(seconds)
            while _positions(runtime) < before + written:
                time.sleep(0.01)
            taken = time.perf_counter() - began
            with Probe(runtime) as probe:
                Writers(_url(platform), size, per_s).run(seconds)
            figures |= {
                f"entries_per_s_at_{size}": round(written / taken),
                f"entries_at_{size}": written,
                f"receipt_p50_ms_at_{size}": round(percentile(probe.waited_ms, 50), 1),
                f"receipt_p99_ms_at_{size}": round(percentile(probe.waited_ms, 99), 1),
            }
    return figures


def _url(platform: Platform) -> str:
    url = psycopg_url(platform.settings("worker").database_url).set(drivername="postgresql")
    return url.render_as_string(hide_password=False)


def _positions(runtime: Runtime) -> int:
    with runtime.ledger.read() as conn:
        return int(conn.exec_driver_sql("SELECT coalesce(max(n) + 1, 0) FROM log.log_position").scalar_one())


def goals_of(figures: dict[str, Any]) -> dict[str, tuple[bool, str]]:
    """Return which goals are met."""
    goals = {
        f"entries at {size} a transaction": (figures[f"entries_per_s_at_{size}"] >= least, f"at least {least:,}/s")
        for size, least in _GOALS.items()
    }
    worst = max(figures[f"receipt_p99_ms_at_{size}"] for size in _GOALS)
    return goals | {"receipt": (worst <= _RECEIPT_MS, f"witnessed within {_RECEIPT_MS:.0f} ms, p99")}


def main(argv: list[str]) -> int:
    """Measure and print one line of JSON."""
    parser = argparse.ArgumentParser(prog="bench append", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each size is written")
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    options = parser.parse_args(argv)
    figures = measure(options.seconds)
    return finish("append", figures, goals_of(figures), only_json=options.json)
