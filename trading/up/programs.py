"""The programs of the platform: how each starts, what it may know, when it is ready."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

import trading

ROOT = Path(trading.__file__).resolve().parents[1]
WITNESSES = ("supervisor", "notary", "auditor")
AUTHORITIES = ("demo-tsa-1", "demo-tsa-2")
# What a program inherits from the person who starts the platform. Nothing else passes, secrets of the shell above all.
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "JURISDICTION", "RULEBOOK_DIR")


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One program. ``is_ready`` is asked until it says yes; ``patience`` bounds that, in seconds."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    is_ready: Callable[[], bool] = field(default=lambda: True)
    patience: float = 60.0
    stop_seconds: float = 40.0


def base_environment(data_dir: Path) -> dict[str, str]:
    """Return the environment that every program gets."""
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return inherited | {"DATA_DIR": str(data_dir), "PYTHONUNBUFFERED": "1"}


def command_line(*words: str) -> tuple[str, ...]:
    """Return the command that runs ``mingbiao`` with ``words`` in this very interpreter."""
    return (sys.executable, "-m", "trading.cli", *words)


def witness_program(data_dir: Path, name: str, address: str, log_key: str) -> Program:
    """Return a local witness of demo mode. It gets no settings of the platform, only the log's public key."""
    state = data_dir / "witnesses" / name
    options = ("--state", str(state), "--listen", address, "--log", log_key)
    shift = ("--shift-file", str(data_dir / "demo-shift"))
    environment = base_environment(data_dir)
    del environment["DATA_DIR"]
    return Program(
        name=f"witness-{name}",
        command=command_line("witness", "serve", *options, *shift),
        environment=environment,
        is_ready=lambda: answers(f"http://{address}/"),
    )


def authority_program(data_dir: Path, addresses: Mapping[str, str]) -> Program:
    """Return the local time-stamping authorities of demo mode; nobody waits until they answer."""
    served = [f"--at={data_dir / 'authorities' / name}={address}" for name, address in addresses.items()]
    environment = base_environment(data_dir)
    del environment["DATA_DIR"]
    shift = ("--shift-file", str(data_dir / "demo-shift"))
    return Program(
        name="authorities", command=command_line("authority", "serve", *served, *shift), environment=environment
    )


def probe_program(data_dir: Path, vantage: str, listen: str, every_s: float) -> Program:
    """Return the synthetic bidder of a vantage point. It gets its own folder and the public address, no settings."""
    state, shift = str(data_dir / "probes" / vantage), str(data_dir / "demo-shift")
    options = ("--state", state, "--url", f"http://{listen}", "--every", str(every_s), "--shift-file", shift)
    environment = base_environment(data_dir)
    del environment["DATA_DIR"]
    return Program(name=f"probe-{vantage}", command=command_line("probe", "run", *options), environment=environment)


def practice_program(data_dir: Path, listen: str) -> Program:
    """Return those who play in practice tenders, with the worker's settings and a folder for their keys."""
    options = ("--state", str(data_dir / "practice"), "--url", f"http://{listen}")
    environment = base_environment(data_dir) | {"PUBLIC_URL": f"http://{listen}"}
    return Program(name="practice", command=command_line("practice", "run", *options), environment=environment)


def platform_programs(data_dir: Path, listen: str) -> tuple[Program, ...]:
    """Return the five processes that serve, in the order in which they start."""
    environment = base_environment(data_dir)
    addressed = environment | {"PUBLIC_URL": f"http://{listen}"}
    web = (sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "wsgi:app")
    return (
        Program(
            name="sequencer",
            command=command_line("sequencer"),
            environment=environment,
            is_ready=lambda: has_announced(data_dir),
        ),
        Program(name="clock", command=command_line("clock"), environment=environment),
        Program(name="worker", command=(sys.executable, "worker.py"), environment=addressed),
        Program(name="contact", command=command_line("contact"), environment=addressed),
        Program(
            name="web",
            command=web,
            environment=addressed | {"LISTEN": listen},
            is_ready=lambda: answers(f"http://{listen}/livez"),
        ),
    )


def has_announced(data_dir: Path) -> bool:
    """Return whether the sequencer has audited the log and signed its head anew; an empty log has no head to sign."""
    checkpoint = data_dir / "log" / "tiles" / "checkpoint"
    if not checkpoint.exists():
        return (data_dir / "log" / "wal").exists()
    return checkpoint.stat().st_mtime_ns >= (data_dir / "run" / "sequencer").stat().st_mtime_ns


def answers(url: str) -> bool:
    """Return whether an HTTP server answers at a loopback address, whatever it says."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=2)
    try:
        connection.request("GET", parts.path)
        connection.getresponse().read()
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
    return True
