"""A log with its key, files, database and three witnesses; sequencers that run, and that die at a chosen step."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sqlalchemy import make_url
from typing_extensions import override

from agents.witness_server import Witness, WitnessServer
from agents.witness_state import WitnessState
from tests.support.databases import Database
from trading.audit.files import LogProofs
from trading.audit.fsck import Fsck
from trading.audit.model import Report
from trading.audit.rules.cosigning import Cosigned, Seen, SizeConflict, with_cosignatures
from trading.audit.rules.note import COSIGNATURE_V1, SignatureLine, VerifierKey
from trading.audit.rules.policy import Policy, parse_policy
from trading.audit.rules.tree import EMPTY_ROOT
from trading.audit.sequencer.client import clients_of
from trading.audit.sequencer.command import open_files
from trading.audit.sequencer.loading import load
from trading.audit.sequencer.loop import Options, Sequencer
from trading.audit.sequencer.writer import LogSigner
from trading.crypto.notes import ed25519_public
from trading.kernel.clock import Clock, SystemClock
from trading.storage.tiles import TileStore

if TYPE_CHECKING:  # few tests have a bucket, and its library is large
    from trading.storage.bucket import Bucket

LOG_SEED = b"\x07" * 32
FAST = Options(interval_s=0.005, heartbeat_s=0.1, retry_s=0.02)


class Killed(BaseException):
    """Stands for SIGKILL: nothing of the product catches it."""


def kill_at(step: str, *, times: int = 1) -> Callable[[str], None]:
    """Return a hook that ends the sequencer when ``step`` is done for the ``times``-th time."""
    seen = 0

    def hook(done: str) -> None:
        nonlocal seen
        seen += done == step
        if done == step and seen == times:
            raise Killed(step)

    return hook


class StoppableServer(WitnessServer):
    """Ends its open connections when it stops, as the end of a witness's process would."""

    def __init__(self, address: tuple[str, int], witness: Witness) -> None:
        self._open: set[socket.socket] = set()
        super().__init__(address, witness)

    @override
    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    @override
    def server_close(self) -> None:
        super().server_close()
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


class RunningWitness:
    """A witness in a thread of this process, on a free port of the loopback interface."""

    def __init__(self, directory: Path, number: int, log_key: VerifierKey, clock: Clock) -> None:
        self.directory = directory
        self.seed = bytes([number]) * 32
        self.key = VerifierKey(name=f"witness{number}.test", kind=COSIGNATURE_V1, public_key=ed25519_public(self.seed))
        self._log_keys = [log_key]
        self._clock = clock
        self._port = 0
        self._server: StoppableServer | None = None
        WitnessState.create(directory, self.key).close()
        self.start()

    def start(self) -> None:
        self._state = WitnessState(self.directory)
        witness = Witness(self.seed, self._state, self._log_keys, self._clock)
        self._server = StoppableServer(("127.0.0.1", self._port), witness)
        self._port = self._server.server_port
        self.url = f"http://127.0.0.1:{self._port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def learn(self, log_key: VerifierKey) -> None:
        """Start again with one more log in its own policy; its memory stays."""
        self.stop()
        self._log_keys.append(log_key)
        self.start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
            self._state.close()
            self._server = None

    @property
    def seen(self) -> Seen:
        """What it cosigned last."""
        return next((log.seen for log in self._state.logs()), Seen(size=0, root=EMPTY_ROOT))

    @property
    def size(self) -> int:
        return self.seen.size

    @property
    def has_seen_fraud(self) -> bool:
        return any(note.fraud for note in self._state.refused())


@dataclass
class LogWorld:
    """Everything of one log. ``directory`` holds wal/, tiles/ and head/."""

    database: Database
    directory: Path
    clock: Clock = field(default_factory=SystemClock)
    witnesses: list[RunningWitness] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.signer = LogSigner(self.database.origin, LOG_SEED)
        self.log_key = self.signer.key  # what the policy names, whatever key a test lets the sequencer hold
        if not self.witnesses:
            self.witnesses = [
                RunningWitness(self.directory / f"witness{number}", number, self.signer.key, self.clock)
                for number in (1, 2, 3)
            ]

    @property
    def log_dir(self) -> Path:
        return self.directory / "log"

    @property
    def tiles(self) -> TileStore:
        return TileStore(self.log_dir / "tiles")

    @property
    def origin(self) -> str:
        return self.database.origin

    @property
    def log_keys(self) -> list[VerifierKey]:
        """What the policy lists: the logs that this one continues, the oldest first, and this one."""
        return [self.log_key]

    @property
    def policy_text(self) -> str:
        lines = [f"witness w{number} {each.key.vkey} {each.url}" for number, each in enumerate(self.witnesses, 1)]
        return "\n".join([*(f"log {key.vkey}" for key in self.log_keys), *lines, "group q 2 w1 w2 w3", "quorum q", ""])

    @property
    def policy(self) -> Policy:
        return parse_policy(self.policy_text)

    @contextmanager
    def sequencer(
        self,
        *,
        hook: Callable[[str], None] = lambda _step: None,
        options: Options = FAST,
        clock: Clock | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> Iterator[Sequencer]:
        """Yield a sequencer that has not started; let go of everything afterwards, as the end of a process does."""
        with ExitStack() as stack:
            files = open_files(self.log_dir)
            stack.callback(files.wal.close)
            url = make_url(self.database.url("trading_sequencer")).set(drivername="postgresql")
            sequencer = Sequencer(
                conninfo=url.render_as_string(hide_password=False),
                files=files,
                signer=self.signer,
                policy=self.policy,
                clock=clock or self.clock,
                options=options,
                hook=hook,
                monotonic=monotonic,
            )
            stack.pop_all()
            try:
                yield sequencer
            finally:
                sequencer.close()

    @contextmanager
    def running(self, *, options: Options = FAST) -> Iterator[Sequencer]:
        """Yield a sequencer that logs in a thread of its own; its failure becomes the failure of the test."""
        with self.sequencer(options=options) as sequencer:
            sequencer.start()
            failures: list[BaseException] = []

            def work() -> None:
                try:
                    sequencer.run()
                except BaseException as error:  # noqa: BLE001 - handed to the test below
                    failures.append(error)

            thread = threading.Thread(target=work)
            thread.start()
            try:
                yield sequencer
            finally:
                sequencer.stop()
                thread.join()
            if failures:
                raise failures[0]

    def fsck(
        self, roots: Mapping[str, Sequence[bytes]] = MappingProxyType({}), *, bucket: Bucket | None = None
    ) -> Report:
        """Check everything as the auditor would; ``roots`` are those of the time-stamping authorities."""
        with self.database.connect("trading_auditor") as connection:
            return Fsck(connection, self.log_dir, self.origin, self.policy, roots, bucket=bucket).run()

    def commitments(self) -> list[bytes]:
        """Return ``h`` of every committed entry, in the order of their ids."""
        return self._values("SELECT h FROM log.audit_entry ORDER BY id")

    def log_order(self) -> list[bytes]:
        """Return ``h`` of every logged entry, in the order of the log."""
        return self._values(
            "SELECT e.h FROM log.log_position p JOIN log.audit_entry e ON e.id = p.entry_id ORDER BY p.n"
        )

    def _values(self, query: str) -> list[bytes]:
        with self.database.connect() as superuser:
            return [bytes(value) for value in superuser.exec_driver_sql(query).scalars()]

    def log_everything(self) -> None:
        """Start a sequencer, log what waits, stop it in good order."""
        with self.sequencer() as sequencer:
            sequencer.start()
            sequencer.step()

    def copy_log(self, target: Path) -> None:
        """Copy the log's files, as a snapshot of the host would."""
        shutil.copytree(self.log_dir, target)

    def restore_log(self, source: Path) -> None:
        """Put back a copy."""
        shutil.rmtree(self.log_dir)
        shutil.copytree(source, self.log_dir)

    def close(self) -> None:
        for witness in self.witnesses:
            witness.stop()


def foreign_growth(world: LogWorld, log_dir: Path, *, entries: int) -> bytes:
    """Grow a copy of the log's files under the log's own key, have every witness cosign, and return the note."""
    files = open_files(log_dir)
    writer, _ = load(files, world.signer, lambda _step: None)
    size, lines = writer.size, list[SignatureLine]()
    _, signed = writer.append([bytes([7]) * 31 + bytes([n]) for n in range(entries)], world.clock.now_ms())
    for client in clients_of(world.policy):
        proof = LogProofs(files.tiles).consistency(size, writer.size)
        answer = client.add_checkpoint(size, proof, signed.note.encode())
        if isinstance(answer, SizeConflict):
            proof = LogProofs(files.tiles).consistency(answer.size, writer.size)
            answer = client.add_checkpoint(answer.size, proof, signed.note.encode())
        assert isinstance(answer, Cosigned), answer
        lines += answer.lines
        client.close()
    files.wal.close()
    return with_cosignatures(signed.note, lines).encode()
