"""Sealed bids that ONE tender takes per second, through the whole running platform and HTTP, by 1, 16 and 32 clients.

Everything a bidder does before the deadline act is done beforehand: bids are sealed, their parts stored. What is timed
is the envelope: token, signature, policy, lock, record, commit, signed acknowledgement. One client also waits for its
receipt of the log. At the end every acknowledged bid must stand in the database and, once, in the public log.

Whether a full tender is slower than an empty one is asked with bids sent in turn: one of the last hundred to the tender
that has 1,100 already, one of the first hundred to a second tender. What the machine does meanwhile touches both alike.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Sequence
from statistics import median
from typing import Any, Final

from benchmarks.support.bidding import Bidding
from benchmarks.support.load import Answer, Post, send
from benchmarks.support.machine import finish, percentile
from benchmarks.support.processes import cpu_with_children_ms
from tests.support.platforms import temporary_platform
from trading.up import Platform

_GROUP: Final = 100  # bids 1 to 100 of a tender are compared with the last hundred of another
_PER_SECOND: Final = 150
_P95_MS: Final = 250.0
_GROWTH: Final = 1.2
_PROCESSES: Final = ("web", "sequencer", "worker", "clock", "witness-supervisor", "witness-notary", "witness-auditor")


class Run:
    """One tender under load; ``figures`` grows phase by phase, ``answers`` keeps everything that was told."""

    def __init__(self, platform: Platform, bidding: Bidding) -> None:
        self._platform = platform
        self._bidding = bidding
        self.answers: list[Answer] = []
        self.figures: dict[str, Any] = {}

    def phase(self, name: str, posts: Sequence[Post], clients: int) -> list[Answer]:
        """Send ``posts`` by so many clients and note rate, latency, refusals and processor time."""
        before = self._processor_ms()
        shares = [posts[number::clients] for number in range(clients)]
        answers = send(self._platform.data_dir, self._platform.listen, shares)
        after = self._processor_ms()
        taken = [answer for answer in answers if answer.status in {200, 201, 202}]
        latencies = [answer.latency_ms for answer in answers]
        seconds = max(answer.ended for answer in answers) - min(answer.began for answer in answers)
        self.figures |= {
            f"{name}_bids": len(posts),
            f"{name}_per_s": round(len(taken) / seconds, 1),
            f"{name}_refused": len(answers) - len(taken),
            f"{name}_p50_ms": round(median(latencies), 1),
            f"{name}_p95_ms": round(percentile(latencies, 95), 1),
            f"{name}_p99_ms": round(percentile(latencies, 99), 1),
            f"{name}_max_ms": round(max(latencies), 1),
            f"{name}_cpu_ms_per_bid": {
                part: round((after[part] - before[part]) / len(posts), 2)
                for part in after
                if after[part] > before[part]
            },
        }
        self.answers += answers
        return answers

    def _processor_ms(self) -> dict[str, float]:
        found = {name: cpu_with_children_ms(self._platform.processes[name].pid) for name in _PROCESSES}
        witnesses = sum(found.pop(name) for name in _PROCESSES if name.startswith("witness"))
        postgres = self._platform.postgres
        return found | {"witnesses": witnesses, "postgres": cpu_with_children_ms(postgres.pid) if postgres else 0.0}

    def check(self) -> None:
        """Look for every acknowledged bid in the database and in the log, as an auditor would."""
        acknowledged = [answer.content["h"] for answer in self.answers if answer.status in {200, 201, 202}]
        stored = self._bidding.stored()
        logged: Counter[str] = Counter()
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            logged = self._bidding.logged()
            if all(logged[h] for h in acknowledged):
                break
            time.sleep(0.2)
        self.figures |= {
            "acknowledged": len(acknowledged),
            "missing_in_database": sum(h not in stored for h in acknowledged),
            "missing_in_log": sum(logged[h] == 0 for h in acknowledged),
            "twice_in_log": sum(logged[h] > 1 for h in acknowledged),
        }


def measure(bidders: int) -> dict[str, Any]:
    """Run every phase on one tender with ``bidders`` organisations and return the figures."""
    with temporary_platform() as platform:
        group = min(_GROUP, bidders // 3)
        bidding = Bidding(platform, bidders=bidders, procedures=2, second=group)
        firsts = [bidding.envelope(number, 1) for number in range(bidders)]
        fresh = [bidding.envelope(number, 1, tender=1) for number in range(group)]
        seconds = [bidding.envelope(number, 2) for number in range(bidders)]
        run = Run(platform, bidding)
        run.phase("clients_16", firsts[:-group], 16)
        in_turn = run.phase("in_turn", [post for pair in zip(fresh, firsts[-group:], strict=True) for post in pair], 1)
        run.phase("client_1", [bidding.with_receipt(post) for post in seconds[:group]], 1)
        run.phase("clients_32", seconds[group:], 32)
        early, late = (median(each.latency_ms for each in in_turn[start::2]) for start in (0, 1))
        run.figures |= {
            "first_hundred_p50_ms": round(early, 2),
            "last_hundred_p50_ms": round(late, 2),
            "growth_of_median": round(late / early, 2),
        }
        run.check()
    return run.figures


def goals_of(figures: dict[str, Any]) -> dict[str, tuple[bool, str]]:
    """Return which goals are met (reliability 10.1, P15)."""
    goals: dict[str, tuple[bool, str]] = {}
    for name in ("clients_16", "clients_32"):
        goals[f"{name} rate"] = (figures[f"{name}_per_s"] >= _PER_SECOND, f"at least {_PER_SECOND} bids/s")
        goals[f"{name} latency"] = (figures[f"{name}_p95_ms"] <= _P95_MS, f"p95 at most {_P95_MS:.0f} ms")
    refused = sum(value for name, value in figures.items() if name.endswith("_refused"))
    goals["refused"] = (refused == 0, "none")
    goals["growth"] = (figures["growth_of_median"] <= _GROWTH, f"the last hundred within {_GROWTH} x of the first")
    lost = sum(figures[name] for name in ("missing_in_database", "missing_in_log", "twice_in_log"))
    goals["kept"] = (lost == 0, "every acknowledged bid is in the database and once in the log")
    return goals


def main(argv: list[str]) -> int:
    """Measure and print one line of JSON."""
    parser = argparse.ArgumentParser(prog="bench bids", description=__doc__)
    parser.add_argument("--bidders", type=int, default=1_200, help="organisations, each with two versions")
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    options = parser.parse_args(argv)
    figures = measure(options.bidders)
    return finish("bids", figures, goals_of(figures), only_json=options.json)
