"""The whole platform on one machine: it serves, repairs itself, keeps secrets apart, and leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from trading.embedded.places import admit_server
from trading.embedded.processes import is_alive, wait_until
from trading.up import Platform
from trading.up.platform import AlreadyRunning, ForeignDirectory
from trading.up.programs import ROOT, answers

PROGRAMS = {
    *("sequencer", "clock", "contact", "worker", "web", "authorities"),
    *("witness-supervisor", "witness-notary", "witness-auditor"),
}


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    """A DATA_DIR that the database's user can reach; pytest's own is closed to it when root runs the tests."""
    path = Path(tempfile.mkdtemp(prefix="mb-", dir="/tmp"))
    admit_server(path)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def platform(data_dir: Path) -> Iterator[Platform]:
    """A running platform on a free port."""
    platform = Platform(data_dir, listen="127.0.0.1:0", fsync=False)
    platform.start()
    try:
        yield platform
    finally:
        platform.stop()


def alive(platform: Platform) -> bool:
    with urlopen(f"{platform.base_url}/livez", timeout=5) as answer:  # noqa: S310 - our own server
        return bool(answer.status == 200)


def test_it_serves_and_every_program_runs(platform: Platform) -> None:
    assert set(platform.processes) == PROGRAMS
    assert alive(platform)
    assert all(is_alive(running.pid) for running in platform.processes.values())


def test_a_second_platform_on_the_same_directory_is_refused(platform: Platform) -> None:
    with pytest.raises(AlreadyRunning):
        Platform(platform.data_dir).start()
    assert alive(platform)


def test_a_directory_with_files_of_somebody_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    before = tmp_path.stat().st_mode
    with pytest.raises(ForeignDirectory):
        Platform(tmp_path).start()
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    assert tmp_path.stat().st_mode == before


def test_keys_are_private_and_the_log_key_is_the_sequencers_alone(platform: Platform) -> None:
    keys = platform.data_dir / "keys"
    secrets = ("ack.key", "contact.key", "cookie.secret", "log.key")
    assert {path.name for path in keys.iterdir()} == {*secrets, "origin"}
    for name in secrets:
        assert stat.S_IMODE((keys / name).stat().st_mode) == 0o600
    settings = {name: platform.settings(name) for name in ("web", "worker", "contact", "clock", "sequencer")}
    assert [name for name, each in settings.items() if each.log_key_file] == ["sequencer"]
    assert [name for name, each in settings.items() if each.contact_key_file] == ["contact"]


@pytest.mark.skipif(
    not Path("/proc/self/environ").exists(), reason="the environment of a process is shown by Linux only"
)
def test_no_program_gets_an_address_or_key_of_another(platform: Platform) -> None:
    for name, running in platform.processes.items():
        environ = Path(f"/proc/{running.pid}/environ").read_text().split("\0")
        names = {each.partition("=")[0] for each in environ if each}
        allowed = {
            "PATH",
            "HOME",
            "LANG",
            "LC_ALL",
            "LC_CTYPE",
            "TMPDIR",
            "PYTHONUNBUFFERED",
            "JURISDICTION",
            "RULEBOOK_DIR",
        }
        allowed |= set() if name.startswith(("witness", "authorities")) else {"DATA_DIR"}
        allowed |= {"PUBLIC_URL"} if name in {"web", "worker", "contact"} else set()
        allowed |= {"LISTEN"} if name == "web" else set()
        assert names <= allowed, name


def test_a_killed_web_server_comes_back(platform: Platform) -> None:
    before = platform.processes["web"].pid
    os.kill(before, signal.SIGKILL)
    assert wait_until(lambda: platform.processes["web"].pid != before, 30)
    # A worker of the killed server may still take a connection and drop it before it notices and ends.
    assert wait_until(lambda: answers(f"{platform.base_url}/livez"), 30)


@pytest.mark.parametrize("server", ["postgres", "valkey"])
def test_a_killed_server_comes_back_on_the_same_socket(platform: Platform, server: str) -> None:
    before = (getattr(platform, server).pid, platform.settings("web").redis_url, platform.settings("web").database_url)
    os.kill(before[0], signal.SIGKILL)
    assert wait_until(lambda: getattr(platform, server).pid != before[0] and getattr(platform, server).is_running, 30)
    assert (platform.settings("web").redis_url, platform.settings("web").database_url) == before[1:]
    assert alive(platform)


def test_restart_is_orderly_and_waits_until_ready(platform: Platform) -> None:
    before = platform.processes["sequencer"].pid
    platform.restart("sequencer")
    assert platform.processes["sequencer"].pid != before
    assert is_alive(platform.processes["sequencer"].pid)


def test_a_port_that_was_taken_meanwhile_is_replaced_and_keys_stay(platform: Platform) -> None:
    policy = (platform.data_dir / "witness-policy").read_text()
    pids = [running.pid for running in platform.processes.values()]
    platform.stop()
    assert not any(is_alive(pid) for pid in pids)
    assert list((platform.data_dir / "run").iterdir()) == []
    taken = witnesses_in(policy)["notary"]
    with socket.create_server(("127.0.0.1", int(taken[1].rpartition(":")[2]))):
        platform.start()
    again = witnesses_in((platform.data_dir / "witness-policy").read_text())
    assert again["notary"][1] != taken[1]
    assert {name: key for name, (key, _) in again.items()} == {n: key for n, (key, _) in witnesses_in(policy).items()}
    assert alive(platform)


def witnesses_in(policy: str) -> dict[str, tuple[str, str]]:
    lines = [line.split() for line in policy.splitlines() if line.startswith("witness")]
    return {name: (key, address) for _, name, key, address in lines}


def test_a_killed_manager_leaves_work_for_the_next_one_and_nothing_after_it(data_dir: Path) -> None:
    folder = data_dir / "killed"
    admit_server(folder)
    command = [sys.executable, "-m", "trading.cli", "up", "--no-probe", "--no-practice", "--listen", "127.0.0.1:0"]
    environ = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ} | {"DATA_DIR": str(folder)}
    manager = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True)
    assert manager.stdout is not None
    assert any("ready" in line for line in manager.stdout)
    notes = {path.name: int(path.read_text().split()[0]) for path in (folder / "run").iterdir()}
    assert set(notes) == PROGRAMS
    manager.kill()
    manager.communicate()
    platform = Platform(folder, listen="127.0.0.1:0")
    platform.start()
    try:
        assert not any(is_alive(pid) for pid in notes.values())
        assert platform.postgres is not None
        assert platform.postgres.adopted
        assert alive(platform)
    finally:
        platform.stop()
    assert not (folder / "postgres" / "data" / "postmaster.pid").exists()
