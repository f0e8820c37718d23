"""``mingbiao probe run``: measures the platform from one vantage point, every 30 s, until stopped (TE1 T6).

It is a process of its own, at the operator's site but outside the platform's network, or at the supervisor. It needs
the public address and its own folder, which ``mingbiao probe open`` has made, and nothing else.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
from pathlib import Path

import click

from agents.probe.rounds import Prober
from agents.probe.state import ProbeState
from agents.words import reporting
from trading.bids.rules.probing import ROUND_MS
from trading.kernel.clock import Clock, ShiftedClock, SystemClock

_LOG = logging.getLogger("mingbiao.probe")
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("run")
@click.option("--state", "directory", required=True, type=_FOLDER, help="The folder of this synthetic bidder.")
@click.option("--url", required=True, help="The public address of the platform.")
@click.option("--every", type=click.FloatRange(min=1.0), default=ROUND_MS / 1000, show_default=True, help="Seconds.")
@click.option("--shift-file", type=_FILE, help="Demonstration only: file with the shift of the clock in ms.")
@click.option("--once", is_flag=True, help="One round; exit 1 if it fails.")
def run(directory: Path, url: str, every: float, shift_file: Path | None, *, once: bool) -> None:
    """Submit a small sealed envelope again and again, check its receipt, and tell how it went."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(name)s %(levelname)s %(message)s")
    clock: Clock = SystemClock() if shift_file is None else ShiftedClock(shift_file)
    with reporting():
        prober = Prober(ProbeState(directory), url, clock)
    if once:
        raise SystemExit(0 if measure(prober) else 1)
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    while True:
        due = prober.monotonic() + every
        measure(prober)
        if stopped.wait(max(0.0, due - prober.monotonic())):
            return


def measure(prober: Prober) -> bool:
    """Run one round and tell it; return whether a bidder would have been served."""
    result = prober.round()
    if not result.ok:
        _LOG.warning("a bidder is not served: %s", result.reason)
    if not prober.tell():
        _LOG.warning("not told yet; it is kept")
    return result.ok
