"""Processor time and memory of running processes, as Linux tells them under /proc."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")


def children(pid: int) -> list[int]:
    """Return the child processes of ``pid``, youngest last."""
    found = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        found += [int(word) for word in path.read_text().split()]
    return sorted(found)


def cpu_ms(pid: int) -> float:
    """Return the processor time of one process in ms, user and system, in steps of a clock tick; 0 if it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) * _TICK_MS


def cpu_with_children_ms(pid: int) -> float:
    """Return the processor time of a process, its living children, and those that have ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0.0
    ended = (int(fields[13]) + int(fields[14])) * _TICK_MS
    return cpu_ms(pid) + ended + sum(cpu_ms(child) for child in children(pid))


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Memory of a process in MB (10^6 bytes): resident, and proportional, which counts shared pages in shares."""

    rss_mb: float
    pss_mb: float


def memory(pid: int) -> Memory:
    """Return the memory of a process now."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    kib = {line.partition(":")[0]: int(line.split()[1]) for line in text.splitlines() if line.endswith(" kB")}
    return Memory(rss_mb=round(kib["Rss"] * 1024 / 1e6, 1), pss_mb=round(kib["Pss"] * 1024 / 1e6, 1))


def private_mb(pid: int) -> float:
    """Return what a process alone holds, in MB: anonymous and shared memory, swap, without files; 0 if it is gone."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    kib = {line.partition(":")[0]: line.split()[1] for line in text.splitlines() if line.endswith(" kB")}
    return sum(int(kib.get(name, 0)) for name in ("RssAnon", "RssShmem", "VmSwap")) * 1024 / 1e6
