"""The machine a figure was taken on, and the one line of JSON that every measurement ends with."""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Mapping
from pathlib import Path
from statistics import quantiles
from typing import Any


def machine() -> dict[str, Any]:
    """Return processor, cores, Python and how busy the machine was; a figure means nothing without them."""
    return {
        "cpu": _processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "load_1m": round(os.getloadavg()[0], 2),
    }


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor()
    found = re.search(r"^model name\s*: (.+)$", text, re.MULTILINE)
    return found[1] if found else platform.processor()


def percentile(values: list[float], percent: int) -> float:
    """Return a percentile of at least two values."""
    return quantiles(values, n=100, method="inclusive")[percent - 1]


def finish(name: str, figures: Mapping[str, Any], goals: Mapping[str, tuple[bool, str]], *, only_json: bool) -> int:
    """Print figures, goals and machine; the last line is one JSON object. Return 1 if a goal is missed.

    Args:
        name: Name of the measurement.
        figures: What was measured; names end with their unit.
        goals: By name, whether it was met and what was asked.
        only_json: Print the last line alone.
    """
    content = {
        "bench": name,
        "figures": figures,
        "goals": {goal: {"met": met, "goal": text} for goal, (met, text) in goals.items()},
        "machine": machine(),
    }
    if not only_json:
        for key, value in figures.items():
            print(f"{key:<44} {value}")
        for goal, (met, text) in goals.items():
            print(f"{'met   ' if met else 'MISSED'} {goal}: {text}")
    print(json.dumps(content))
    return 0 if all(met for met, _ in goals.values()) else 1
