"""A whole platform in a temporary directory; nothing of it is left afterwards."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from trading.assembly import open_runtime
from trading.audit.runtime import Runtime
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


@contextmanager
def runtime_on(platform: Platform, *, pool_size: int = 4) -> Iterator[Runtime]:
    """Yield a runtime of this process on a platform, as a worker has it; its connections end with it."""
    runtime = open_runtime(platform.settings("worker"), pool_size=pool_size)
    try:
        yield runtime
    finally:
        for engine in (runtime.ledger._engine, runtime.ledger._reader):
            engine.dispose()


def strike(pid: int) -> None:
    """Kill −9; the process may have ended a moment ago, because of what was killed before it."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
