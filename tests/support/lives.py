"""Short lives of programs that write, each a process of its own, which ends by itself or by what strikes it.

They are forked from one process that has everything imported. A life waits at its gate until one of its threads is
watched; what it says afterwards is still heard when it is dead.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Final

from tests.support.syscalls import Call, Order, Strike, Watcher

_PATIENCE_S: Final = 30.0
_ANY_TRACER: Final = (0x59616D61, ctypes.c_ulong(-1))  # PR_SET_PTRACER: under Yama only ancestors may trace
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.support.writing_lives"])


class Gate:
    """The life's end of the connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def wait(self) -> None:
        """Wait until this thread is watched."""
        ctypes.CDLL(None).prctl(*_ANY_TRACER, 0, 0, 0)
        self._connection.send(threading.get_native_id())
        order: Order | None = self._connection.recv()
        if order is not None:
            order.obey()

    def say(self, what: object) -> None:
        self._connection.send(what)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A life that is over: exit code (negative: the signal), the calls of the watched thread, what it said."""

    code: int
    calls: list[Call]
    said: list[object]

    @property
    def was_killed(self) -> bool:
        return self.code == -signal.SIGKILL


def live(watcher: Watcher, strike: Strike | None, life: Callable[..., None], *arguments: object) -> Ended:
    """Let ``life(gate, *arguments)`` happen in a process of its own."""
    ours, theirs = _context.Pipe()
    process = _context.Process(target=life, args=(Gate(theirs), *arguments))
    process.start()
    theirs.close()
    try:
        with watcher.watching(ours.recv(), strike) as watch:
            ours.send(watch.order)
            process.join(_PATIENCE_S)
            assert process.exitcode is not None, "it does not end"
    finally:
        process.kill()
        process.join()
    said = []
    while ours.poll():
        try:
            said.append(ours.recv())
        except EOFError:
            break
    return Ended(code=process.exitcode, calls=watch.calls, said=said)
