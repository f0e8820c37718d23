"""The platform on one machine: servers, release, witnesses and the four processes, started and stopped in order."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from trading.accounts.service.people import CONSOLE
from trading.assembly import REGISTRY, open_runtime
from trading.audit.ledger import Ledger
from trading.audit.runtime import Runtime
from trading.bids.rules.outages import VANTAGES
from trading.bids.rules.probing import ROUND_MS
from trading.config import Settings
from trading.db import open_engine
from trading.embedded.places import admit_server, discard_noted
from trading.embedded.postgres import PostgresServer
from trading.embedded.valkey import ValkeyServer
from trading.kernel.clock import ShiftedClock
from trading.practice import parties
from trading.up.keys import free_address, make_authorities, make_keys, make_witnesses
from trading.up.probes import SECOND, folder_of, set_up
from trading.up.programs import (
    WITNESSES,
    Program,
    authority_program,
    base_environment,
    command_line,
    platform_programs,
    practice_program,
    probe_program,
    witness_program,
)
from trading.up.servers import Servers
from trading.up.supervisor import Running, Supervisor

# Web first, so that nobody is promised anything new; the log's writer after everybody who waits for it; servers last.
STOP_ORDER = (
    *(f"probe-{vantage}" for vantage in VANTAGES),  # first, or they would find that the web is away
    "practice",
    "web",
    "worker",
    "contact",
    "clock",
    "sequencer",
    *(f"witness-{name}" for name in WITNESSES),
    "authorities",
)


# What this product writes into its directory; a folder with none of it, yet not empty, is somebody else's.
_OURS = frozenset(
    {"lock", "keys", "demo-shift", "postgres", "valkey", "servers.json", "witnesses", "log", "objects", "authorities"}
)


class AlreadyRunning(Exception):
    """Another ``mingbiao up`` works on this ``DATA_DIR``."""


class ForeignDirectory(Exception):
    """``DATA_DIR`` holds files of somebody else; its permissions are not touched and nothing is written there."""


class Platform:
    """The whole platform in one ``DATA_DIR``, with its own servers and generated keys.

    Args:
        data_dir: Directory of the platform; made if missing.
        demo: Always true in this release: embedded servers mean a demonstration (P13). With real servers each process
            is started by itself (Procfile).
        listen: Loopback address of the web server; port 0 takes a free one.
        demo_shift_ms: Shift of demo time at the first start, in ms; later starts keep what was recorded.
        fsync: Whether commits wait for the disk; tests that prove nothing about crashes may turn it off.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        demo: bool = True,
        listen: str = "127.0.0.1:8000",
        demo_shift_ms: int = 0,
        fsync: bool = True,
    ) -> None:
        if not demo:
            raise ValueError("mingbiao up runs demonstrations; real servers are run by the Procfile")
        self.data_dir = data_dir.absolute()
        self.listen = free_address() if listen.endswith(":0") else listen
        self._demo_shift_ms = demo_shift_ms
        self._supervisor = Supervisor(self.data_dir)
        self._servers = Servers(self.data_dir, fsync=fsync)
        self._lock: int | None = None

    @property
    def postgres(self) -> PostgresServer | None:
        """The database server, while the platform runs."""
        return self._servers.postgres

    @property
    def valkey(self) -> ValkeyServer | None:
        """The server of the doorbell, while the platform runs."""
        return self._servers.valkey

    @property
    def base_url(self) -> str:
        """Address of the web server, without a final slash."""
        return f"http://{self.listen}"

    @property
    def processes(self) -> Mapping[str, Running]:
        """The running programs by name; ``processes["worker"].pid`` changes when one is started again."""
        return self._supervisor.running

    def settings(self, process: str) -> Settings:
        """Return the settings as the process reads them."""
        environ = base_environment(self.data_dir) | {"PUBLIC_URL": self.base_url}
        return Settings.from_env(process, environ | ({"LISTEN": self.listen} if process == "web" else {}))

    def start(self) -> None:
        """Start everything and return when it serves. If one thing fails, everything is stopped again.

        Raises:
            AlreadyRunning: Another platform works on this directory.
            ForeignDirectory: The directory holds files that are not the platform's.
            EmbeddedServerError: A server does not start.
            ProgramFailed: A program does not start.
        """
        _refuse_foreign(self.data_dir)
        admit_server(self.data_dir)
        self._lock = lock_directory(self.data_dir)
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop everything that runs, in order. May be called again."""
        self._supervisor.unwatch()
        for name in STOP_ORDER:
            self._supervisor.stop(name)
        self._servers.stop()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def start_probes(self, every_s: float = ROUND_MS / 1000) -> None:
        """Start the synthetic bidders of both vantage points; here both are on this machine and prove nothing (P13).

        Args:
            every_s: From the beginning of one round to that of the next, in seconds.

        Raises:
            ProgramFailed: A program does not start.
        """
        with self._runtime() as runtime:
            for vantage in VANTAGES:
                set_up(runtime, folder_of(self.data_dir, vantage), vantage)
        for vantage in VANTAGES:
            self._supervisor.start(probe_program(self.data_dir, vantage, self.listen, every_s))

    def start_practice(self) -> None:
        """Start those who play in practice tenders; here the console registers them (P13).

        Raises:
            ProgramFailed: The program does not start.
        """
        with self._runtime() as runtime:
            parties.set_up(runtime, self.data_dir / "practice", (CONSOLE, SECOND))
        self._supervisor.start(practice_program(self.data_dir, self.listen))

    @contextmanager
    def _runtime(self) -> Iterator[Runtime]:
        settings = self.settings("worker")
        engine = open_engine(settings.database_url, pool_size=2, application="up")
        try:
            yield replace(open_runtime(settings, pool_size=2), ledger=Ledger(engine, registry=REGISTRY))
        finally:
            engine.dispose()

    def halt(self, name: str) -> None:
        """Stop one process and leave it stopped: for runs that do its work themselves, and for tests."""
        self._supervisor.stop(name)

    def restart(self, name: str) -> None:
        """Stop one process in order and start it again; return when it is ready."""
        self._supervisor.restart(name)

    def _start(self) -> None:
        self._supervisor.clear()
        shift = self.data_dir / "demo-shift"
        if not shift.exists():
            shift.write_text(str(self._demo_shift_ms))
        log_key = make_keys(self.data_dir)
        addresses = make_witnesses(self.data_dir, log_key)
        self._servers.start()
        self._supervisor.run_once(self._release(shift.read_text().strip()))
        for name, address in addresses.items():
            self._supervisor.start(witness_program(self.data_dir, name, address, log_key))
        at_ms = ShiftedClock(shift).now_ms()
        self._supervisor.start(authority_program(self.data_dir, make_authorities(self.data_dir, at_ms)))
        for program in platform_programs(self.data_dir, self.listen):
            self._supervisor.start(program)
        self._supervisor.require_alive()  # the web server, started last, took longer than any of them needs to fail
        self._supervisor.watch(also=self._servers.revive)

    def _release(self, shift_ms: str) -> Program:
        environment = base_environment(self.data_dir)
        return Program(
            name="release", command=command_line("release", "--demo-shift-ms", shift_ms), environment=environment
        )


def _refuse_foreign(data_dir: Path) -> None:
    if data_dir.exists():
        names = {path.name for path in data_dir.iterdir()}
        if names and not names & _OURS:
            raise ForeignDirectory(f"{data_dir} holds files that are not the platform's. Choose another DATA_DIR.")


def discard_platform(data_dir: Path) -> None:
    """Delete the directory of a stopped platform, and what its database had to keep elsewhere."""
    discard_noted(data_dir / "postgres")
    shutil.rmtree(data_dir)


def lock_directory(data_dir: Path) -> int:
    """Hold ``data_dir`` for this process until the returned handle is closed.

    Raises:
        AlreadyRunning: Another process holds it.
    """
    handle = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise AlreadyRunning(f"The platform in {data_dir} is running already.") from None
    return handle
