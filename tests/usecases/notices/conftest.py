"""A market whose sequencer logs, and a worker of the test's own that relays and publishes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.build.dummy_envelopes import MemoryStore
from tests.build.market import DemoTime, open_market, runtime_of
from tests.support.databases import Database
from tests.support.logs import LogWorld
from tests.support.publishing import Publisher


@pytest.fixture
def publisher(demo_database: Database, tmp_path: Path) -> Iterator[Publisher]:
    time = DemoTime(database=demo_database, shift_file=tmp_path / "demo-shift")
    world = LogWorld(demo_database, tmp_path, clock=time.clock)
    try:
        with world.running():
            yield Publisher(market=open_market(runtime_of(demo_database, world, MemoryStore(), threads=6), bidders=1))
    finally:
        world.close()
