"""Starts one process for one file and believes nothing but the form of its answer (reliability F10, F47).

Whatever happens in there, hanging, memory, a crash, an answer without end, is a finding about the file. Nothing here
reads the file itself.
"""

from __future__ import annotations

import json
import logging
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, BinaryIO, Final

from trading.inspection.findings import MOST_PREVIEW, Found, Inspection
from trading.inspection.limits import Limits
from trading.inspection.texts import shown

ROOT: Final = Path(__file__).resolve().parents[2]
PROGRAM: Final = ("-E", "-s", "-m", "trading.inspection.program")
_MOST_ANSWER: Final = 16 * MOST_PREVIEW
_KIND: Final = re.compile(r"[a-z0-9]{1,20}\Z")
WANTED: Final = frozenset({"limits", "no calls", "no privileges"})
_LONGEST_NAME: Final = 1_000
_AFTERWARDS_S: Final = 2.0
_log = logging.getLogger("mingbiao.inspection")


def inspect(
    file: BinaryIO, name: str, *, limits: Limits | None = None, program: tuple[str, ...] = PROGRAM
) -> Inspection:
    """Return what a file is and what was found in it; never raises for anything that the file does.

    Args:
        file: An open file of this machine; the other process gets its descriptor, and nothing else.
        name: Its path in the bid.
        limits: What it may cost.
        program: What is started; tests start others.
    """
    most = limits or Limits()
    file.seek(0)
    words = [sys.executable, *program, _word(name), str(most.memory), str(most.cpu_s)]
    with subprocess.Popen(  # noqa: S603 - our own program
        words, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT, env={}, start_new_session=True
    ) as process:
        timer = threading.Timer(most.wall_s, process.kill)
        timer.start()
        try:
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            answer = process.stdout.read(_MOST_ANSWER + 1)
            _end(process, 0.0 if len(answer) > _MOST_ANSWER else _AFTERWARDS_S)
        finally:
            timer.cancel()
    return _believed(answer, process.returncode)


def _end(process: subprocess.Popen[bytes], patience_s: float) -> None:
    """Wait for a process that has answered; one that does not end is ended."""
    try:
        process.wait(patience_s)
    except subprocess.TimeoutExpired:
        process.kill()


def _word(name: str) -> str:
    """Return a name as a word of a command line: no NUL, no surrogates, not without end."""
    return name.encode("utf-8", "replace").decode().replace("\x00", "\ufffd")[-_LONGEST_NAME:]


def _believed(answer: bytes, code: int) -> Inspection:
    if not answer:
        is_time = code in {-signal.SIGKILL, -signal.SIGXCPU}
        return _broken(Found.LIMIT_TIME if is_time else Found.FAILED)
    if len(answer) > _MOST_ANSWER:
        return _broken(Found.FAILED)
    try:
        told: dict[str, Any] = json.loads(answer)
        kind, findings, preview = str(told["kind"]), tuple(Found(each) for each in told["findings"]), told["preview"]
        held = set(told["held"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return _broken(Found.FAILED)
    if not _KIND.match(kind) or not isinstance(preview, str) or preview != shown(preview):
        return _broken(Found.FAILED)
    if not held >= WANTED:
        _log.warning("this kernel does not grant an inspecting process: %s", ", ".join(sorted(WANTED - held)))
    return Inspection(kind=kind, findings=tuple(sorted(set(findings))), preview=preview)


def _broken(found: Found) -> Inspection:
    return Inspection(kind="unknown", findings=(found,))
