"""The people of the demonstration run the programs that anybody runs: ``mingbiao bid``, ``custodian``, ``station``.

They get no settings of the platform; what they know stands in their own folder.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from trading.up.programs import ROOT

NOT_YET: Final = 2  # what a command answers whose time has not come
_INHERITED: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")


class ProgramRefused(Exception):
    """A program of the play ended with an error: its command and what it said."""

    def __init__(self, words: Sequence[str], code: int, output: str) -> None:
        super().__init__(f"mingbiao {' '.join(words)}\n{output}")
        self.code = code


def command(*words: str) -> list[str]:
    """Return the command line of ``mingbiao`` with ``words``."""
    return [sys.executable, "-m", "trading.cli", *words]


def environment() -> dict[str, str]:
    """Return what a person's shell would give: nothing of the platform."""
    return {name: os.environ[name] for name in _INHERITED if name in os.environ}


def run(*words: str, accept: tuple[int, ...] = (0,)) -> str:
    """Run one command and return what it printed.

    Raises:
        ProgramRefused: It ended with another code than those in ``accept``.
    """
    done = subprocess.run(  # noqa: S603 - our own program
        command(*words), cwd=ROOT, env=environment(), capture_output=True, text=True, check=False
    )
    if done.returncode not in accept:
        raise ProgramRefused(words, done.returncode, done.stdout + done.stderr)
    return done.stdout


def run_together(commands: Sequence[Sequence[str]], accept: tuple[int, ...] = (0,)) -> list[str]:
    """Run several commands at the same time, as several people do; return what each printed."""
    started = [
        subprocess.Popen(  # noqa: S603 - our own program
            command(*words),
            cwd=ROOT,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for words in commands
    ]
    outputs = [process.communicate()[0] for process in started]
    for process, words, output in zip(started, commands, outputs, strict=True):
        if process.returncode not in accept:
            raise ProgramRefused(words, process.returncode, output)
    return outputs


@dataclass(slots=True)
class Standing:
    """Programs that keep running: the custodians' agents. Stopped by their own process ids."""

    _started: list[tuple[subprocess.Popen[bytes], IO[bytes]]] = field(default_factory=list)

    def start(self, log: Path, *words: str) -> None:
        """Start a program whose output goes to ``log``."""
        output = log.open("ab")
        process = subprocess.Popen(  # noqa: S603 - our own program
            command(*words), cwd=ROOT, env=environment(), stdout=output, stderr=output, stdin=subprocess.DEVNULL
        )
        self._started.append((process, output))

    def stop(self) -> None:
        """Ask every program to end, and wait for it."""
        for process, _ in self._started:
            process.terminate()
        for process, output in self._started:
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            output.close()
        self._started.clear()
