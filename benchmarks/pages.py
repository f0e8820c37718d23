"""Processor time per request of the public pages, the feed and the open data among 100 procedures, in both languages.

The list shows 50 rows a page: ``list`` is its first page and ``list_2`` its second; both together are the whole list.
So do the feed and the packages of releases.
Twice: through the application in this very process, where nothing else counts, and through the running web server,
where the time of its workers is read from the system. The database's own time is reported beside it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from http.client import HTTPConnection
from statistics import median
from typing import Any, Final

from flask.testing import FlaskClient

from benchmarks.support.bidding import Bidding, runtime_of
from benchmarks.support.machine import finish
from benchmarks.support.processes import cpu_with_children_ms
from tests.support.platforms import temporary_platform
from trading.app import create_app
from trading.audit.queries import is_relayed
from trading.config.settings import DEFAULT_OCID_PREFIX
from trading.embedded.processes import wait_until
from trading.up import Platform

_PROCEDURES: Final = 100
_CPU_MS: Final = 5.0
_BATCH: Final = 20
_LANGUAGES: Final = ("zh", "en")
_BOUND: Final = ("list", "tender", "notice", "feed", "releases", "record")
_OK: Final = 200
_PATIENCE_S: Final = 120.0


def measure(requests: int) -> dict[str, Any]:
    """Publish 100 procedures on a platform of its own and ask for both pages so many times each."""
    with temporary_platform() as platform:
        bidding = Bidding(platform, bidders=1, procedures=_PROCEDURES)
        pages = {
            "list": "/procedures?page=1",
            "list_2": "/procedures?page=2",
            "tender": f"/procedures/{bidding.reference}?",
            "notice": f"/procedures/{bidding.reference}/notices/1?",
            "feed": "/feed.atom?",
            "releases": "/api/v1/ocds/releases?",
            "record": f"/api/v1/ocds/records/{DEFAULT_OCID_PREFIX}-{bidding.reference}?",
        }
        _await_publication(platform)
        figures: dict[str, Any] = {"procedures": _PROCEDURES, "requests_each": requests}
        client = create_app(platform.settings("web"), runtime_of(platform)).test_client()
        for name, path in pages.items():
            for language in _LANGUAGES:
                address = f"{path}&lang={language}"
                figures |= _in_process(f"{name}_{language}", client, address, requests)
                figures |= _through_server(f"{name}_{language}", platform, address, requests)
    return figures


def _await_publication(platform: Platform) -> None:
    """Wait until the worker has published everything in every channel."""
    ledger = runtime_of(platform).ledger

    def settled() -> bool:
        with ledger.read() as conn:
            return is_relayed(conn)

    if not wait_until(settled, _PATIENCE_S):
        raise SystemExit("the worker does not publish")


def _in_process(name: str, client: FlaskClient, address: str, requests: int) -> dict[str, Any]:
    def ask(count: int) -> None:
        for _ in range(count):
            response = client.get(address)
            _require(response.status_code, address)

    figures = _per_request(ask, time.process_time_ns, requests)
    size = len(client.get(address).data)
    return {
        f"{name}_bytes": size,
        f"{name}_app_cpu_ms": round(median(figures) / 1e6, 2),
        f"{name}_app_cpu_best_ms": round(min(figures) / 1e6, 2),
    }


def _through_server(name: str, platform: Platform, address: str, requests: int) -> dict[str, Any]:
    """Ask over one kept connection; clock ticks are coarse, so all requests are counted together."""
    connection = HTTPConnection(platform.listen)
    pids = {"web": platform.processes["web"].pid}
    if platform.postgres is not None:
        pids["postgres"] = platform.postgres.pid

    def ask(count: int) -> None:
        for _ in range(count):
            connection.request("GET", address)
            response = connection.getresponse()
            response.read()
            _require(response.status, address)

    ask(_BATCH)
    before = {part: cpu_with_children_ms(pid) for part, pid in pids.items()}
    began = time.perf_counter()
    ask(requests)
    seconds = time.perf_counter() - began
    connection.close()
    spent = {part: (cpu_with_children_ms(pid) - before[part]) / requests for part, pid in pids.items()}
    figures = {f"{name}_{part}_cpu_ms": round(ms, 2) for part, ms in spent.items()}
    return figures | {f"{name}_one_client_per_s": round(requests / seconds)}


def _require(status: int, address: str) -> None:
    if status != _OK:
        raise SystemExit(f"{address} answers {status}")


def _per_request(ask: Callable[[int], None], clock: Callable[[], int], requests: int) -> Sequence[float]:
    """Return the time per request of each batch, in the clock's unit, after one batch that does not count."""
    ask(_BATCH)
    found = []
    for _ in range(max(1, requests // _BATCH)):
        before = clock()
        ask(_BATCH)
        found.append((clock() - before) / _BATCH)
    return found


def goals_of(figures: dict[str, Any]) -> dict[str, tuple[bool, str]]:
    """Return which goals are met (reliability 10.1): the web server's own time for each page."""
    names = [f"{page}_{language}" for page in _BOUND for language in _LANGUAGES]
    return {
        name: (figures[f"{name}_web_cpu_ms"] <= _CPU_MS, f"at most {_CPU_MS:.0f} ms of the web server's time")
        for name in names
    }


def main(argv: list[str]) -> int:
    """Measure and print one line of JSON."""
    parser = argparse.ArgumentParser(prog="bench pages", description=__doc__)
    parser.add_argument("--requests", type=int, default=400, help="of each page in each language")
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    options = parser.parse_args(argv)
    figures = measure(options.requests)
    return finish("pages", figures, goals_of(figures), only_json=options.json)
