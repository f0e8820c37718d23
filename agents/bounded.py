"""An HTTP server of the standard library that a hostile client cannot make grow."""

from __future__ import annotations

import logging
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET6, socket
from socketserver import TCPServer
from threading import BoundedSemaphore
from typing import Any, ClassVar

from typing_extensions import override


class BoundedServer(ThreadingHTTPServer):
    """Threaded HTTP/1.1; surplus connections are closed, so hostile clients cost bounded memory."""

    daemon_threads = True
    log: ClassVar[logging.Logger]

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler], connections: int) -> None:
        self._slots = BoundedSemaphore(connections)
        if ":" in address[0]:
            self.address_family = AF_INET6
        super().__init__(address, handler)

    @override
    def server_bind(self) -> None:
        """Bind without asking the name service who we are, which may hang for minutes on a closed network."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    @override
    def process_request(self, request: Any, client_address: Any) -> None:
        """Give the connection a thread, or close it if all slots are taken."""
        if not self._slots.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._slots.release()
            raise

    @override
    def process_request_thread(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:
        """Serve one connection and free its slot."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    @override
    def handle_error(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:
        """Log a broken connection in one line; a defect of ours with its trace."""
        if isinstance(sys.exception(), OSError):
            self.log.info("a connection broke")
        else:
            self.log.exception("a connection ended with a defect")  # noqa: LOG004 - socketserver calls this while handling
