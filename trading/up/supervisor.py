"""Start programs, keep them running, stop them in order, and leave nothing behind (ADR 0027).

Every program runs in a session of its own, so that Ctrl-C reaches the supervisor alone, and is noted in a file with its
start time. A supervisor that was killed finds its programs by these notes at the next start and stops them first.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from trading.embedded.processes import EmbeddedServerError, is_alive, stop, wait_until
from trading.up.programs import ROOT, Program

_POLL_SECONDS = 0.2
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 30.0
_STEADY_SECONDS = 60.0
_LOG = logging.getLogger(__name__)


class ProgramFailed(Exception):
    """A program ended, or did not get ready in time; the text ends with the last lines of its log."""


@dataclass(slots=True, kw_only=True)
class Running:
    """A program with its present process. ``restarts`` counts how often it had to be started anew."""

    program: Program
    process: subprocess.Popen[bytes]
    started: float
    restarts: int = 0
    pause: float = _FIRST_PAUSE_SECONDS
    due: float | None = None  # when a crashed program is started again

    @property
    def pid(self) -> int:
        """The id of the present process."""
        return self.process.pid


class Supervisor:
    """The programs of one ``DATA_DIR``.

    Args:
        data_dir: Gets ``logs/<program>.log`` and ``run/<program>``.
    """

    def __init__(self, data_dir: Path) -> None:
        self._logs = data_dir / "logs"
        self._notes = data_dir / "run"
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._watcher: threading.Thread | None = None
        self.running: dict[str, Running] = {}

    def clear(self) -> None:
        """Make the folders and stop the programs that a killed supervisor left running."""
        for folder in (self._logs, self._notes):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for note in sorted(self._notes.iterdir()):
            pid, _, birth = note.read_text().partition(" ")
            if pid and birth and is_alive(int(pid)) and _birth(int(pid)) == birth:
                _LOG.warning("stopping %s, left by an earlier start (process %s)", note.name, pid)
                _end(int(pid), seconds=20.0)
            note.unlink()

    def run_once(self, program: Program) -> None:
        """Run a program that ends by itself.

        Raises:
            ProgramFailed: It ended with an error.
        """
        with self._log(program).open("ab") as log:
            code = _spawn(program, log.fileno()).wait()
        if code != 0:
            raise ProgramFailed(f"{program.name} ended with code {code}.\n{self._tail(program)}")

    def start(self, program: Program) -> None:
        """Start a program and return when it is ready.

        Raises:
            ProgramFailed: It ended or was not ready in time; it is not left running.
        """
        with self._lock:
            process = self._launch(program)
            self.running[program.name] = Running(program=program, process=process, started=time.monotonic())
        self._await_ready(program)

    def require_alive(self) -> None:
        """Check that no program ended since it was started; a clock or worker has no other way to say that it is well.

        Raises:
            ProgramFailed: One ended.
        """
        for running in self.running.values():
            if running.process.poll() is not None:
                raise ProgramFailed(f"{running.program.name} ended.\n{self._tail(running.program)}")

    def watch(self, also: Callable[[], None] = lambda: None) -> None:
        """From now on start every program again that ends by itself, at once and then with growing pauses.

        Args:
            also: Called at each look; revives what is no program.
        """
        self._stopping.clear()
        self._watcher = threading.Thread(target=self._watch, args=(also,), name="supervisor", daemon=True)
        self._watcher.start()

    def restart(self, name: str) -> None:
        """Stop one program in order, start it again and return when it is ready.

        Raises:
            ProgramFailed: As :meth:`start`.
        """
        with self._lock:
            running = self.running[name]
            _stop(running)
            running.process = self._launch(running.program)
            running.started, running.due = time.monotonic(), None
            running.restarts += 1
        self._await_ready(running.program)

    def stop(self, name: str) -> None:
        """Stop one program for good. Unknown names are no error: it never started."""
        with self._lock:
            running = self.running.pop(name, None)
            if running is not None:
                _stop(running)
                (self._notes / name).unlink(missing_ok=True)

    def unwatch(self) -> None:
        """Stop starting programs again; call it before stopping them."""
        self._stopping.set()
        if self._watcher is not None:
            self._watcher.join()
            self._watcher = None

    def _watch(self, also: Callable[[], None]) -> None:
        while not self._stopping.wait(_POLL_SECONDS):
            also()
            with self._lock:
                for running in self.running.values():
                    self._revive(running)

    def _revive(self, running: Running) -> None:
        now = time.monotonic()
        code = running.process.poll()
        if code is None:
            return
        if running.due is None:
            steady = now - running.started > _STEADY_SECONDS
            running.pause = _FIRST_PAUSE_SECONDS if steady else min(running.pause * 2, _LONGEST_PAUSE_SECONDS)
            running.due = now + running.pause
            _LOG.warning(
                "%s ended with code %s; starting it again in %.1f s", running.program.name, code, running.pause
            )
        elif now >= running.due:
            running.process = self._launch(running.program)
            running.started, running.due = now, None
            running.restarts += 1

    def _launch(self, program: Program) -> subprocess.Popen[bytes]:
        with self._log(program).open("ab") as log:
            process = _spawn(program, log.fileno())
        (self._notes / program.name).write_text(f"{process.pid} {_birth(process.pid)}")
        return process

    def _await_ready(self, program: Program) -> None:
        def ready_or_ended() -> bool:
            running = self.running.get(program.name)
            return running is None or running.process.poll() is not None or program.is_ready()

        ready = wait_until(ready_or_ended, program.patience)
        running = self.running.get(program.name)
        if ready and running is not None and running.process.poll() is None:
            return
        reason = "ended" if ready else f"was not ready after {program.patience:.0f} s"
        self.stop(program.name)
        raise ProgramFailed(f"{program.name} {reason}.\n{self._tail(program)}")

    def _log(self, program: Program) -> Path:
        return self._logs / f"{program.name}.log"

    def _tail(self, program: Program) -> str:
        lines = self._log(program).read_text(errors="replace").splitlines()[-15:]
        return "\n".join([f"The end of {self._log(program)}:", *lines])


def _spawn(program: Program, output: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603
        program.command,
        cwd=ROOT,
        env=dict(program.environment),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
        umask=0o077,
    )


def _stop(running: Running) -> None:
    _end(running.pid, seconds=running.program.stop_seconds, child=running.process)


def _end(pid: int, *, seconds: float, child: subprocess.Popen[bytes] | None = None) -> None:
    """Stop a program by SIGTERM, then whatever is left of its session; the session is ours, the program leads it."""
    try:
        stop(pid, signal.SIGTERM, seconds=seconds, child=child)
    except EmbeddedServerError:
        _LOG.exception("process %s stays", pid)
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _birth(pid: int) -> str:
    """Return when the process started, so that a number that was given out again is not taken for the old process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        done = subprocess.run(  # noqa: S603
            ["/bin/ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        return done.stdout.strip() or "unknown"
