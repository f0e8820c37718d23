"""Opening a lot at the station: every bid combined, decrypted, hashed and read (SB1 S9.8, S9.9).

What comes before is done beforehand: the parts are sealed, fetched and hashed once, the releases of all custodians are
logged. Combining and opening are timed apart; both read the stored parts again.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from agents.station import conduct
from benchmarks.support.machine import finish
from tests.build.ceremony import CUSTODIANS, World
from tests.build.opening import Opening
from trading.openings.rules.verdicts import Code

_BIDS: Final = 100
_MEGABYTES: Final = 10
_GOAL_S: Final = 10.0


def released_lot(directory: Path, bids: int, size: int) -> Opening:
    """Return the ceremony of a lot with so many bids of ``size`` bytes, up to the end of the releases."""
    world = World(directory / "agents", filling=size).publish()
    for number in range(bids):
        world.submit(1_000_000 + number)
    world.close()
    stage, everybody = Opening(world, directory), range(1, len(CUSTODIANS) + 1)
    stage.order()
    stage.check(*everybody)
    stage.reveal(*world.bidders)
    stage.release(*everybody)
    stage.close_release()
    return stage


def measure(bids: int, megabytes: int) -> dict[str, Any]:
    """Open the lot and return the figures."""
    with tempfile.TemporaryDirectory(prefix="mingbiao-bench-") as name:
        stage = released_lot(Path(name), bids, megabytes * 1_000_000)
        box, marks, used = stage.box(), [time.perf_counter()], [time.process_time()]

        def mark() -> None:
            marks.append(time.perf_counter())
            used.append(time.process_time())

        conduct.collect(box, stage)  # type: ignore[arg-type]  # the platform in memory has the client's methods
        mark()
        conduct.combine(box, stage)  # type: ignore[arg-type]
        mark()
        evaluated = conduct.evaluate(box, stage)  # type: ignore[arg-type]
        opened = conduct.open_all(box, evaluated, lambda result: stage.post_result(result.result()))
        mark()
    figures: dict[str, Any] = {"bids": bids, "megabytes": megabytes}
    for number, step in enumerate(("fetch", "combine", "open")):
        figures[f"{step}_s"] = round(marks[number + 1] - marks[number], 2)
        figures[f"{step}_cpu_s"] = round(used[number + 1] - used[number], 2)
    figures["opened"] = sum(each.verdict.code is Code.OK for each in opened)
    return figures


def goals_of(figures: dict[str, Any]) -> dict[str, tuple[bool, str]]:
    """Return which goals are met (P15)."""
    seconds = figures["combine_s"] + figures["open_s"]
    return {
        "time": (seconds <= _GOAL_S, f"combined and opened in at most {_GOAL_S:.0f} s"),
        "opened": (figures["opened"] == figures["bids"], "every bid"),
    }


def main(argv: list[str]) -> int:
    """Measure and print one line of JSON."""
    parser = argparse.ArgumentParser(prog="bench open", description=__doc__)
    parser.add_argument("--bids", type=int, default=_BIDS)
    parser.add_argument("--megabytes", type=int, default=_MEGABYTES, help="of each bid")
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    options = parser.parse_args(argv)
    figures = measure(options.bids, options.megabytes)
    return finish("open", figures, goals_of(figures), only_json=options.json)
