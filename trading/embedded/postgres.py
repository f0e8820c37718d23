"""The embedded PostgreSQL: made at the first start, adopted if it still runs, stopped with SIGINT (ADR 0008).

It listens on one unix socket in a folder of mode 0700 and nowhere else. Whoever may enter that folder, which is the
user who runs it and root, may connect as any database role: with an embedded server the roles guard against mistakes of
programs, not against people. A real server, set by ``DATABASE_URL``, authenticates each role.
"""

from __future__ import annotations

import signal
import socket
import subprocess
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from trading.embedded.engines import Engine, choose_engine, within_reach
from trading.embedded.places import ServerUser, discard, forget_sockets, server_home, server_user, socket_directory
from trading.embedded.processes import EmbeddedServerError, exclusive, is_alive, stop, wait_until

PORT = 5432  # names the socket file only; nothing listens on TCP
SUPERUSER = "postgres"
_START_SECONDS = 60.0
_STOP_SECONDS = 60.0
_SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "400",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_destination": "stderr",
    "logging_collector": "off",
}


@dataclass(slots=True, kw_only=True)
class PostgresServer:
    """A running server. ``adopted`` says that an earlier start left it running and this one took it over."""

    directory: Path
    home: Path
    socket_directory: Path
    pid: int
    adopted: bool
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def url(self, role: str, database: str) -> str:
        """Return the SQLAlchemy address of a database for one role; the driver is psycopg 3."""
        return server_url(self.socket_directory, role, database)

    @property
    def is_running(self) -> bool:
        """Whether the server process still exists."""
        return self._process.poll() is None if self._process is not None else is_alive(self.pid)

    def stop(self) -> None:
        """Stop the server. SIGINT ends open connections at once; SIGTERM would wait for pooled clients for ever."""
        stop(self.pid, signal.SIGINT, seconds=_STOP_SECONDS, child=self._process)
        forget_sockets(self.home, self.socket_directory)

    def destroy(self) -> None:
        """Stop the server and delete its files."""
        self.stop()
        discard(self.directory, self.home)


def server_url(sockets: Path, role: str, database: str) -> str:
    """Return ``postgresql+psycopg://role@/database?host=…&port=…`` for the server whose socket lies in ``sockets``."""
    query = urlencode({"host": str(sockets), "port": str(PORT)}, quote_via=quote)
    return f"postgresql+psycopg://{quote(role, safe='')}@/{quote(database, safe='')}?{query}"


def start_postgres(data_dir: Path, *, fsync: bool = True) -> PostgresServer:
    """Return the server whose files belong to ``data_dir``; start it, or adopt it if it runs.

    Args:
        data_dir: The folder of this server alone; made if missing. If root starts the server and the database's user
            cannot reach this folder, the files lie elsewhere and a note in ``data_dir`` says where.
        fsync: Whether a commit waits for the disk. Tests that prove nothing about crashes may turn it off.

    Raises:
        EmbeddedServerError: No PostgreSQL, or it does not start; the text ends with the last lines of its log.
    """
    user = server_user()
    with exclusive(data_dir):
        home = server_home(data_dir, user)
        running = _running(data_dir, home)
        if running is not None:
            return running
        engine = within_reach(choose_engine(home / "data"), home, user)
        _make_cluster(engine, home, user, fsync=fsync)
        return _start(engine, data_dir, home, user, fsync=fsync)


def _running(data_dir: Path, home: Path) -> PostgresServer | None:
    """Return the server that runs on these files, or None. ``postmaster.pid`` names its process and its socket."""
    try:
        lines = (home / "data" / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return None
    if len(lines) < 8 or lines[7].strip() != "ready" or not is_alive(int(lines[0])):  # noqa: PLR2004 - line 8: its state
        return None
    sockets = Path(lines[4])
    if not _answers(sockets):
        return None
    return PostgresServer(directory=data_dir, home=home, socket_directory=sockets, pid=int(lines[0]), adopted=True)


def _answers(sockets: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(sockets / f".s.PGSQL.{PORT}"))
        except OSError:
            return False
    return True


def _make_cluster(engine: Engine, home: Path, user: ServerUser, *, fsync: bool) -> None:
    """Run ``initdb`` once, under another name, so that a half-made cluster is never taken for a whole one."""
    data, half = home / "data", home / "data.new"
    if data.exists():
        return
    if half.exists():
        discard(half, half)
    command = [engine.program("initdb"), "--pgdata", str(half), "--username", SUPERUSER, "--auth", "trust"]
    command += ["--encoding", "UTF8", "--locale", "C", "--data-checksums", "--no-instructions"]
    command += [] if fsync else ["--no-sync"]
    done = subprocess.run(command, capture_output=True, text=True, **_options(home, user), check=False)  # noqa: S603
    if done.returncode != 0:
        raise EmbeddedServerError(f"initdb failed: {done.stderr.strip() or done.stdout.strip()}")
    half.rename(data)


def _start(engine: Engine, data_dir: Path, home: Path, user: ServerUser, *, fsync: bool) -> PostgresServer:
    sockets = socket_directory(home, user)
    settings = _SETTINGS | {"unix_socket_directories": str(sockets), "fsync": "on" if fsync else "off"}
    command = [engine.program("postgres"), "-D", str(home / "data")]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    log = home / "postgres.log"
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            **_options(home, user),
        )
    wait_until(lambda: _running(data_dir, home) is not None or process.poll() is not None, _START_SECONDS)
    server = _running(data_dir, home)
    if server is None or server.pid != process.pid:
        stop(process.pid, signal.SIGINT, seconds=5, child=process)
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-10:])
        raise EmbeddedServerError(f"PostgreSQL {engine.major} did not start:\n{tail}")
    return replace(server, adopted=False, _process=process)


def _options(home: Path, user: ServerUser) -> dict[str, Any]:
    """Return the options of a program of the server: its user, its folder and nothing of our environment."""
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C", "LC_ALL": "C", "TZ": "UTC", "HOME": str(home)}
    return {"cwd": home, "env": environment, "umask": 0o077, **user.popen_options()}
