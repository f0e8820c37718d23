"""The supervisor: ready means ready, a crash is repaired, an end leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from trading.embedded.processes import is_alive, wait_until
from trading.up.programs import Program, base_environment
from trading.up.supervisor import ProgramFailed, Supervisor, _birth

READY = "import pathlib, signal, sys; pathlib.Path(sys.argv[1]).touch(); signal.pause()"
STUBBORN = """
import pathlib, signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
pathlib.Path(sys.argv[1]).write_text(str(child.pid))
signal.pause()
"""


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    """A supervisor whose programs are gone after the test, whatever happens."""
    supervisor = Supervisor(tmp_path)
    supervisor.clear()
    yield supervisor
    supervisor.unwatch()
    for name in list(supervisor.running):
        supervisor.stop(name)


def program(tmp_path: Path, code: str, *, name: str = "one", patience: float = 20, stop_seconds: float = 20) -> Program:
    flag = tmp_path / f"{name}-is-ready"
    return Program(
        name=name,
        command=(sys.executable, "-c", code, str(flag)),
        environment=base_environment(tmp_path),
        is_ready=lambda: flag.exists() and flag.stat().st_size >= 0,
        patience=patience,
        stop_seconds=stop_seconds,
    )


def test_start_returns_when_the_program_is_ready_and_stop_ends_it(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start(program(tmp_path, READY))
    pid = supervisor.running["one"].pid
    assert (tmp_path / "one-is-ready").exists()
    supervisor.stop("one")
    supervisor.stop("one")
    assert not is_alive(pid)
    assert list((tmp_path / "run").iterdir()) == []


@pytest.mark.parametrize(
    ("code", "reason"), [("raise SystemExit('no luck')", "no luck"), ("import signal; signal.pause()", "not ready")]
)
def test_a_program_that_does_not_get_ready_is_named_with_its_last_words_and_stopped(
    supervisor: Supervisor, tmp_path: Path, code: str, reason: str
) -> None:
    with pytest.raises(ProgramFailed, match=reason):
        supervisor.start(program(tmp_path, code, patience=0.5 if "pause" in code else 20))
    assert supervisor.running == {}


def test_run_once_reports_the_end(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.run_once(program(tmp_path, "print('done')"))
    with pytest.raises(ProgramFailed, match="code 3"):
        supervisor.run_once(program(tmp_path, "raise SystemExit(3)"))


@pytest.mark.parametrize("watched", [True, False])
def test_a_killed_program_is_started_again_only_while_watched(
    supervisor: Supervisor, tmp_path: Path, *, watched: bool
) -> None:
    supervisor.start(program(tmp_path, READY))
    if watched:
        supervisor.watch()
    running = supervisor.running["one"]
    first = running.pid
    os.kill(first, signal.SIGKILL)
    assert wait_until(lambda: running.restarts == 1, 10 if watched else 1.5) == watched
    assert (running.pid != first) == watched


def test_a_program_that_ended_after_its_start_is_noticed(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start(program(tmp_path, READY))
    supervisor.require_alive()
    supervisor.running["one"].process.kill()
    supervisor.running["one"].process.wait()
    with pytest.raises(ProgramFailed, match="one ended"):
        supervisor.require_alive()


def test_restart_gives_a_new_process(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start(program(tmp_path, READY))
    first = supervisor.running["one"].pid
    supervisor.restart("one")
    assert supervisor.running["one"].pid != first
    assert not is_alive(first)


def test_a_stubborn_program_goes_with_its_children(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start(program(tmp_path, STUBBORN, stop_seconds=0.3))
    flag = tmp_path / "one-is-ready"
    assert wait_until(lambda: flag.read_text() != "", 10)
    child = int(flag.read_text())
    supervisor.stop("one")
    assert wait_until(lambda: not is_alive(child), 10)


def test_what_a_killed_supervisor_left_is_stopped_at_the_next_start(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start(program(tmp_path, READY))
    left = supervisor.running.pop("one")  # as if the first supervisor had been killed
    Supervisor(tmp_path).clear()
    assert left.process.wait(10) == -signal.SIGTERM
    assert list((tmp_path / "run").iterdir()) == []


def test_a_process_that_only_got_the_same_number_is_left_alone(tmp_path: Path) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", READY, str(tmp_path / "flag")])
    try:
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "one").write_text(f"{stranger.pid} 12345")
        assert _birth(stranger.pid) != "12345"
        Supervisor(tmp_path).clear()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_programs_inherit_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_KEY_FILE", "/somewhere")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    assert set(base_environment(tmp_path)) <= {
        "PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "JURISDICTION", "RULEBOOK_DIR", "DATA_DIR", "PYTHONUNBUFFERED",
    }  # fmt: skip
