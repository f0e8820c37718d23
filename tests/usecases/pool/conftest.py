"""A pool with its people."""

from __future__ import annotations

import pytest

from tests.support.made_pool import PoolMaker
from trading.assembly import REGISTRY
from trading.audit.ledger import Ledger
from trading.kernel.events import Registry


@pytest.fixture
def registry() -> Registry:
    return REGISTRY


@pytest.fixture
def pool(ledger: Ledger) -> PoolMaker:
    return PoolMaker(ledger).set_up()
