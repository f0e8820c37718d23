"""The time-stamping authority of a demonstration over HTTP (RFC 3161 3.4): one address, one request, one answer."""

from __future__ import annotations

import itertools
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

from typing_extensions import override

from trading.crypto.authority import Signer, answer, read_question
from trading.crypto.stamps import QUERY_TYPE, REPLY_TYPE
from trading.kernel.clock import Clock
from trading.kernel.errors import InvalidInput

MAX_REQUEST = 4_096
_PATIENCE_S = 5.0


class StampServer(ThreadingHTTPServer):
    """Answers requests with the key of ``signer`` and the time of ``clock``."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], signer: Signer, clock: Clock) -> None:
        super().__init__(address, _Handler)
        self._signer = signer
        self._clock = clock
        self._serials = itertools.count(clock.now_ms())  # a serial number never stands twice, also after a restart

    def stamp(self, request: bytes) -> bytes:
        """Return the answer to a request, both in DER.

        Raises:
            InvalidInput: Not a request.
        """
        return answer(self._signer, read_question(request), serial=next(self._serials), at_ms=self._clock.now_ms())


class _Handler(BaseHTTPRequestHandler):
    timeout: ClassVar[float | None] = _PATIENCE_S
    server: StampServer  # type: ignore[mutable-override] # socketserver types the attribute, not the class

    def do_POST(self) -> None:
        """Stamp."""
        length = self.headers.get("Content-Length", "")
        if self.headers.get_content_type() != QUERY_TYPE or not length.isdigit() or int(length) > MAX_REQUEST:
            self.send_error(HTTPStatus.BAD_REQUEST)
            return
        try:
            data = self.server.stamp(self.rfile.read(int(length)))
        except InvalidInput:
            self.send_error(HTTPStatus.BAD_REQUEST)
            return
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", REPLY_TYPE)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the platform tells what it was answered."""
