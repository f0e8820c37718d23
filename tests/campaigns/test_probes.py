"""Two synthetic bidders as processes, against a whole platform whose processes hang and die (TE1 T6).

About a minute of waiting, so ``MINGBIAO_CAMPAIGN=long`` alone; ``tests/journeys/test_outage.py`` plays what follows.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.campaigns import LONG
from tests.support.platforms import runtime_on, strike, temporary_platform
from tests.support.polling import eventually
from trading.audit.runtime import Runtime
from trading.bids import probing
from trading.bids.rules.outages import VANTAGES, outages
from trading.up import Platform

EVERY_S = 1.0
SHARE = 0.01  # of a processor, at the pace of T6
ROUND_S = 30.0


def told(runtime: Runtime) -> list[dict[str, Any]]:
    with runtime.ledger.read() as conn:
        return probing.probes(conn, 0)


def served_after(runtime: Runtime, since: int) -> Callable[[], bool]:
    def look() -> bool:
        good = {
            each["body"]["vantage"] for each in told(runtime) if each["body"]["ok"] and each["body"]["from"] > since
        }
        return good == set(VANTAGES)

    return look


def processor_s(pid: int) -> float:
    """Return the processor time of a process so far, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def share_of_a_processor(platform: Platform, runtime: Runtime, rounds: int) -> float:
    """Return what a probe takes at the pace of T6, from some rounds at a higher one."""
    pid, before = platform.processes["probe-operator"].pid, len(told(runtime))
    began = processor_s(pid)
    eventually(lambda: len(told(runtime)) >= before + 2 * rounds, seconds=120)
    return (processor_s(pid) - began) / rounds / ROUND_S


@pytest.mark.skipif(not LONG, reason="waits for a minute: MINGBIAO_CAMPAIGN=long")
def test_probes_tell_of_a_hanging_web_and_outlive_what_dies() -> None:
    with temporary_platform(fsync=False) as platform, runtime_on(platform) as runtime:
        platform.start_probes(EVERY_S)
        eventually(served_after(runtime, 0), seconds=120)
        assert share_of_a_processor(platform, runtime, 10) < SHARE
        web = platform.processes["web"].pid
        os.killpg(web, signal.SIGSTOP)
        untold = [platform.data_dir / "probes" / vantage / "untold" for vantage in VANTAGES]
        try:
            eventually(lambda: all(len(list(each.glob("*.json"))) >= 3 for each in untold), seconds=120)
        finally:
            os.killpg(web, signal.SIGCONT)
        eventually(lambda: [each for each in outages(told(runtime)) if each.last is not None], seconds=60)
        (found,) = outages(told(runtime))
        assert found.last is not None
        assert found.last - found.first > 10_000
        for name in ("probe-supervisor", "worker", "sequencer", "web"):
            strike(platform.processes[name].pid)
        eventually(served_after(runtime, found.last + 1_000), seconds=120)
        lines = [path.parent.joinpath("rounds.jsonl").read_text().splitlines() for path in untold]
        assert sum(map(len, lines)) >= len(told(runtime)) > 20
