"""A whole platform in a temporary directory; nothing of it is left afterwards."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from trading.embedded.places import admit_server
from trading.up import Platform
from trading.up.platform import discard_platform


@contextmanager
def temporary_platform(*, fsync: bool = True, demo_shift_ms: int = 0) -> Iterator[Platform]:
    """Yield a running platform on free ports; without ``fsync`` its commits do not wait for the disk.

    ``demo_shift_ms`` is the shift of demonstration time in ms.
    """
    folder = Path(tempfile.mkdtemp(prefix="mb-", dir="/tmp"))  # a short path: sockets lie below it
    try:
        admit_server(folder)
        platform = Platform(folder, listen="127.0.0.1:0", fsync=fsync, demo_shift_ms=demo_shift_ms)
        platform.start()
        try:
            yield platform
        finally:
            platform.stop()
    finally:
        discard_platform(folder)


def strike(pid: int) -> None:
    """Kill −9; the process may have ended a moment ago, because of what was killed before it."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
