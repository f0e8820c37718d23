"""The closing minute: 6,000 sealed bids in 60 s on ONE tender, the last 1,500 in 10 s, by a crowd that does not wait.

Every bid is sent at its own instant, whatever became of the ones before, and its latency counts from that instant on
(G3, reliability 5). Bids are sealed and their parts stored beforehand, as the platform asks of bidders. At the end
every acknowledged bid must stand in the database and, once, in the public log.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from benchmarks.bids import Run
from benchmarks.support.bidding import Bidding
from benchmarks.support.load import Post
from benchmarks.support.machine import finish
from tests.support.platforms import temporary_platform

_COMMITS: Final = 6_000
_MINUTE_S: Final = 60
_END_S: Final = 10
_END_SHARE: Final = 0.25  # of the commits, in the last _END_S: 150/s
_CLIENTS: Final = 128  # connections; as many bids can wait for their answer at once
_P99_MS: Final = 2_000.0
_SERVER_ERROR: Final = 500


def instants(commits: int) -> Iterator[float]:
    """Yield when each commit is sent, in s: evenly up to the end, then evenly and faster."""
    late = round(commits * _END_SHARE)
    early, quiet = commits - late, _MINUTE_S - _END_S
    yield from (quiet * number / early for number in range(early))
    yield from (quiet + _END_S * number / late for number in range(late))


def measure(commits: int) -> dict[str, Any]:
    """Send the storm at one tender, two versions by each of ``commits / 2`` bidders, and return the figures."""
    with temporary_platform() as platform:
        bidding = Bidding(platform, bidders=commits // 2)
        versions = [[bidding.envelope(number, seq) for number in range(commits // 2)] for seq in (1, 2)]
        posts: list[Post] = [
            replace(post, at=at) for post, at in zip([*versions[0], *versions[1]], instants(commits), strict=True)
        ]
        run = Run(platform, bidding)
        answers = run.phase("storm", posts, min(_CLIENTS, commits))
        run.figures |= {
            "server_errors": sum(each.status >= _SERVER_ERROR for each in answers),
            "without_answer": sum(each.status == 0 for each in answers),
        }
        run.check()
    return run.figures


def goals_of(figures: dict[str, Any]) -> dict[str, tuple[bool, str]]:
    """Return which goals are met (G3)."""
    lost = sum(figures[name] for name in ("missing_in_database", "missing_in_log", "twice_in_log"))
    return {
        "errors": (figures["server_errors"] + figures["without_answer"] == 0, "no 5xx, no request without an answer"),
        "refused": (figures["storm_refused"] == 0, "none"),
        "latency": (figures["storm_p99_ms"] <= _P99_MS, f"p99 at most {_P99_MS:.0f} ms"),
        "kept": (lost == 0, "every acknowledged bid is in the database and once in the log"),
    }


def main(argv: list[str]) -> int:
    """Measure and print one line of JSON."""
    parser = argparse.ArgumentParser(prog="bench storm", description=__doc__)
    parser.add_argument("--commits", type=int, default=_COMMITS, help="in 60 s, an even number")
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    options = parser.parse_args(argv)
    figures = measure(options.commits)
    return finish("storm", figures, goals_of(figures), only_json=options.json)
