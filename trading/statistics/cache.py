"""The sums of all months as a process keeps them: each release is read once, not at every request."""

from __future__ import annotations

from threading import Lock

from sqlalchemy import Connection

from trading.statistics import queries
from trading.statistics.rules.cube import Cube, cube
from trading.statistics.rules.facts import Picture, keep, read


class Kept:
    """Pictures of all procedures up to the newest release that was read, and the sums over them.

    Publications are only added and numbered in the order of their commits, so reading on from the last number finds
    everything that is new; a replica that lags shows nothing older than what is kept.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self._lock = Lock()
        self._number = 0
        self._pictures: dict[str, Picture] = {}
        self._cube = Cube()

    def cube(self, conn: Connection) -> Cube:
        """Return the sums over all published releases; the costs are those of what is new since the last call."""
        head = queries.head(conn)
        if head <= self._number:
            return self._cube
        with self._lock:
            number = self._number
            for number, raw in queries.releases_after(conn, self._number):  # noqa: B007 - the last one is kept
                keep(self._pictures, read(raw))
            if number != self._number:
                self._cube = cube(each.tender for each in self._pictures.values())
                self._number = number
            return self._cube
