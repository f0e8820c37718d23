"""Campaigns: fault and load runs whose size is a number: ``run.py test`` takes a sample, ``run.py test long`` all."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

LONG = "MINGBIAO_CAMPAIGN"


@pytest.fixture
def amount() -> Callable[[int, int], int]:
    """Return a function that chooses between the size of a sample and the full one."""

    def choose(sample: int, full: int) -> int:
        return full if os.environ.get(LONG) == "long" else sample

    return choose
