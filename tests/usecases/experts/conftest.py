"""A market with its desk set up, a running log, and the people of draws."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.databases import Database
from tests.support.made_committee import CommitteeMaker, contact_ledger, worker_ledger
from tests.support.market import SYSTEM, Market, open_market
from trading.assembly import REGISTRY
from trading.audit.demo_clock import jump
from trading.kernel.events import Registry


@pytest.fixture
def registry() -> Registry:
    return REGISTRY


@pytest.fixture
def market(demo_database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Market]:
    caplog.set_level(logging.CRITICAL)
    with open_market(demo_database, tmp_path, ()) as market:
        market.draft()
        yield market


@pytest.fixture
def maker(market: Market, demo_database: Database) -> CommitteeMaker:
    made = CommitteeMaker(
        runtime=market.runtime,
        stage=market.stage,
        contact_ledger=contact_ledger(demo_database),
        worker_ledger=worker_ledger(demo_database),
        jump=lambda to: jump(market.runtime, SYSTEM, to, shift_file=market.shift_file),
    )
    made.set_up()
    return made
