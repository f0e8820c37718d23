"""Turns: of the submissions that a process has in hand, a few are worked on at a time, in the order of arrival.

Threads that all want the processor at once get it in no order: under a rush the unlucky ones waited three times as
long as the lucky, and every switch between them cost something. Waiting for a turn holds no connection and no lock, and
stands in the record as ``queue_ms`` (TE1 T4.2).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """Places that are taken first come, first served.

    A place is order, not protection: whoever has waited ``patience_s`` goes on without one, so that a lock that
    somebody holds on one tender, or a slow store, cannot keep the bids of all others.
    """

    def __init__(self, places: int, *, patience_s: float) -> None:
        """Let ``places`` threads go at a time, and make nobody wait longer than ``patience_s``."""
        self._free = places
        self._patience_s = patience_s
        self._mutex = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a place, keep it for the block, and hand it to whoever has waited longest."""
        mine = self._take()
        try:
            yield
        finally:
            if mine:
                self._leave()

    @property
    def waiting(self) -> int:
        """Return how many wait. For tests alone: it tells how many bids arrive (G4)."""
        with self._mutex:
            return len(self._waiting)

    def _take(self) -> bool:
        with self._mutex:
            if self._free:
                self._free -= 1
                return True
            called = threading.Lock()
            called.acquire()
            self._waiting.append(called)
        if called.acquire(timeout=self._patience_s):
            return True
        with self._mutex:
            if called in self._waiting:
                self._waiting.remove(called)
                return False
        return True  # called in the very moment in which patience ended

    def _leave(self) -> None:
        with self._mutex:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._free += 1
