"""Progress on stderr: a bar on a terminal, a line every few seconds elsewhere if the work is long."""

from __future__ import annotations

import sys
import time

BAR_WIDTH = 30
QUIET_SECONDS = 5.0


class Progress:
    """Shows how far a step is; silent for short work that is not watched."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._started = self._shown = time.monotonic()
        self._open = False

    def tick(self, label: str, done: int, total: int) -> None:
        """Show that ``done`` of ``total`` things of a step are finished."""
        now = time.monotonic()
        wait = 0.1 if self._terminal else QUIET_SECONDS
        if now - self._shown < wait:
            return
        self._shown = now
        share = done / total if total else 1.0
        if self._terminal:
            bar = "█" * int(share * BAR_WIDTH)
            sys.stderr.write(f"\r{label:<14} {bar:<{BAR_WIDTH}} {share:4.0%} {done}/{total} ")
            self._open = True
        else:
            sys.stderr.write(f"{label}: {done}/{total} ({share:.0%}) after {now - self._started:.0f} s\n")
        sys.stderr.flush()

    def close(self) -> None:
        """Remove the bar."""
        if self._open:
            sys.stderr.write("\r" + " " * 70 + "\r")
            sys.stderr.flush()
