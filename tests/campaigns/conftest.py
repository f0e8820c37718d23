"""Campaigns: fault and load runs whose size is a number: ``run.py test`` takes a sample, ``run.py test long`` all."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.campaigns import LONG


@pytest.fixture
def amount() -> Callable[[int, int], int]:
    """Return a function that chooses between the size of a sample and the full one."""

    def choose(sample: int, full: int) -> int:
        return full if LONG else sample

    return choose
