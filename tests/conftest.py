"""Servers and databases of the suite. Nothing is assumed to be installed."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.databases import SERVER_VARIABLE, Database, Server, clone, server_of_run, stop_server_of_run
from tests.support.logs import LogWorld
from tests.support.templates import share_compiled
from trading.audit.ledger import Ledger
from trading.audit.model import EVENTS
from trading.embedded.places import admit_server
from trading.kernel.events import Registry

if TYPE_CHECKING:
    from tests.support.buckets import S3Server

#: Many short tests each: begun last, so that all workers end together.
LAST = ("verifier", "agents", "repo", "properties", "crypto", "rules")
MEMORY = Path("/dev/shm")  # noqa: S108 - mkdtemp makes a private folder in it
ROOM = 4 * 2**30  # bytes; a whole run needs less than one of them


def pytest_configure(config: pytest.Config) -> None:
    """Name the folder of the run's server; workers of xdist inherit it and share one server."""
    if not hasattr(config, "workerinput"):
        _keep_files_in_memory()
        folder = Path(tempfile.mkdtemp(prefix="mingbiao-tests-"))
        admit_server(folder)
        os.environ[SERVER_VARIABLE] = str(folder)
    share_compiled()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the folders whose tests are long."""
    rank = {name: number for number, name in enumerate(LAST, 1)}
    here = Path(__file__).parent
    items.sort(key=lambda item: rank.get(item.path.relative_to(here).parts[0], 0))


def _keep_files_in_memory() -> None:
    """Let files of the run lie in memory where there is room.

    No test here proves anything about a disk; those that do name a folder of theirs. And there are file systems that
    take half a second to make the thousand files of one more database.
    """
    if "TMPDIR" not in os.environ and MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and _free() > ROOM:
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None  # look again


def _free() -> int:
    """Return how many bytes can be kept in memory."""
    told = dict(line.split(":") for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines())
    return min(shutil.disk_usage(MEMORY).free, int(told["MemAvailable"].split()[0]) * 1024)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the server, if a test started one."""
    if hasattr(config, "workerinput"):
        return
    stop_server_of_run()
    shutil.rmtree(os.environ.pop(SERVER_VARIABLE), ignore_errors=True)


@pytest.fixture(scope="session")
def server() -> Server:
    """The PostgreSQL server of this run; fsync is off."""
    return server_of_run()


@pytest.fixture
def database(server: Server) -> Iterator[Database]:
    """A migrated database of its own for each test."""
    with clone(server) as database:
        yield database


@pytest.fixture
def demo_database(server: Server) -> Iterator[Database]:
    """The same in demo mode (P13)."""
    with clone(server, demo=True) as database:
        yield database


@pytest.fixture
def registry() -> Registry:
    """The kinds of the log itself; packages with kinds of their own override this fixture."""
    return Registry(EVENTS)


@pytest.fixture
def ledger(database: Database, registry: Registry) -> Ledger:
    """The write path as the web role, reading as the reader."""
    return Ledger(database.engine(), registry=registry, reader=database.engine("trading_reader"))


@pytest.fixture
def world(database: Database, tmp_path: Path) -> Iterator[LogWorld]:
    """A log over ``database`` with three witnesses; no sequencer runs until the test starts one."""
    world = LogWorld(database, tmp_path)
    yield world
    world.close()


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    """A server of object storage, started with the first test that wants one."""
    from tests.support.buckets import s3_server  # noqa: PLC0415 - its library is large, and few tests need it

    with s3_server() as server:
        yield server
