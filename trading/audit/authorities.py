"""Time-stamping authorities as a worker reaches them: RFC 3161 over HTTP (RFC 3161 3.4).

An authority is the outside world: it may be slow, wrong or away. One question takes at most ``TIMEOUT_S``.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Final
from urllib.parse import urlsplit

from trading.crypto.stamps import MAX_ANSWER, QUERY_TYPE, REPLY_TYPE
from trading.kernel.encoding import b64

TIMEOUT_S: Final = 3.0
_BLOCK: Final = 8_192


class AuthorityUnreachable(Exception):
    """No usable answer within the time-out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """An authority by the name that the trust file gives it, its address, and ``user:password`` if it asks for one."""

    name: str
    url: str
    credentials: str | None = field(default=None, repr=False)

    def ask(self, request: bytes, *, seconds: float = TIMEOUT_S) -> bytes:
        """Return the answer to a request, both in DER; what it says is not looked at.

        Raises:
            AuthorityUnreachable: No connection, no answer in time, or not the answer of an authority.
        """
        ends = time.monotonic() + seconds
        parts = urlsplit(self.url)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        connection = kind(parts.hostname or "", parts.port)
        try:
            connected = socket.create_connection((connection.host, connection.port), seconds)
            with connected, _ended_after(seconds, connected):
                connection.sock = connected if kind is HTTPConnection else _encrypted(connected, connection.host)
                connection.request("POST", self._target, request, self._headers)
                with connection.getresponse() as answer:
                    return _body(answer, ends)
        except (OSError, HTTPException) as error:
            raise AuthorityUnreachable(repr(error)) from error
        finally:
            connection.close()

    @property
    def _headers(self) -> dict[str, str]:
        if self.credentials is None:
            return {"Content-Type": QUERY_TYPE}
        return {"Content-Type": QUERY_TYPE, "Authorization": f"Basic {b64(self.credentials.encode())}"}  # RFC 7617

    @property
    def _target(self) -> str:
        parts = urlsplit(self.url)
        return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


@contextmanager
def _ended_after(seconds: float, connected: socket.socket) -> Iterator[None]:
    """End a connection from outside: the time-out of a socket begins anew with every byte that a server drips."""
    handle = connected.dup()  # TLS takes the socket itself over
    timer = threading.Timer(seconds, _shut, (handle,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        handle.close()


def _shut(handle: socket.socket) -> None:
    with suppress(OSError):  # the other side has ended it already
        handle.shutdown(socket.SHUT_RDWR)


def _encrypted(connected: socket.socket, host: str) -> socket.socket:
    return ssl.create_default_context().wrap_socket(connected, server_hostname=host)


def _body(answer: HTTPResponse, ends: float) -> bytes:
    kind = (answer.getheader("Content-Type") or "").partition(";")[0].strip().lower()
    if answer.status != HTTPStatus.OK or kind != REPLY_TYPE:
        raise AuthorityUnreachable(f"status {answer.status}, {kind or 'no type'}")
    data = b""
    while block := answer.read1(_BLOCK):
        data += block
        if len(data) > MAX_ANSWER:
            raise AuthorityUnreachable("an answer too long")
    if answer.length or time.monotonic() >= ends:  # without a length, its end and ours look alike
        raise AuthorityUnreachable("an answer too slow")
    return data


def parse_authorities(text: str, credentials: Mapping[str, str]) -> tuple[Authority, ...]:
    """Return the authorities of a list ``name=URL name=URL``, as the setting ``TIME_STAMPS`` holds it.

    Args:
        text: The list.
        credentials: ``user:password`` by name, of those that ask for it.
    """
    pairs = (word.partition("=") for word in text.split())
    return tuple(Authority(name=name, url=url, credentials=credentials.get(name)) for name, _, url in pairs)
