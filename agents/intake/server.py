"""The intake over HTTP, on the standard library: paths, limits and framing; every decision is the office's.

Bidders: ``POST /envelopes``, ``PUT /parts/<sha256>``, ``GET /receipts/<envelope_sha256>``. With the platform's token:
``POST /lists/<policy_sha256>``, ``GET /parts/<sha256>``. TLS is a proxy's work.
"""

from __future__ import annotations

import hmac
import logging
import re
import time
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from io import RawIOBase
from typing import Any, BinaryIO, ClassVar, Final, cast

from typing_extensions import override

from agents.bounded import BoundedServer
from agents.intake.office import Office, PartsMissing
from agents.intake.requests import MAX_REQUEST
from trading.kernel.canonical import dumps
from trading.kernel.errors import InvalidInput, MingbiaoError, NotFound, RuleBroken
from trading.storage.objects import MAX_PART

LOG = logging.getLogger("mingbiao.intake")
_PATH: Final = re.compile(r"/(envelopes|parts|receipts|lists)(?:/([0-9a-f]{64}))?\Z")
_CHUNK: Final = 1024 * 1024


class IntakeServer(BoundedServer):
    """The front of one office."""

    request_queue_size = 128
    log = LOG

    def __init__(self, address: tuple[str, int], office: Office, token: str, *, connections: int = 128) -> None:
        self.office = office
        self.token = token
        super().__init__(address, _Handler, connections)


class _Body(RawIOBase):
    """The body of one request, and not a byte more."""

    def __init__(self, source: BinaryIO, length: int) -> None:
        self._source, self._left = source, length

    @override
    def read(self, size: int = -1) -> bytes:
        wanted = self._left if size < 0 else min(size, self._left)
        data = self._source.read(wanted)
        self._left -= len(data)
        return data


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout: ClassVar[float | None] = 60.0  # s without a byte, also between requests of one connection
    disable_nagle_algorithm = True
    wbufsize = 64 * 1024
    server: IntakeServer  # type: ignore[mutable-override] # socketserver types the attribute, not the class

    def do_GET(self) -> None:
        """Serve who this is, a receipt, or a part to the platform."""
        name, digest = self._where()
        if self.path == "/":
            own = self.server.office.own
            self._send(HTTPStatus.OK, {"origin": own.origin, "vkey": own.vkey})
        elif name == "receipts" and digest:
            self._answer(lambda: (HTTPStatus.OK, self.server.office.receipt(digest)))
        elif name == "parts" and digest:
            self._part(digest)
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "http.not_found")

    def do_POST(self) -> None:
        """Take an envelope, or tell the list of a lot."""
        name, digest = self._where()
        length = self._length(MAX_REQUEST)
        if length is None:
            return
        raw, last_byte = self.rfile.read(length), time.monotonic()
        if len(raw) < length:
            self.close_connection = True
        elif name == "envelopes" and digest is None:
            self._answer(lambda: self._take(raw, last_byte))
        elif name == "lists" and digest:
            if self._is_platform():
                self._answer(lambda: (HTTPStatus.OK, self.server.office.list_of(digest, raw)))
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "http.not_found")

    def do_PUT(self) -> None:
        """Store a part."""
        name, digest = self._where()
        length = self._length(MAX_PART)
        if length is None:
            return
        self.close_connection = True  # a part that is refused is not read to its end
        if name == "parts" and digest:
            source = cast("BinaryIO", _Body(cast("BinaryIO", self.rfile), length))
            self._answer(lambda: self._store(digest, length, source))
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "http.not_found")

    def _take(self, raw: bytes, last_byte: float) -> tuple[HTTPStatus, Mapping[str, Any]]:
        answer, repeated = self.server.office.take(raw, last_byte)
        return HTTPStatus.OK if repeated else HTTPStatus.CREATED, answer

    def _store(self, digest: str, length: int, source: BinaryIO) -> tuple[HTTPStatus, Mapping[str, Any]]:
        self.server.office.store(digest, length, source)
        return HTTPStatus.CREATED, {"sha256": digest, "size": length}

    def _part(self, digest: str) -> None:
        if not self._is_platform():
            return
        parts = self.server.office.parts
        size = parts.stat(digest)
        if size is None:
            self._refuse(HTTPStatus.NOT_FOUND, "http.not_found")
            return
        self._head(HTTPStatus.OK, "application/octet-stream", size)
        for chunk in parts.chunks(digest):
            self.wfile.write(chunk)

    def _answer(self, act: Any) -> None:  # noqa: ANN401 - a callable that gives status and object
        """Run one act of the office; a refusal is told with its code."""
        try:
            status, told = act()
        except PartsMissing as error:
            self._refuse(HTTPStatus.CONFLICT, error.code, missing=error.names)
        except NotFound as error:
            self._refuse(HTTPStatus.NOT_FOUND, error.code)
        except (InvalidInput, RuleBroken) as error:
            facts = {name: value for name, value in error.facts.items() if isinstance(value, int)}
            self._refuse(HTTPStatus.UNPROCESSABLE_ENTITY, error.code, **facts)
        except MingbiaoError:
            LOG.exception("an act of the intake failed")
            self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, "intake.fault")
        else:
            self._send(status, told)

    def _where(self) -> tuple[str, str | None]:
        found = _PATH.match(self.path)
        return (found.group(1), found.group(2)) if found else ("", None)

    def _is_platform(self) -> bool:
        given = self.headers.get("Authorization", "")
        if hmac.compare_digest(given.encode(), f"Bearer {self.server.token}".encode()):
            return True
        self._refuse(HTTPStatus.UNAUTHORIZED, "http.unauthorized")
        return False

    def _length(self, limit: int) -> int | None:
        text = self.headers.get("Content-Length", "")
        if not text.isascii() or not text.isdigit() or "Transfer-Encoding" in self.headers:
            self.close_connection = True
            self._refuse(HTTPStatus.LENGTH_REQUIRED, "http.length_required")
            return None
        if len(text) > len(str(limit)) or int(text) > limit:
            self.close_connection = True
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "http.too_large")
            return None
        return int(text)

    def _refuse(self, status: HTTPStatus, code: str, **facts: object) -> None:
        self._send(status, {"code": code, **facts})

    def _send(self, status: HTTPStatus, told: Mapping[str, Any]) -> None:
        raw = dumps(dict(told))
        self._head(status, "application/json", len(raw))
        self.wfile.write(raw)

    def _head(self, status: HTTPStatus, kind: str, length: int) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()

    @override
    def version_string(self) -> str:
        """Return the server's name without versions."""
        return "mingbiao-intake"

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing about requests: who hands over what is nobody's business before the opening."""
