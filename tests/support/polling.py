"""Waiting for other threads and processes without sleeping for a guessed time."""

from __future__ import annotations

import time
from collections.abc import Callable


def eventually(condition: Callable[[], object], *, seconds: float = 20.0, what: str = "") -> None:
    """Poll until ``condition`` holds; fail after ``seconds``, which are only a bound and never the usual wait."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what or condition}")
        time.sleep(0.005)
