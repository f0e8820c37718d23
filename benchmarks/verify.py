"""How long the offline verifier takes for a whole log: every entry, the chain, every tile, the root, the witnesses.

The log is made beforehand and lies in a folder as a bundle of kind ``audit`` without records; the verifier runs in a
process of its own, as a citizen starts it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from benchmarks.log import ORIGIN, START_MS, Run
from benchmarks.support.machine import finish
from tests.build.signed_log import LOG_SEED, cosign, log_key, policy_text, sign_line
from tests.support.made_bids import make_signer
from tests.support.make_bundle import make_trust, with_list, write_directory
from trading.audit.rules.note import Checkpoint, Note
from trading.audit.rules.tiles import tiles_of
from verifier.build import single_file_source

_SIZES: Final = {10_000: 1.0, 1_000_000: 10.0}  # seconds at most, by entries
_MEMORY_MB: Final = 300.0
_BATCH: Final = 4_096


def bundle(size: int, folder: Path) -> tuple[Path, Path]:
    """Make the bundle of a log of ``size`` entries; return it and the trust file."""
    run = Run(size, _BATCH)
    run.grow()
    checkpoint = Checkpoint(origin=ORIGIN, size=size, root=run.growing.root())
    signatures = [sign_line(log_key(ORIGIN), LOG_SEED, checkpoint)]
    signatures += [cosign(number, checkpoint, (START_MS + size) // 1000 + 1) for number in (1, 2, 3)]
    supervisor = make_signer("supervisor", "示例市财政局", "supervisor")
    log: Any = SimpleNamespace(origin=ORIGIN, policy=policy_text(ORIGIN), stampers={})
    document, signature = make_trust(log, [supervisor], supervisor)
    files = {
        "checkpoint": Note(text=checkpoint.text, signatures=tuple(signatures)).encode(),
        "trust.json": document,
        "trust.sig": signature,
        "verify.py": single_file_source(),
        **{tile.path: run.files[tile.path] for tile in tiles_of(size)},
    }
    header = {
        "checkpoint_size": size,
        "kind": "audit",
        "lot": None,
        "origin": ORIGIN,
        "procedure": None,
        "stage": None,
        "tier": "audit",
        "typ": "mb.bundle",
        "v": 1,
    }
    trust = folder / f"trust-{size}.json"
    trust.write_bytes(document)
    return write_directory(with_list(files, header), folder / str(size)), trust


# A process of its own between us and the verifier: what a child is told of its memory begins with that of its parent.
_LAUNCHER: Final = """
import json, resource, subprocess, sys
done = subprocess.run(sys.argv[1:], capture_output=True, text=True)
memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(json.dumps({"memory_kib": memory, "report": done.stdout}))
"""


def verify(path: Path, trust: Path) -> tuple[float, float]:
    """Run the verifier; return its seconds and its largest memory in MB (10^6 bytes)."""
    words = [sys.executable, "-m", "trading.cli", "verify", str(path), "--trust", str(trust), "--json"]
    began = time.perf_counter()
    launched = [sys.executable, "-c", _LAUNCHER, *words]
    done = subprocess.run(launched, capture_output=True, text=True, check=True)  # noqa: S603 - our own program
    seconds = time.perf_counter() - began
    told = json.loads(done.stdout)
    states = {check["id"]: check["state"] for check in json.loads(told["report"])["checks"]}
    if (states["AL-02"], states["AL-09"]) != ("ok", "ok"):
        raise RuntimeError(f"the verifier did not accept the log: {told['report'][:2000]}")
    return seconds, told["memory_kib"] * 1024 / 1e6


def measure() -> dict[str, Any]:
    """Verify a small log and a large one and return the figures."""
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="mingbiao-") as folder:
        for size in _SIZES:
            path, trust = bundle(size, Path(folder))
            seconds, memory = verify(path, trust)
            figures |= {f"seconds_at_{size}": round(seconds, 2), f"memory_mb_at_{size}": round(memory, 1)}
    return figures


def goals_of(figures: dict[str, Any]) -> dict[str, tuple[bool, str]]:
    """Return which goals are met."""
    goals = {
        f"{size:,} entries": (figures[f"seconds_at_{size}"] <= most, f"at most {most:g} s")
        for size, most in _SIZES.items()
    }
    memory = max(figures[f"memory_mb_at_{size}"] for size in _SIZES)
    return goals | {"memory": (memory <= _MEMORY_MB, f"at most {_MEMORY_MB:.0f} MB")}


def main(argv: list[str]) -> int:
    """Measure and print one line of JSON."""
    parser = argparse.ArgumentParser(prog="bench verify", description=__doc__)
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    options = parser.parse_args(argv)
    figures = measure()
    return finish("verify", figures, goals_of(figures), only_json=options.json)
