"""The supervisor's intake as a worker reaches it: at its address, or as a folder that somebody carries (SB1 S7.6).

Only bytes pass here; what they say is checked by whoever asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import BinaryIO, Final, Protocol, cast
from urllib.parse import unquote, urlsplit

TIMEOUT_S: Final = 10.0  # without a byte; the list of a lot is asked for every few seconds until it comes


class IntakeAway(Exception):
    """The intake does not answer, refuses, or has nothing yet; asking again later may help."""


class IntakeLacks(Exception):
    """The intake answers, and does not have the part."""


class IntakeCarrier(Protocol):
    """Brings lists and parts from the intake."""

    def list_of(self, policy_sha256: str, question: bytes, limit: int) -> bytes:
        """Return the answer to the closer's question about the lot of a policy, of at most ``limit`` bytes.

        Raises:
            IntakeAway: There is none.
        """
        ...

    def part(self, sha256: str) -> AbstractContextManager[BinaryIO]:
        """Give the ciphertext of a part as a stream.

        Raises:
            IntakeLacks: The intake does not have it.
            IntakeAway: It cannot be had now, or not to its end.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeAddress:
    """The intake over HTTP; ``token`` is the platform's and stands in no message."""

    url: str
    token: str = field(repr=False)

    def list_of(self, policy_sha256: str, question: bytes, limit: int) -> bytes:
        """Return the answer to a question."""
        with self._asked("POST", f"/lists/{policy_sha256}", question) as answer:
            try:
                data = answer.read(limit + 1)
            except (OSError, HTTPException) as error:
                raise IntakeAway(repr(error)) from error
        if len(data) > limit:
            raise IntakeAway("an answer too long")
        return data

    @contextmanager
    def part(self, sha256: str) -> Iterator[BinaryIO]:
        """Give a part as it comes in."""
        with self._asked("GET", f"/parts/{sha256}", None) as answer:
            try:
                yield cast("BinaryIO", answer)
            except (OSError, HTTPException) as error:
                raise IntakeAway(repr(error)) from error

    @contextmanager
    def _asked(self, method: str, path: str, body: bytes | None) -> Iterator[HTTPResponse]:
        parts = urlsplit(self.url)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT_S)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        try:
            try:
                connection.request(method, parts.path.rstrip("/") + path, body, headers)
                answer = connection.getresponse()
            except (OSError, HTTPException) as error:
                raise IntakeAway(repr(error)) from error
            if answer.status == HTTPStatus.NOT_FOUND and method == "GET":
                raise IntakeLacks(path)
            if answer.status != HTTPStatus.OK:
                raise IntakeAway(f"status {answer.status}")
            yield answer
        finally:
            connection.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeFolder:
    """A folder that was carried over: ``<policy>.json``, ``parts/<sha256>.age``; ``mingbiao intake list`` writes it."""

    root: Path

    def list_of(self, policy_sha256: str, question: bytes, limit: int) -> bytes:
        """Return what was carried over for the lot of a policy; the question was asked by whoever carried it."""
        del question
        try:
            with (self.root / f"{policy_sha256}.json").open("rb") as file:
                data = file.read(limit + 1)
        except OSError as error:
            raise IntakeAway(f"nothing was carried over for {policy_sha256}") from error
        if len(data) > limit:
            raise IntakeAway("a list too long")
        return data

    @contextmanager
    def part(self, sha256: str) -> Iterator[BinaryIO]:
        """Give a part that was carried over."""
        try:
            with (self.root / "parts" / f"{sha256}.age").open("rb") as file:
                yield file
        except FileNotFoundError as error:
            raise IntakeLacks(sha256) from error


def carrier_of(url: str, token: str | None) -> IntakeCarrier:
    """Return who brings the lists from an ``https://`` address, or from a ``file:///folder`` without a connection."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        return IntakeFolder(root=Path(unquote(parts.path)))
    return IntakeAddress(url=url, token=token or "")
