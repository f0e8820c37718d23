"""Killing −9 the processes and servers of a platform at moments that follow from a seed, and seeing it whole again."""

from __future__ import annotations

import hashlib
import subprocess
from contextlib import suppress
from pathlib import Path

from sqlalchemy import NullPool, create_engine
from sqlalchemy.exc import SQLAlchemyError

from trading.audit import queries
from trading.audit.fsck import MAX_SIZE
from trading.db import psycopg_url
from trading.embedded.processes import wait_until
from trading.kernel.digests import sha256_hex
from trading.storage.tokens import TokenStore
from trading.up import Platform
from trading.up.programs import ROOT, answers, base_environment, command_line

SERVERS = frozenset({"postgres", "valkey"})
HEAL_S = 60.0
ROUND_S = 180.0  # rounds of time stamps come every minute, one that failed is rung for again later


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


def is_anchored(platform: Platform) -> bool:
    """Whether the log names every time stamp: a worker that died before it could makes up for it in its next round."""
    tokens = TokenStore(platform.data_dir / "log" / "tiles")
    stored = [tokens.read(name) or b"" for name in tokens.within(0, MAX_SIZE)]
    url = psycopg_url(platform.settings("auditor").database_url)
    with suppress(SQLAlchemyError), create_engine(url, poolclass=NullPool).connect() as conn:
        return {sha256_hex(token) for token in stored} <= set(queries.anchored_tokens(conn).values())
    return False


def require_sound(platform: Platform, where: str) -> None:
    """Run ``fsck`` and ``verify-audit`` beside the running platform; both must find nothing."""
    assert wait_until(lambda: is_anchored(platform), ROUND_S), f"{where}: a time stamp stays without its record"
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
