"""A real server of object storage as a process of its own, and a proxy in front of it that fails on demand."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any, Final
from urllib.parse import urlsplit

from typing_extensions import override

from trading.config import Place
from trading.storage.bucket import Bucket

BUCKET: Final = "mingbiao"
KEY, SECRET = "a-key", "the-secret-half"
# The least size of a part: tests of many parts need not move many megabytes.
_SMALL_PARTS: Final = {"S3_UPLOAD_PART_MIN_SIZE": "1", "MOTO_S3_DEFAULT_KEY_BUFFER_SIZE": "1048576"}


@dataclass
class Call:
    """A request on its way; what happens to it may be changed."""

    number: int
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    is_lost: bool = False  # it does not arrive
    is_unanswered: bool = False  # it arrives and has its effect, but the answer gets lost
    status: HTTPStatus | None = None  # it is refused


def _nothing(_call: Call) -> None:
    """Let a request pass."""


@dataclass
class Way:
    """What a proxy does with each request before it goes on, and what is looked at after each that arrived."""

    before: Callable[[Call], None] = _nothing
    after: Callable[[Call], None] = _nothing
    calls: list[Call] = field(default_factory=list)


@dataclass
class S3Server:
    """A running server with one bucket that anybody may read and nobody may list, and a detour to it.

    Making a client costs a tenth of a second, so those of one endpoint share theirs.
    """

    endpoint: str
    detour: str
    way: Way
    _prefixes: Iterator[int] = field(default_factory=count)
    _made: dict[tuple[bool, int], Bucket] = field(default_factory=dict)

    def prefix(self) -> str:
        """Return a folder of the bucket that nobody has used."""
        return f"test{next(self._prefixes)}/"

    def bucket(self, prefix: str | None = None, *, by_detour: bool = False, attempts: int = 1) -> Bucket:
        """Return a folder of the bucket, a new one unless it is named."""
        if (by_detour, attempts) not in self._made:
            place = place_at(self.detour if by_detour else self.endpoint)
            self._made[by_detour, attempts] = Bucket(place, attempts=attempts)
        found = copy(self._made[by_detour, attempts])
        found._prefix = self.prefix() if prefix is None else prefix
        return found

    def outside(self, prefix: str | None = None) -> Bucket:
        """Return a folder of the bucket that readers and senders reach over the detour."""
        place = place_at(self.endpoint, self.prefix() if prefix is None else prefix)
        return Bucket(replace(place, outside=self.detour), attempts=1)

    def url(self, prefix: str) -> str:
        """Return the address under which anybody reads what lies in a folder."""
        return f"{self.endpoint}/{BUCKET}/{prefix}".rstrip("/")

    @contextmanager
    def on(self, way: Way) -> Iterator[Way]:
        """Let requests over the detour take this way."""
        self.way.before, self.way.after, self.way.calls = way.before, way.after, way.calls
        yield way
        self.way.before = self.way.after = _nothing

    def make_bucket(self) -> None:
        client: Any = self.bucket()._client
        client.create_bucket(Bucket=BUCKET)
        resource = f"arn:aws:s3:::{BUCKET}/*"
        readable = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": resource}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [readable]})
        client.put_bucket_policy(Bucket=BUCKET, Policy=policy)


def place_at(endpoint: str, prefix: str = "") -> Place:
    """Return a place in the bucket."""
    return Place(
        bucket=BUCKET, prefix=prefix, endpoint=endpoint, region="us-east-1", style="path", key=KEY, secret=SECRET
    )


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """Start server and detour on free ports of the loopback interface."""
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    environment = os.environ | _SMALL_PARTS
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        found = next(filter(None, (re.search(r"http://127\.0\.0\.1:\d+", line) for line in process.stderr)))
        drain = threading.Thread(target=process.stderr.read)  # it tells of every request
        drain.start()
        way = Way()
        try:
            with proxy(found[0], way) as detour:
                server = S3Server(found[0], detour, way)
                server.make_bucket()
                yield server
        finally:
            process.terminate()
            drain.join()


@contextmanager
def proxy(endpoint: str, way: Way) -> Iterator[str]:
    """Yield the endpoint of a proxy in front of the server."""
    target = urlsplit(endpoint)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            call = Call(len(way.calls) + 1, self.command, self.path, dict(self.headers.items()), body)
            way.calls.append(call)
            way.before(call)
            if call.status is not None:
                self.answer(call.status, {}, b"")
                return
            if call.is_lost:
                self.hang_up()
                return
            connection = HTTPConnection(target.hostname or "", target.port or 0)
            call.headers["Content-Length"] = str(len(call.body))
            connection.request(call.method, call.path, call.body, call.headers)
            found = connection.getresponse()
            data = found.read()
            connection.close()
            way.after(call)
            if call.is_unanswered:
                self.hang_up()
            else:
                self.answer(found.status, dict(found.getheaders()), data)

        def answer(self, status: int, headers: dict[str, str], data: bytes) -> None:
            self.send_response_only(status)
            length = headers.get("Content-Length") if self.command == "HEAD" else str(len(data))
            for name, value in {**headers, "Content-Length": length or "0"}.items():
                if name.lower() not in {"connection", "transfer-encoding", "date", "server"}:
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def hang_up(self) -> None:
            self.close_connection = True

        @override
        def log_message(self, format: str, *args: object) -> None:
            del format, args

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = do_OPTIONS = pass_on  # noqa: N815 - the names of the library

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        @override
        def handle_error(self, request: object, client_address: object) -> None:
            """Clients that are gone are no news."""

    running = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{running.server_port}"
    finally:
        with suppress(OSError):
            running.shutdown()
            thread.join()
            running.server_close()
