"""Killing −9 the processes and servers of a platform at moments that follow from a seed, and seeing it whole again."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

from trading.up import Platform
from trading.up.programs import ROOT, answers, base_environment, command_line

SERVERS = frozenset({"postgres", "valkey"})
HEAL_S = 60.0


class Draws:
    """Choices that follow from a seed."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._count = 0

    def below(self, bound: int) -> int:
        self._count += 1
        return int.from_bytes(hashlib.sha256(f"{self._seed} {self._count}".encode()).digest()[:4]) % bound


def pid_of(platform: Platform, name: str, draws: Draws) -> int:
    """Return the process to kill."""
    found = pids(platform, name)
    return found[draws.below(len(found))]


def web_workers(master: int) -> list[int]:
    found = []
    for path in Path(f"/proc/{master}/task").glob("*/children"):
        found += [int(word) for word in path.read_text().split()]
    return sorted(found)


def pids(platform: Platform, name: str) -> list[int]:
    """Return the processes of a name; of the web server the workers that its master started."""
    if name in SERVERS:
        return [getattr(platform, name).pid]
    pid = platform.processes[name].pid
    return web_workers(pid) if name == "web" else [pid]


def is_whole(platform: Platform, name: str, victim: int, count: int) -> bool:
    now = pids(platform, name)
    return victim not in now and len(now) == count and answers(f"{platform.base_url}/livez")


def require_sound(platform: Platform, where: str) -> None:
    """Run ``fsck`` and ``verify-audit`` beside the running platform; both must find nothing."""
    started = [
        subprocess.Popen(
            command_line(*words, "--json"),
            cwd=ROOT,
            env=base_environment(platform.data_dir),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for words in (("fsck",), ("verify-audit",))
    ]
    told = [process.communicate()[0] for process in started]
    assert [process.returncode for process in started] == [0, 0], f"{where}\n" + "\n".join(told)
