"""A draw from a million experts: snapshot of the pool, draw, and what the public and an auditor take to verify it.

The draw is told by the documents and records of the protocol, with real keys and signatures; its bundle lies in a
folder and is verified by processes of their own. The register is a hundred changes signed by the regulator. What an
auditor's checks take is told apart from the reading of the register, which grows with the register alone.
"""

from __future__ import annotations

import argparse
import json
import resource
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from typing_extensions import override

from benchmarks.support.machine import finish
from tests.support.made_draw import STRATA, DrawStory, MadeDraw, make_draw_bundle, trust_of
from tests.support.made_draw import finish as ended
from tests.support.made_log import sha256
from tests.support.make_bundle import write_directory
from trading.experts.rules import exclusions, pool, register
from trading.experts.rules.exclusions import Grounds
from trading.experts.rules.register import Act, RegisterChange
from verifier import verification
from verifier.bundle import directory_bundle
from verifier.draw import Attempt
from verifier.progress import Progress
from verifier.report import Check, Report
from verifier.trust import read_trust

_EXPERTS: Final = 1_000_000
_CHANGE: Final = 10_000  # experts of one signed change; a document has at most 1 MiB
_SUSPENDED: Final = 0.005
_UNITS: Final = 50_000
_GOALS: Final = {"snapshot": 15.0, "draw": 2.0, "public": 5.0, "auditor": 10.0}  # seconds at most


class Spent:
    """Time since an instant: by the clock, and of this process alone, which others on the machine do not lengthen."""

    def __init__(self) -> None:
        """Begin now."""
        self._began = time.perf_counter(), time.process_time()

    def until_now(self) -> tuple[float, float]:
        """Return seconds by the clock and of the processor."""
        return time.perf_counter() - self._began[0], time.process_time() - self._began[1]


class LargeDraw(MadeDraw):
    """A draw whose register has many changes, with the two parts of the centre timed."""

    def __init__(self, experts: int) -> None:
        """Tell an undisturbed story over so many experts."""
        super().__init__(DrawStory(experts=experts, replaced=False))
        self.spent: dict[str, tuple[float, float]] = {}
        self.changes: list[RegisterChange] = []

    def _change(self, act: Act, items: list[dict[str, Any]]) -> None:
        before = self.changes[-1] if self.changes else None
        raw = register.make_register_change(act, items, created=self.now, before=before)
        data = self.put(raw, self.supervisor, secret=True)
        self.changes.append(register.parse_register_change(data))
        self.record(f"expert.{act.value}", {"change_sha256": sha256(data).hex()}, draw=False)

    @override
    def fill_register(self) -> None:
        names = sorted(STRATA)
        items = [
            {"id": f"E{number:08}", "strata": [names[number % 2]], "unit": f"U{number % _UNITS:05}"}
            for number in range(self.story.experts)
        ]
        for start in range(0, len(items), _CHANGE):
            self._change(Act.ADMITTED, items[start : start + _CHANGE])
        self._change(Act.SUSPENDED, items[: max(1, int(len(items) * _SUSPENDED))])

    @override
    def snapshot(self) -> None:
        """Fold the register and freeze pool and exclusions, as the platform does before the spec is signed."""
        began = Spent()
        self.register = register.fold(self.changes)
        self.k_draw, self.k_x, self.salt = (secrets.token_bytes(32) for _ in range(3))
        self.pool = pool.make_pool(self.k_draw, self.register.entrants(STRATA))
        grounds = Grounds(buyer="U00001", agency="U00002", supervisor="U00003", suspended=self.register.suspended)
        self.reasons = dict(exclusions.reasons(self.pool.entrants, grounds))
        self.excl_root = pool.exclusion_root(self.k_x, len(self.pool.entrants), self.reasons)
        self.spent["snapshot"] = began.until_now()

    def draw_panel(self) -> None:
        """Walk from the seed to the signed result, and open the leaf of everybody who was called."""
        began = Spent()
        self.begin_walk()
        self.walk_on()
        self.conclude()
        for index in self.answers:
            pool.require_opened(self.pool.opened(index), self.spec.pool_size, self.spec.pool_root)
        self.spent["draw"] = began.until_now()


def made(experts: int) -> LargeDraw:
    """Play the draw to its disclosure."""
    draw = LargeDraw(experts)
    draw.fill_register()
    draw.fix_policy()
    draw.log.witness(draw.now)
    draw.specify()
    draw.collect()
    draw.seal()
    draw.open_up()
    draw.draw_panel()
    draw.disclose()
    ended(draw)
    return draw


def verify_timed(path: Path, trust: tuple[Path, Path]) -> dict[str, Any]:
    """Verify a bundle in this process; return seconds of the checks of the draw and of everything, and the failures."""
    spent: list[tuple[float, float]] = []

    def timed(function: Callable[[Attempt, Check], None]) -> Callable[[Attempt, Check], None]:
        def run(attempt: Attempt, check: Check) -> None:
            began = Spent()
            function(attempt, check)
            spent.append(began.until_now())

        return run

    verification.DRAW_CHECKS = tuple(
        (check_id, title, tuple(map(timed, functions))) for check_id, title, functions in verification.DRAW_CHECKS
    )
    report, began = Report("Trust: given", trusted=True), Spent()
    document, signature = (each.read_bytes() for each in trust)
    verification.verify_bundle(
        directory_bundle(path), read_trust(document, signature), report, verification.Options(), Progress()
    )
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    failed = [check.id for check in report.checks if check.failures]
    checks = [sum(each) for each in zip(*spent, strict=True)]
    return {
        "checks": checks,
        "code": report.exit_code,
        "failed": failed,
        "memory_mb": memory,
        "whole": began.until_now(),
    }


def verified(tier: str, draw: MadeDraw, folder: Path) -> dict[str, Any]:
    """Write the bundle of a tier and verify it in a process of its own.

    Raises:
        RuntimeError: The verifier did not accept it.
    """
    path = write_directory(make_draw_bundle(draw, tier), folder / tier)
    trust = folder / "trust.json", folder / "trust.sig"
    for file, data in zip(trust, trust_of(draw), strict=True):
        file.write_bytes(data)
    words = [sys.executable, "-m", "benchmarks", "draw", "--verify", str(path), *map(str, trust)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)  # noqa: S603 - our own program
    told: dict[str, Any] = json.loads(done.stdout)
    if told["code"] != 0:
        raise RuntimeError(f"the verifier did not accept the draw: {told}")
    return told


def measure(experts: int) -> dict[str, Any]:
    """Draw and verify, and return the figures."""
    draw = made(experts)
    figures: dict[str, Any] = {
        "experts": experts,
        "excluded": len(draw.reasons),
        "called": draw.calls,
        **_told("snapshot", draw.spent["snapshot"]),
        **_told("draw", draw.spent["draw"]),
        "centre_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6),
    }
    with tempfile.TemporaryDirectory(prefix="mingbiao-") as folder:
        for name, tier in (("public", "public"), ("auditor", "audit")):
            told = verified(tier, draw, Path(folder))
            figures |= _told(name, told["whole"] if tier == "public" else told["checks"])
            figures |= _told(f"{name}_whole", told["whole"]) | {f"{name}_memory_mb": round(told["memory_mb"])}
    return figures


def _told(name: str, spent: Sequence[float]) -> dict[str, float]:
    clock, processor = spent
    return {f"{name}_s": round(clock, 2), f"{name}_cpu_s": round(processor, 2)}


def goals_of(figures: dict[str, Any]) -> dict[str, tuple[bool, str]]:
    """Return which goals are met."""
    return {name: (figures[f"{name}_s"] <= most, f"at most {most:g} s") for name, most in _GOALS.items()}


def main(argv: list[str]) -> int:
    """Measure and print one line of JSON."""
    parser = argparse.ArgumentParser(prog="bench draw", description=__doc__)
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    parser.add_argument("--experts", type=int, default=_EXPERTS, help="size of the register")
    parser.add_argument("--verify", nargs=3, type=Path, metavar=("BUNDLE", "TRUST", "SIG"), help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.verify:
        path, *trust = options.verify
        print(json.dumps(verify_timed(path, (trust[0], trust[1]))))
        return 0
    figures = measure(options.experts)
    return finish("draw", figures, goals_of(figures), only_json=options.json)
