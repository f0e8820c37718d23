"""The application on a database of its own, without a worker or sequencer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TypeAlias

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event

from tests.build.gallery import gallery
from tests.support.covered import CoveredLog, covered_log
from tests.support.databases import Database, Server
from trading.app import create_app
from trading.assembly import REGISTRY
from trading.audit.ledger import Ledger
from trading.audit.runtime import Runtime
from trading.config import Process, Settings
from trading.kernel.clock import FixedClock
from trading.kernel.events import Registry
from trading.storage.local import LocalStore

NOW = 1_778_551_200_000  # 2026-05-12 10:00:00 in China
CountQueries: TypeAlias = Callable[[], AbstractContextManager[list[str]]]


@pytest.fixture(scope="session")
def samples_app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """The gallery: every page in every state, no database."""
    return gallery(tmp_path_factory.mktemp("gallery"))


@pytest.fixture
def samples_client(samples_app: Flask) -> FlaskClient:
    return samples_app.test_client()


@pytest.fixture
def registry() -> Registry:
    return REGISTRY


@pytest.fixture
def app(database: Database, ledger: Ledger, tmp_path: Path) -> Flask:
    """The web application over ``database``; its clock stands still at ``NOW``."""
    runtime = Runtime(
        ledger=ledger,
        objects=LocalStore(tmp_path / "objects"),
        log_dir=tmp_path,
        origin=database.origin,
        demo=False,
        clock=FixedClock(NOW),
    )
    settings = Settings(
        process=Process.WEB,
        demo=False,
        data_dir=tmp_path,
        database_url=database.url("trading_web"),
        log_origin=database.origin,
        jurisdiction="CN",
    )
    return create_app(settings, runtime)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def count_queries(ledger: Ledger) -> CountQueries:
    """A context manager that yields the list of statements the reading engine runs."""

    @contextmanager
    def counting() -> Iterator[list[str]]:
        seen: list[str] = []

        def note(_conn: object, _cursor: object, statement: str, *_rest: object) -> None:
            seen.append(statement)

        event.listen(ledger._reader, "before_cursor_execute", note)
        try:
            yield seen
        finally:
            event.remove(ledger._reader, "before_cursor_execute", note)

    return counting


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)


@pytest.fixture
def covered(server: Server, tmp_path: Path) -> Iterator[CoveredLog]:
    """A log with a public head, and the application over it."""
    with covered_log(server, tmp_path) as covered:
        yield covered
