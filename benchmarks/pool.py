"""Lists, searches and an import among a million experts: what a person waits for, with row-level security as it is."""

from __future__ import annotations

import argparse
import csv
import io
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, Final

import psycopg
from sqlalchemy import Connection

from benchmarks.support import many_experts
from benchmarks.support.machine import finish, percentile
from tests.support.databases import SERVER_VARIABLE, Database, Server, clone, server_of_run, stop_server_of_run
from tests.support.made_pool import EMPLOYER, PoolMaker, identity_no
from trading.assembly import REGISTRY
from trading.audit.ledger import Ledger
from trading.embedded.places import admit_server
from trading.experts import queries as experts
from trading.pool import queries
from trading.pool.queries import Page
from trading.pool.rules.sheet import COLUMNS
from trading.pool.service import imports

_LIST_MS: Final = 50.0
_IMPORT_S: Final = 180.0
_BOUND_MS: Final = 500.0


class Worker:
    """What an errand asks of its process."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger


def measure(experts: int, rows: int, rounds: int) -> dict[str, Any]:
    """Fill a database of its own, ask for every list, and import a file."""
    with _server() as server, clone(server) as database:
        ledger = Ledger(database.engine(), registry=REGISTRY, reader=database.engine("trading_reader"))
        pool = PoolMaker(ledger).set_up()
        started = time.perf_counter()
        url = database.url("postgres").replace("+psycopg", "")
        with psycopg.connect(url) as connection:
            many_experts.fill(connection, experts)
        figures: dict[str, Any] = {"experts": experts, "rows": rows, "rounds": rounds}
        figures["fill_s"] = round(time.perf_counter() - started, 1)
        figures |= _lists(ledger, pool, rounds)
        figures |= _bound(database, rounds)
        figures |= _import(database, pool, rows)
    return figures


@contextmanager
def _server() -> Iterator[Server]:
    """Yield a server of its own."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ[SERVER_VARIABLE] = folder
        admit_server(Path(folder))
        try:
            yield server_of_run()
        finally:
            stop_server_of_run()


def _lists(ledger: Ledger, pool: PoolMaker, rounds: int) -> dict[str, Any]:
    asked: dict[str, Callable[[Connection], Page]] = {
        "inbox": queries.inbox,
        "inbox_deep": lambda conn: queries.inbox(conn, queries.inbox(conn).after),
        "numbers": queries.by_number,
        "numbers_deep": lambda conn: queries.by_number(conn, after="E-8000"),
        "number_prefix": lambda conn: queries.by_number(conn, "E-7A"),
        "ending": lambda conn: queries.ending(conn, 1 << 60),
        "ending_deep": lambda conn: queries.ending(conn, 1 << 60, f"{1_800_000_000_000 + 500 * 86_400_000}.E-8"),
    }
    figures: dict[str, Any] = {}
    for name, ask in asked.items():
        with ledger.read() as conn:
            figures[f"{name}_p95_ms"], found = _timed(lambda ask=ask, conn=conn: ask(conn).rows, rounds)  # type: ignore[misc]
            figures[f"{name}_rows"] = found
    regulator = pool.actors["bureau"]
    with ledger.begin(regulator) as uow:
        for name, prefix in (("surname", "赵"), ("full_name", "赵" + chr(19968 + 16))):
            figures[f"{name}_p95_ms"], found = _timed(lambda p=prefix: queries.by_name(uow.connection, p), rounds)  # type: ignore[misc]
            figures[f"{name}_rows"] = found
    return figures


def _bound(database: Database, rounds: int) -> dict[str, Any]:
    """Return how long a draw waits for who declared a tie to its buyer, agency and eight bidders, or is away."""
    organisations, day = {f"UNIT{number}" for number in range(10)}, date(2026, 8, 1)
    with Ledger(database.engine("trading_worker"), registry=REGISTRY).read() as conn:
        taken, found = _timed(lambda: [*experts.bound(conn, organisations, day).conflicts], min(rounds, 10))
    return {"bound_by_draw_ms": taken, "bound_rows": found}


def _timed(ask: Callable[[], Any], rounds: int) -> tuple[float, int]:
    found = len(ask())
    taken = []
    for _ in range(rounds):
        started = time.perf_counter_ns()
        ask()
        taken.append((time.perf_counter_ns() - started) / 1e6)
    return round(percentile(taken, 95), 2), found


def _import(database: Database, pool: PoolMaker, rows: int) -> dict[str, Any]:
    worker = Worker(Ledger(database.engine("trading_worker"), registry=REGISTRY))
    batch = imports.begin(pool.ledger, pool.actors["keeper"], _file(rows), regime_name="GP", mode="good")
    started = time.perf_counter()
    imports.run(worker, {"batch": batch})  # type: ignore[arg-type]  # it asks for the ledger alone
    seconds = time.perf_counter() - started
    with pool.ledger.upkeep() as conn:
        row, _report = queries.import_of(conn, batch)
    return {"import_s": round(seconds, 1), "import_taken": row.rows_taken, "import_state": row.state}


def _file(rows: int) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([column.zh for column in COLUMNS])
    for number in range(rows):
        birth = f"{1960 + number // 365_000 % 30}{1 + number // 30_000 % 12:02d}{1 + number // 1000 % 28:02d}"
        person = identity_no(number, birth)
        writer.writerow(
            [f"专家{number}", person, "1970-01-01", "13800000000", f"e{number}@example.org", EMPLOYER, "江北省设计院",
             EMPLOYER, "", "高级", "高级工程师", 12, "110101", "A0201;C1601", ""]
        )  # fmt: skip
    return out.getvalue().encode()


def main(argv: list[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="bench pool", description=__doc__)
    parser.add_argument("--experts", type=int, default=1_000_000)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    figures = measure(options.experts, options.rows, options.rounds)
    slowest = max(value for name, value in figures.items() if name.endswith("_p95_ms"))
    goals = {
        "lists": (slowest <= _LIST_MS, f"every list and search within {_LIST_MS} ms (p95): {slowest}"),
        "bound": (
            figures["bound_by_draw_ms"] <= _BOUND_MS,
            f"whom their files keep out of a draw within {_BOUND_MS} ms (p95): {figures['bound_by_draw_ms']}",
        ),
        "import": (
            figures["import_s"] <= _IMPORT_S and figures["import_taken"] == options.rows,
            f"{options.rows} rows within {_IMPORT_S} s: {figures['import_s']}",
        ),
    }
    return finish("pool", figures, goals, only_json=options.json)
