"""The web server's worker, which leaves a new connection to another process that has fewer.

Whichever process wakes first takes a connection and keeps it, so that of two processes one has 22 clients and the other
ten, and whoever is with the crowd waits twice as long for the same thing. All processes see how many each of them has.
"""

from __future__ import annotations

import mmap
import time
from typing import TYPE_CHECKING, Any, Final

from gunicorn.workers.gthread import ThreadWorker

if TYPE_CHECKING:
    import socket

_SLOTS: Final = 64
_GIVE_WAY_S: Final = 0.002  # what an idle process needs to take a connection; one that hangs delays others by no more
# Made before the first fork, so that one memory is shared. A slot is 0 or one more than the connections of a process.
_CONNECTIONS: Final = memoryview(mmap.mmap(-1, _SLOTS * 4)).cast("I")


class BalancedWorker(ThreadWorker):  # type: ignore[misc] # the library has no types
    """A worker with threads that gives way to a less busy one of the same server."""

    def __init__(self, age: int, *rest: Any) -> None:  # noqa: ANN401 - of the library
        """Take the slot of the worker's number."""
        self._slot = age % _SLOTS
        self._mine = 0
        super().__init__(age, *rest)

    @property
    def nr_conns(self) -> int:
        """Return the connections of this process, as the library counts them."""
        return self._mine

    @nr_conns.setter
    def nr_conns(self, value: int) -> None:
        self._mine = value
        _CONNECTIONS[self._slot] = value + 1

    def accept(self, listener: socket.socket) -> None:
        """Take a connection, after a moment if another process has fewer; it is gone then, as a rule."""
        if is_ahead(_CONNECTIONS, self._mine):
            time.sleep(_GIVE_WAY_S)
        super().accept(listener)

    def forget(self) -> None:
        """Clear the slot of a process that has ended, whose last count says nothing any more."""
        _CONNECTIONS[self._slot] = 0


def is_ahead(slots: memoryview[int], mine: int) -> bool:
    """Return whether some process has at least two connections fewer, so that giving way brings both closer."""
    return any(0 < slot < mine for slot in slots)
