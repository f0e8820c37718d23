"""Kill −9 any process or server of a running platform while entries are written; nothing acknowledged is lost (G1).

The checker reads the writers' own journal and the public tiles, never the server's account. Each round ends with
``mingbiao fsck``. The seed is printed; a seed that failed is kept in SEEDS and runs first.
"""

from __future__ import annotations

import hashlib
import secrets
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from sqlalchemy import NullPool, create_engine
from sqlalchemy.exc import SQLAlchemyError

from tests.support.bid_checker import logged
from tests.support.platforms import strike, temporary_platform
from trading.audit import queries
from trading.audit.ledger import Ledger
from trading.audit.model import EVENTS
from trading.db import open_engine, psycopg_url
from trading.embedded.processes import wait_until
from trading.kernel.errors import MingbiaoError
from trading.kernel.events import Event, Registry
from trading.kernel.roles import Actor
from trading.storage.head import HeadStore
from trading.up import Platform
from trading.up.programs import ROOT, answers, base_environment, command_line

VICTIMS = (
    *("postgres", "valkey", "sequencer", "worker", "clock", "web", "witness-supervisor", "witness-notary", "contact"),
)
SEEDS: tuple[str, ...] = ()
FSCK_EVERY = 10  # rounds between two readings of the whole log; each takes longer than the one before it
WRITERS = 4
HEAL_SECONDS = 60.0


@pytest.fixture
def platform() -> Iterator[Platform]:
    """A platform whose commits wait for the disk."""
    with temporary_platform() as platform:
        yield platform


class Writers:
    """Clients that write entries without pause and keep a journal of those whose commit was acknowledged."""

    def __init__(self, platform: Platform) -> None:
        url = platform.settings("web").database_url
        self._engine = open_engine(url, pool_size=WRITERS, application="campaign")
        self._ledger = Ledger(self._engine, registry=Registry(EVENTS))
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._write) for _ in range(WRITERS)]
        self.journal: list[str] = []
        for thread in self._threads:
            thread.start()

    def _write(self) -> None:
        event = Event(kind="config.changed", subject="campaign:kills", body={"what": "a kill campaign"})
        while not self._ended.is_set():
            try:
                with self._ledger.begin(Actor.system("campaign")) as uow:
                    recorded = uow.record(event)
            except (SQLAlchemyError, MingbiaoError):
                self._ended.wait(0.05)  # unknown, neither success nor failure; the server is away for a moment
            else:
                self.journal.append(recorded.h.hex())

    def stop(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()
        self._engine.dispose()


def pid_of(platform: Platform, name: str) -> int:
    if name in {"postgres", "valkey"}:
        return int(getattr(platform, name).pid)
    return platform.processes[name].pid


def kill_and_heal(platform: Platform, name: str, journal: list[str]) -> None:
    before = pid_of(platform, name)
    strike(before)
    assert wait_until(lambda: pid_of(platform, name) != before, HEAL_SECONDS), f"{name} was not started again"
    for running in platform.processes.values():
        running.pause = 0.5  # so many deaths in a row are this test's doing
    written = len(journal)
    assert wait_until(lambda: len(journal) > written + WRITERS, HEAL_SECONDS), f"no entry is accepted after {name}"
    assert wait_until(lambda: answers(f"{platform.base_url}/livez"), HEAL_SECONDS), f"no page is served after {name}"


def lost_or_doubled(platform: Platform, journal: list[str]) -> list[str]:
    found = logged(platform)
    return [h for h in journal if found[h] != 1]


def is_placed(platform: Platform) -> bool:
    """Whether the database has every position up to the head: what a killed sequencer left is done at its restart."""
    head = HeadStore(platform.data_dir / "log" / "head").read()
    url = psycopg_url(platform.settings("auditor").database_url)
    with suppress(SQLAlchemyError), create_engine(url, poolclass=NullPool).connect() as conn:
        return head is not None and queries.size(conn) >= head.size
    return False


def run_fsck(platform: Platform) -> subprocess.CompletedProcess[str]:
    environ = base_environment(platform.data_dir)
    return subprocess.run(command_line("fsck"), cwd=ROOT, env=environ, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("seed", [*SEEDS, None])
def test_no_acknowledged_entry_is_lost_when_processes_are_killed(
    platform: Platform, amount: Callable[[int, int], int], seed: str | None
) -> None:
    seed = seed or secrets.token_hex(8)
    print(f"SEED={seed}")  # noqa: T201 - pytest shows it with a failure
    writers = Writers(platform)
    try:
        assert wait_until(lambda: len(writers.journal) > WRITERS, HEAL_SECONDS)
        for number in range(amount(3, 60)):
            draw = int.from_bytes(hashlib.sha256(f"{seed} {number}".encode()).digest()[:4])
            name = VICTIMS[number % len(VICTIMS)] if number < len(VICTIMS) else VICTIMS[draw % len(VICTIMS)]
            kill_and_heal(platform, name, writers.journal)
            if number % FSCK_EVERY == 0:
                assert wait_until(lambda: is_placed(platform), HEAL_SECONDS), f"round {number}, {name}, SEED={seed}"
                checked = run_fsck(platform)
                told = f"{checked.stdout}{checked.stderr}"
                assert checked.returncode in {0, 2}, f"round {number}, {name}, SEED={seed}\n{told}"
    finally:
        writers.stop()
    assert wait_until(lambda: lost_or_doubled(platform, writers.journal) == [], HEAL_SECONDS), f"SEED={seed}"
    # Negative control: an entry that was promised and is not there is found.
    assert lost_or_doubled(platform, ["00" * 32]) == ["00" * 32]
