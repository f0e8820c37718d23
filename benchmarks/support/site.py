"""A whole platform in a temporary directory, with a market in it; nothing of it is left afterwards."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trading.assembly import open_runtime
from trading.audit.runtime import Runtime
from trading.embedded.places import admit_server
from trading.up import Platform
from trading.up.platform import discard_platform


@contextmanager
def temporary_platform() -> Iterator[Platform]:
    """Yield a running platform whose commits wait for the disk, on free ports."""
    folder = Path(tempfile.mkdtemp(prefix="mb-bench-", dir="/tmp"))  # a short path: sockets lie below it
    try:
        admit_server(folder)
        platform = Platform(folder, listen="127.0.0.1:0")
        platform.start()
        try:
            yield platform
        finally:
            platform.stop()
    finally:
        discard_platform(folder)


def runtime_of(platform: Platform) -> Runtime:
    """Return what a use case needs, for setting the stage in this very process."""
    return open_runtime(platform.settings("worker"), pool_size=4)
