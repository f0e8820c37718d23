"""A bar on stderr while a long check runs; nothing at all where nobody watches, as in a pipe or a scheduled job."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TextIO

BAR_WIDTH = 30
LINE_WIDTH = 78
PAUSE_SECONDS = 0.1


class Progress:
    """Shows how far a step is, if ``stream`` is a terminal."""

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._watched = self._stream.isatty()
        self._shown = clock()
        self._open = False

    def tick(self, label: str, done: int, total: int) -> None:
        """Show that ``done`` of ``total`` things of a step are finished; work of a blink shows nothing."""
        if not self._watched or (now := self._clock()) - self._shown < PAUSE_SECONDS:
            return
        self._shown = now
        share = done / total if total else 1.0
        bar = "█" * int(share * BAR_WIDTH)
        line = f"{label:<8} {bar:<{BAR_WIDTH}} {share:4.0%} {done:,}/{total:,}"
        self._stream.write(f"\r{line:<{LINE_WIDTH}}")
        self._stream.flush()
        self._open = True

    def close(self) -> None:
        """Remove the bar."""
        if self._open:
            self._stream.write("\r" + " " * LINE_WIDTH + "\r")
            self._stream.flush()
            self._open = False
