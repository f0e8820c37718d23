"""Server processes by their id: is it alive, stop it, wait for it. Only processes this product started are touched."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_POLL_SECONDS = 0.02


class EmbeddedServerError(RuntimeError):
    """An embedded server cannot be set up; the text tells the person at the keyboard what to do."""


def is_alive(pid: int) -> bool:
    """Return whether the process exists and has not ended; a zombie that nobody has collected yet counts as ended."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        # The state is the first field after the parenthesised name, which itself may hold spaces and parentheses.
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return True
    return state not in {"Z", "X"}


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Poll ``condition`` until it holds or ``seconds`` have passed; return whether it held."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def stop(pid: int, first: signal.Signals, *, seconds: float, child: subprocess.Popen[bytes] | None = None) -> None:
    """Stop one process: ``first``, and SIGKILL if it is still there after ``seconds``. Returns when it is gone.

    Args:
        pid: The process. A pid that no longer exists is no error.
        first: The signal of an orderly stop.
        seconds: Patience before the process is killed.
        child: The handle, if this very process started it; it is collected so that no zombie stays.
    """

    def gone() -> bool:
        return child.poll() is not None if child is not None else not is_alive(pid)

    for number, patience in ((first, seconds), (signal.SIGKILL, 10.0)):
        if gone():
            return
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        if wait_until(gone, patience):
            return
    raise EmbeddedServerError(f"process {pid} does not end, not even by SIGKILL")


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold the lock of a server's folder: two test processes may begin together, and one of them starts the server."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
