"""The program ``mingbiao sequencer``, killed for real while others write; then the operator's own checks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.support.databases import Database
from tests.support.logs import LOG_SEED, LogWorld
from tests.support.polling import eventually
from trading.audit.ledger import Ledger
from trading.audit.rules.note import parse_checkpoint_text, parse_note
from trading.config.demo import EmbeddedServers
from trading.crypto.files import write_secret
from trading.kernel.events import Event, Registry
from trading.kernel.roles import Actor

ACTOR = Actor.system("test")
ROOT = Path(__file__).parents[2]


@pytest.fixture
def data_dir(demo_database: Database, tmp_path: Path) -> Path:
    """What ``mingbiao up`` would have prepared for the sequencer."""
    keys = tmp_path / "keys"
    keys.mkdir(mode=0o700)
    write_secret(keys / "log.key", LOG_SEED)
    (keys / "origin").write_text(demo_database.origin)
    EmbeddedServers(database=demo_database.url("ROLE"), redis="redis://127.0.0.1:1/0").write(tmp_path)
    return tmp_path


@pytest.fixture
def demo(demo_database: Database, data_dir: Path) -> Iterator[LogWorld]:
    world = LogWorld(demo_database, data_dir)
    (data_dir / "witness-policy").write_text(world.policy_text)
    yield world
    world.close()


def command(world: LogWorld, *arguments: str) -> subprocess.Popen[str]:
    environment = {"DATA_DIR": str(world.directory), "PATH": os.environ["PATH"]}
    line = [sys.executable, "-m", "trading.cli", *arguments]
    return subprocess.Popen(line, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def size_of(world: LogWorld, name: str) -> int:
    data = world.tiles.read(name)
    return 0 if data is None else parse_checkpoint_text(parse_note(data).text).size


def has_grown(world: LogWorld, size: int) -> bool:
    return size_of(world, "checkpoint") > size


@contextmanager
def writing(ledger: Ledger) -> Iterator[list[bytes]]:
    """Let a thread record without pause; yield the commitments of what was committed."""
    acknowledged: list[bytes] = []
    is_over = threading.Event()

    def work() -> None:
        while not is_over.wait(0.002):
            with ledger.begin(ACTOR) as uow:
                recorded = uow.record(Event(kind="config.changed", subject="x", body={"what": "x"}))
            acknowledged.append(recorded.h)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield acknowledged
    finally:
        is_over.set()
        thread.join()


def test_kills_lose_nothing(demo: LogWorld, registry: Registry) -> None:
    ledger = Ledger(demo.database.engine(), registry=registry)
    with writing(ledger) as acknowledged:
        for _ in range(3):
            sequencer = command(demo, "sequencer")
            eventually(partial(has_grown, demo, size_of(demo, "checkpoint") + 20), seconds=60)
            sequencer.kill()
            sequencer.communicate()
    sequencer = command(demo, "sequencer")
    eventually(lambda: size_of(demo, "witnessed") >= len(acknowledged), seconds=60)
    sequencer.terminate()
    _, told = sequencer.communicate(timeout=60)
    assert sequencer.returncode == 0, told
    with demo.database.connect() as superuser:
        logged = superuser.exec_driver_sql(
            "SELECT e.h FROM log.log_position p JOIN log.audit_entry e ON e.id = p.entry_id ORDER BY p.n"
        ).scalars()
        found = [bytes(h) for h in logged]
    assert len(found) == len(set(found))
    assert [h for h in found if h in set(acknowledged)] == acknowledged
    report = command(demo, "fsck", "--json")
    out, told = report.communicate(timeout=60)
    assert report.returncode == 0, told + out
    assert json.loads(out)["counts"]["entries"] == len(found)
    replay = command(demo, "verify-audit", "--json")
    out, told = replay.communicate(timeout=60)
    assert (replay.returncode, json.loads(out)) == (0, []), told


def test_a_second_sequencer_says_why_it_does_not_start(demo: LogWorld) -> None:
    with demo.running():
        second = command(demo, "sequencer")
        _, told = second.communicate(timeout=60)
    assert second.returncode == 1
    assert "another sequencer" in told
