"""Two thousand people before the opening hall of one lot while others bid for it (reliability F27).

They come within a minute and do what the page does in their browsers: a few have a stream of events, the rest polls.
Bids are sent at their own instants, first without anybody in the hall, then with the crowd there.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from benchmarks.bids import Run
from benchmarks.support.bidding import Bidding
from benchmarks.support.crowd import Crowd, Row
from benchmarks.support.machine import finish, percentile
from tests.support.platforms import temporary_platform

_VIEWERS: Final = 2_000
_ARRIVE_S: Final = 60
_BIDS_S: Final = 30  # alone, and again beside the crowd that has come
_PER_SECOND: Final = 20
_CLIENTS: Final = 16
_P99_MS: Final = 1_000.0
_SERVER_ERROR: Final = 500
_NO_PLACE: Final = 503


def measure(viewers: int) -> dict[str, Any]:
    """Take bids alone, then beside so many viewers; return the figures of both."""
    count = _BIDS_S * _PER_SECOND
    with temporary_platform() as platform:
        bidding = Bidding(platform, bidders=count)
        first, second = (
            [replace(bidding.envelope(number, seq), at=number / _PER_SECOND) for number in range(count)]
            for seq in (1, 2)
        )
        crowd = Crowd(
            address=platform.listen,
            page=f"/procedures/{bidding.reference}/lots/1/opening",
            viewers=viewers,
            arrive_s=_ARRIVE_S,
            last_s=_ARRIVE_S + _BIDS_S,
        )
        run = Run(platform, bidding)
        run.phase("alone", first, _CLIENTS)
        process = crowd.start(platform.data_dir)
        time.sleep(_ARRIVE_S)
        run.phase("beside", second, _CLIENTS)
        if process.wait() != 0:
            raise SystemExit("the viewers did not come to an end")
        run.check()
        return run.figures | {"viewers": viewers} | figures_of(crowd.answers(platform.data_dir))


def figures_of(rows: Sequence[Row]) -> dict[str, Any]:
    """Return what the viewers had: how many answers of each kind and how long they took."""
    figures: dict[str, Any] = {}
    for name in ("page", "stream", "poll"):
        own = [row for row in rows if row[0] == name]
        times = [ms for _, _, ms in own]
        figures[f"{name}_answers"] = len(own)
        figures[f"{name}_p99_ms"] = round(percentile(times, 99), 1) if len(times) > 1 else 0.0
    figures["streams"] = sum(name == "stream" and status < _SERVER_ERROR for name, status, _ in rows)
    figures["viewers_without_answer"] = sum(status == 0 for _, status, _ in rows)
    figures["server_errors"] = sum(
        status >= _SERVER_ERROR and (name, status) != ("stream", _NO_PLACE) for name, status, _ in rows
    )
    return figures


def goals_of(figures: dict[str, Any]) -> dict[str, tuple[bool, str]]:
    """Return which goals are met (reliability F27)."""
    lost = sum(figures[name] for name in ("missing_in_database", "missing_in_log", "twice_in_log"))
    slowest = max(figures["page_p99_ms"], figures["poll_p99_ms"])
    failed = figures["server_errors"] + figures["viewers_without_answer"]
    return {
        "viewers": (slowest <= _P99_MS, f"p99 of pages and of polls at most {_P99_MS:.0f} ms"),
        "errors": (failed == 0, "no 5xx but the 503 of a stream without a place, no request without an answer"),
        "bids": (figures["beside_p99_ms"] <= _P99_MS, f"p99 of bids beside the crowd at most {_P99_MS:.0f} ms"),
        "refused": (figures["alone_refused"] + figures["beside_refused"] == 0, "none"),
        "kept": (lost == 0, "every acknowledged bid is in the database and once in the log"),
    }


def main(argv: list[str]) -> int:
    """Measure and print one line of JSON."""
    parser = argparse.ArgumentParser(prog="bench hall", description=__doc__)
    parser.add_argument("--viewers", type=int, default=_VIEWERS)
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    options = parser.parse_args(argv)
    figures = measure(options.viewers)
    return finish("hall", figures, goals_of(figures), only_json=options.json)
