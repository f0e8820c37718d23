"""One witness over HTTP: ``add-checkpoint`` and its monitoring address (AL1 L7.2, L5.3)."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Sequence
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Final
from urllib.parse import urlsplit

from trading.audit.rules.cosigning import MAX_ANSWER, NOTE_TYPE, Answer, add_checkpoint_body, parse_answer
from trading.audit.rules.note import Checkpoint, VerifierKey, parse_checkpoint_text, parse_note
from trading.audit.rules.policy import Policy
from trading.kernel.errors import InvalidInput

TIMEOUT_S: Final = 2.0
_OK, _NOT_FOUND, _SERVER_ERROR = 200, 404, 500


class WitnessUnreachable(Exception):
    """No usable answer within the time-out."""


class WitnessClient:
    """One witness: its keys in our policy, its address, one kept-alive connection, the size it is known to hold."""

    def __init__(self, url: str, names: tuple[str, ...], keys: tuple[VerifierKey, ...]) -> None:
        self.names = names
        self.keys = keys
        self.known = 0
        self._url = urlsplit(url)
        self._connection: HTTPConnection | None = None

    def add_checkpoint(self, old: int, proof: Sequence[bytes], note: bytes) -> Answer:
        """Ask for a cosignature.

        Raises:
            WitnessUnreachable: No answer, or one that is not of the protocol.
        """
        body = add_checkpoint_body(old, proof, note)
        status, kind, data = self._request("POST", "/add-checkpoint", body)
        try:
            return parse_answer(status, kind, data)
        except InvalidInput as error:
            raise WitnessUnreachable(str(error)) from error

    def checkpoint(self, origin: str) -> Checkpoint | None:
        """Return the checkpoint that the witness holds for ``origin``, or None if it holds or shows none.

        Raises:
            WitnessUnreachable: No answer, or one that is not of the protocol.
        """
        name = hashlib.sha256(origin.encode()).hexdigest()
        status, _, data = self._request("GET", f"/{name}/checkpoint", None)
        if status == _NOT_FOUND:
            return None
        try:
            if status != _OK:
                raise WitnessUnreachable(f"status {status}")
            return parse_checkpoint_text(parse_note(data).text)
        except InvalidInput as error:
            raise WitnessUnreachable(str(error)) from error

    def close(self) -> None:
        """Drop the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _request(self, method: str, path: str, body: bytes | None) -> tuple[int, str | None, bytes]:
        fresh = self._connection is None
        try:
            return self._exchange(method, path, body)
        except (OSError, HTTPException) as error:
            self.close()
            if fresh or isinstance(error, TimeoutError):
                raise WitnessUnreachable(repr(error)) from error
        try:  # the witness may have closed the kept-alive connection since the last round
            return self._exchange(method, path, body)
        except (OSError, HTTPException) as error:
            self.close()
            raise WitnessUnreachable(repr(error)) from error

    def _exchange(self, method: str, path: str, body: bytes | None) -> tuple[int, str | None, bytes]:
        if self._connection is None:
            self._connection = self._connect()
        headers = {} if body is None else {"Content-Type": NOTE_TYPE}
        self._connection.request(method, self._url.path.rstrip("/") + path, body, headers)
        answer = self._connection.getresponse()
        data = answer.read(MAX_ANSWER + 1)
        if answer.will_close or len(data) > MAX_ANSWER or answer.status >= _SERVER_ERROR:
            self.close()
        return answer.status, answer.getheader("Content-Type"), data

    def _connect(self) -> HTTPConnection:
        host, port = self._url.hostname or "", self._url.port
        if self._url.scheme == "https":
            return HTTPSConnection(host, port, timeout=TIMEOUT_S, context=ssl.create_default_context())
        return HTTPConnection(host, port, timeout=TIMEOUT_S)


def clients_of(policy: Policy) -> list[WitnessClient]:
    """Return one client for each address; a witness with keys of two types is asked once."""
    by_url: dict[str, list[tuple[str, VerifierKey]]] = {}
    for witness in policy.witnesses:
        if witness.url is not None:
            by_url.setdefault(witness.url, []).append((witness.name, witness.key))
    return [
        WitnessClient(url, tuple(name for name, _ in members), tuple(key for _, key in members))
        for url, members in by_url.items()
    ]
