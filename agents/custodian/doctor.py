"""``doctor``: is this machine fit to keep a share key? Clock, swap, core dumps, disk, trust, memory (S13.1, P10)."""

from __future__ import annotations

import resource
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from agents.custodian.agent import Agent
from agents.witnessed import verify_witnessed
from agents.words import instant
from trading.kernel.errors import MingbiaoError, RuleBroken

_SWAPS: Final = Path("/proc/swaps")
_ENOUGH_BYTES: Final = 1024**3
_OTHERS: Final = 0o077
_OLD_MS: Final = 24 * 3600 * 1000
_TOLERANCE_MS: Final = 5_000


class Level(StrEnum):
    """How a check ended; a failure wins over a gap (P11)."""

    OK = "ok"
    FAIL = "FAIL"
    UNKNOWN = "not checked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the report."""

    level: Level
    what: str
    detail: str


def examine(agent: Agent) -> list[Finding]:
    """Return the findings; nothing is changed."""
    checks: tuple[Callable[[Agent], Iterator[Finding]], ...] = (_files, _memory, _disk, _trust, _clock)
    return [finding for check in checks for finding in check(agent)]


def exit_code(findings: list[Finding]) -> int:
    """Return 1 for any failure, else 2 for any gap, else 0 (P11)."""
    levels = {finding.level for finding in findings}
    return 1 if Level.FAIL in levels else 2 if Level.UNKNOWN in levels else 0


def _finding(what: str, detail: str, *, good: bool) -> Finding:
    return Finding(level=Level.OK if good else Level.FAIL, what=what, detail=detail)


def _files(agent: Agent) -> Iterator[Finding]:
    mode = agent.directory.stat().st_mode
    yield _finding("directory", f"{agent.directory} mode {mode & 0o777:o}", good=not mode & _OTHERS)
    try:
        yield _finding("journal", f"{agent.journal.check()} lines, unbroken", good=True)
    except MingbiaoError as error:
        yield _finding("journal", str(error), good=False)


def _memory(_agent: Agent) -> Iterator[Finding]:
    if _SWAPS.exists():
        devices = _SWAPS.read_text().splitlines()[1:]
        yield _finding("swap", f"{len(devices)} devices", good=not devices)
    else:
        yield Finding(level=Level.UNKNOWN, what="swap", detail="this system does not say")
    soft, _hard = resource.getrlimit(resource.RLIMIT_CORE)
    yield _finding("core dumps", f"limit {soft}", good=soft == 0)


def _disk(agent: Agent) -> Iterator[Finding]:
    free = shutil.disk_usage(agent.directory).free
    yield _finding("disk", f"{free // 1024**2} MiB free", good=free >= _ENOUGH_BYTES)


def _trust(agent: Agent) -> Iterator[Finding]:
    try:
        trust, policy = agent.trust, agent.log_policy
    except MingbiaoError as error:
        yield _finding("trust file", str(error), good=False)
        return
    pinned = f"seq {trust.seq} of {trust.origin}, issued {instant(trust.issued)}"
    yield _finding("trust file", pinned, good=policy.quorum is not None)
    own = trust.institution(agent.signer.kid)
    listed = own is not None and own.role == "custodian" and own.name == agent.name
    yield _finding("own key", f"{agent.signer.kid} listed as custodian {agent.name}", good=listed)


def _clock(agent: Agent) -> Iterator[Finding]:
    """Compare the own clock with the last witnessed checkpoint: it cannot be earlier than what witnesses signed."""
    now = agent.clock.now_ms()
    try:
        seen = agent.state.seen(agent.trust.origin)
        if seen is None:
            yield Finding(level=Level.UNKNOWN, what="clock", detail=f"{instant(now)}; no checkpoint seen yet")
            return
        low = verify_witnessed(agent.trust, seen.note).low_ms
    except (MingbiaoError, RuleBroken) as error:
        yield _finding("clock", str(error), good=False)
        return
    if now - low > _OLD_MS:
        detail = f"{instant(now)}; the last witnessed time {instant(low)} is too old to compare"
        yield Finding(level=Level.UNKNOWN, what="clock", detail=detail)
        return
    yield _finding("clock", f"{instant(now)}; witnesses said {instant(low)}", good=now >= low - _TOLERANCE_MS)
