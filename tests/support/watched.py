"""Runs a program with a temporary directory of its own and watches what it starts and where it puts files."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from trading.up.programs import ROOT

_PROC = Path("/proc")
_NOTES = ("place", "socket-place")  # where an embedded server writes the path of files that it keeps elsewhere
_LOOK_S = 0.5


@dataclass
class Watched:
    """What a program did: exit code and output, the processes below it, the places noted in its directory."""

    code: int | None = None
    output: str = ""
    processes: dict[tuple[int, str], str] = field(default_factory=dict)
    places: set[Path] = field(default_factory=set)
    temporary: Path = Path()

    def still_running(self) -> list[str]:
        """Return the command lines of processes that outlived the program."""
        return [command for key, command in self.processes.items() if key in _processes()]

    def left_behind(self) -> list[Path]:
        """Return the files and folders that the program did not take away."""
        return [*self.temporary.iterdir(), *(place for place in self.places if place.exists())]

    def look(self, pid: int) -> None:
        known = _processes()
        family = {pid}
        while grown := {key[0] for key, (parent, _) in known.items() if parent in family} - family:
            family |= grown
        self.processes |= {key: command for key, (_, command) in known.items() if key[0] in family - {pid}}
        for name in _NOTES:
            with suppress_vanished():
                for note in self.temporary.glob(f"**/{name}"):
                    self.places.add(Path(note.read_text().strip()))


@contextmanager
def suppress_vanished() -> Iterator[None]:
    """A program that is being stopped takes its files away while we look."""
    try:
        yield
    except OSError:
        return


def _processes() -> dict[tuple[int, str], tuple[int, str]]:
    """Return parent and command line of every process, by pid and start time, so that a reused pid is another one."""
    found: dict[tuple[int, str], tuple[int, str]] = {}
    for folder in _PROC.glob("[0-9]*"):
        with suppress_vanished():
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if fields[0] != "Z":
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                found[int(folder.name), fields[19]] = (int(fields[1]), command)
    return found


@contextmanager
def watched(*command: str) -> Iterator[Watched]:
    """Run a command to its end as a newcomer's shell would start it; yield what it did and what is left of it."""
    if not _PROC.is_dir():
        pytest.skip("this system has no /proc, so what a program leaves behind cannot be seen")
    temporary = Path(tempfile.mkdtemp(prefix="mb-"))
    seen = Watched(temporary=temporary)
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "LC_ALL") if name in os.environ}
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env={**inherited, "TMPDIR": str(temporary)}, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            while seen.code is None:
                seen.look(process.pid)
                seen.code = _wait(process)
        finally:
            process.terminate()
            process.wait()
        output.seek(0)
        seen.output = output.read().decode()
    try:
        yield seen
    finally:
        shutil.rmtree(temporary)


def _wait(process: subprocess.Popen[bytes]) -> int | None:
    try:
        return process.wait(_LOOK_S)
    except subprocess.TimeoutExpired:
        return None
