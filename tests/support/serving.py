"""A web server in a thread, for browsers and clients of the tests."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from flask import Flask
from werkzeug.serving import make_server
from werkzeug.wsgi import ClosingIterator

if TYPE_CHECKING:
    from _typeshed import OptExcInfo
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

NO_BODY = ("204", "304")  # an answer with such a status may still hold a file


@contextmanager
def serving(app: Flask) -> Iterator[str]:
    """Serve the application on a free port of the loopback interface; yield its address."""
    server = make_server("127.0.0.1", 0, read_first(app), threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def read_first(app: WSGIApplication) -> WSGIApplication:
    """Read and close an answer before it is sent: the server leaves it open when the browser hangs up before its end.

    An answer without a length is sent as it comes; a stream of events has no end.
    """

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        told: list[tuple[str, list[str]]] = []

        def start(
            status: str, headers: list[tuple[str, str]], error: OptExcInfo | None = None, /
        ) -> Callable[[bytes], object]:
            told.append((status, [name.lower() for name, _ in headers]))
            return start_response(status, headers, error)

        body = ClosingIterator(app(environ, start))
        status, names = told[-1]
        if "content-length" not in names and not status.startswith(NO_BODY):
            return body
        with closing(body):
            return [b"".join(body)]

    return answer
