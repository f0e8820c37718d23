"""A web server and worker that end at a named step, by kill −9, and are started again: F01 for submission and opening.

A nursery, a process of its own, holds the application and a listening socket, as the master of the real server does. It
forks one server after the other; each serves until it is struck. A strike is armed by a file that names point and
record: ``before commit bid.received``. Clients do what real ones do: who gets no answer sends the same bytes again.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from sqlalchemy import Connection
from werkzeug.serving import make_server

from agents.http import Unreachable
from tests.support.polling import eventually
from trading.app import create_app
from trading.assembly import ERRANDS, REGISTRY
from trading.audit import errands
from trading.audit.ledger import Ledger, UnitOfWork
from trading.audit.runtime import Runtime
from trading.audit.service import platform_ms
from trading.config import Process, Settings
from trading.crypto.signatures import Es256Signer
from trading.db import open_engine
from trading.kernel.clock import ShiftedClock
from trading.kernel.events import Event
from trading.storage.local import LocalStore

WORK: Final = "/run-what-is-due"  # the worker's loop, in the process that also serves
OBJECT: Final = "object"
NOTHING: Final = "no record"
_PATIENCE_S: Final = 120.0  # a bound on a machine that does much else
_context = multiprocessing.get_context("spawn")  # of the threads of a test nothing may be inherited


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a platform is: what a process needs to serve it."""

    database_url: str
    reader_url: str
    directory: Path
    log_dir: Path
    origin: str
    policy: str
    shift_file: Path

    def runtime(self) -> Runtime:
        writer = open_engine(self.database_url, pool_size=4, application="mortal")
        reader = open_engine(self.reader_url, pool_size=4, application="mortal")
        return Runtime(
            ledger=Ledger(writer, registry=REGISTRY, reader=reader),
            objects=LocalStore(self.directory / "objects"),
            log_dir=self.log_dir,
            origin=self.origin,
            demo=True,
            clock=ShiftedClock(self.shift_file),
            ack=Es256Signer.generate(),
            witness_policy=self.policy,
        )

    def settings(self) -> Settings:
        return Settings(
            process=Process.WEB,
            demo=True,
            data_dir=self.directory,
            database_url=self.database_url,
            log_origin=self.origin,
            jurisdiction="CN",
        )


# In the nursery and its servers.


@dataclass
class Points:
    """Ends this process where the file says; removes the file first, so that the next process lives."""

    order: Path
    _told: threading.local = field(default_factory=threading.local)

    @property
    def newest(self) -> str:
        """Return the kind of the newest record that this thread wrote in the request that it serves."""
        return getattr(self._told, "kind", NOTHING)

    def begin(self) -> None:
        self._told.kind = NOTHING

    def record(self, kind: str) -> None:
        self._told.kind = kind

    def reach(self, point: str, what: str) -> None:
        try:
            wanted = self.order.read_text(encoding="utf-8")
        except FileNotFoundError:
            return
        if wanted == f"{point} {what}":
            self.order.unlink()
            os.kill(os.getpid(), signal.SIGKILL)

    def put_into(self) -> None:
        """Put the points into the product's own functions, in this process alone."""
        record, commit, put = UnitOfWork.record, Connection.commit, LocalStore.put_stream

        def recorded(unit: UnitOfWork, what: Event, *, at: int | None = None) -> Any:  # noqa: ANN401 - as it returns
            done = record(unit, what, at=at)
            self.record(what.kind)
            return done

        def committed(connection: Connection) -> None:
            self.reach("before commit", self.newest)
            commit(connection)
            self.reach("after commit", self.newest)

        def stored(store: LocalStore, *source: Any, **options: Any) -> Any:  # noqa: ANN401 - as the store's
            self.reach("before", OBJECT)
            done = put(store, *source, **options)
            self.reach("after", OBJECT)
            return done

        UnitOfWork.record = recorded  # type: ignore[method-assign,assignment]
        Connection.commit = committed  # type: ignore[method-assign,assignment]
        LocalStore.put_stream = stored  # type: ignore[method-assign,assignment]


@dataclass
class _Mortal:
    """The application with a worker beside it, and points around its answers."""

    app: Callable[..., Iterable[bytes]]
    runtime: Runtime
    points: Points

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        self.points.begin()
        if environ["PATH_INFO"] == WORK:
            self._work()
            start_response("200 OK", [("Content-Length", "0")])
            return [b""]
        told: list[tuple[Any, ...]] = []
        answer = self.app(environ, lambda *line: told.append(line))
        body = b"".join(answer)
        if close := getattr(answer, "close", None):
            close()
        self.points.reach("before answer", self.points.newest)
        start_response(*told[-1][:2])
        return [body]

    def _work(self) -> None:
        ledger = self.runtime.ledger
        while True:
            with ledger.read() as conn:
                found = errands.due(conn, platform_ms(conn))
            if not found:
                return
            for each in found:
                self.points.begin()
                errands.run(self.runtime, ERRANDS, each.id)


def nursery(pipe: Pipe, place: Place, order: Path) -> None:
    """Hold the application; fork servers until the pipe ends."""
    points = Points(order)
    points.put_into()
    runtime = place.runtime()
    app = _Mortal(create_app(place.settings(), runtime), runtime, points)
    listening = socket.create_server(("127.0.0.1", 0), backlog=64)
    runtime.ledger._engine.dispose()
    runtime.ledger._reader.dispose()
    pipe.send(listening.getsockname()[1])
    while not pipe.poll():
        child = os.fork()
        if child == 0:
            _serve(app, listening)
        pipe.send(child)
        while os.waitpid(child, os.WNOHANG) == (0, 0):
            if pipe.poll(0.005):
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                return


def _serve(app: _Mortal, listening: socket.socket) -> None:
    host, port = listening.getsockname()
    server = make_server(host, port, app, threaded=True, fd=listening.fileno())
    server.serve_forever(poll_interval=0.02)
    os._exit(0)


# In the test.


@dataclass
class Server:
    """The address, how to arm a strike, and who died so far."""

    base: str
    order: Path
    _pipe: Pipe
    pids: list[int] = field(default_factory=list)

    def arm(self, point: str, what: str) -> None:
        self._hear()
        fresh = self.order.with_suffix(".new")
        fresh.write_text(f"{point} {what}", encoding="utf-8")
        fresh.replace(self.order)

    @property
    def is_armed(self) -> bool:
        return self.order.exists()

    @property
    def deaths(self) -> int:
        """Return how many servers have died so far."""
        self._hear()
        return max(0, len(self.pids) - 1)

    def _hear(self) -> None:
        """Take what the nursery has told; it stops when nobody has listened for some hundred births."""
        while self._pipe.poll():
            self.pids.append(self._pipe.recv())

    def work(self) -> None:
        """Let the worker run what is due, again if it dies of it."""
        persist(lambda: _answered("POST", self.base + WORK, b"", {}))

    def client(self, token: str) -> Client:
        return Client(self.base, token)


@contextmanager
def mortal_server(place: Place) -> Iterator[Server]:
    """Yield a server that can be struck."""
    ours, theirs = _context.Pipe()
    order = place.directory / "strike"
    process = _context.Process(target=nursery, args=(theirs, place, order))
    process.start()
    try:
        assert ours.poll(_PATIENCE_S), "the nursery does not begin"
        yield Server(f"http://127.0.0.1:{ours.recv()}", order, ours)
        ours.send("end")
        process.join(_PATIENCE_S)
    finally:
        process.kill()
        process.join()


def persist(act: Callable[[], Any]) -> Any:  # noqa: ANN401 - what the act returns
    """Return what an act returns, doing it again while the server dies under it."""
    done: list[Any] = []

    def attempt() -> bool:
        try:
            done.append(act())
        except (URLError, OSError, HTTPException, Unreachable):
            return False
        return True

    eventually(attempt, seconds=_PATIENCE_S)
    return done[-1]


@dataclass(frozen=True)
class Answer:
    """What a test asks of an answer, as of one of Flask's test client."""

    status_code: int
    data: bytes

    def get_json(self) -> Any:  # noqa: ANN401 - JSON
        return json.loads(self.data)


@dataclass(frozen=True)
class Client:
    """A client that sends the same bytes again until somebody answers; in place of Flask's test client."""

    base: str
    token: str

    def get(self, path: str) -> Answer:
        return self._ask("GET", path, None, {})

    def post(
        self,
        path: str,
        *,
        json: Mapping[str, Any] | None = None,
        data: bytes = b"",
        headers: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Answer:
        body = data if json is None else dumped(json)
        return self._ask("POST", path, body, {**(headers or {}), "Content-Type": content_type})

    def _ask(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        named = {**headers, "Authorization": f"Bearer {self.token}"}
        answer: Answer = persist(lambda: _answered(method, self.base + path, body, named))
        return answer


def dumped(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body).encode()


def _answered(method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
    request = Request(url, data=body, headers=dict(headers), method=method)  # noqa: S310 - this very machine
    try:
        with urlopen(request, timeout=_PATIENCE_S) as answer:  # noqa: S310 - as above
            return Answer(answer.status, answer.read())
    except HTTPError as error:
        with error:
            return Answer(error.code, error.read())
