"""The platform as the bidder's client sees it: SB1 S7.1 over HTTP, repeated until an answer comes.

Every call is idempotent, so a lost answer is cured by asking again. What the platform says is checked by others: this
module only fetches it.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import quote, urlsplit

from typing_extensions import override

from trading.kernel import canonical
from trading.kernel.errors import InvalidInput, MingbiaoError

_MAX_ANSWER: Final = 8 * 1024 * 1024
_AGAIN: Final = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
_LOCAL: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_LONGEST_PAUSE_S: Final = 30.0


class Unreachable(MingbiaoError):
    """No answer after all attempts. Whether the last one arrived is not known: ask again with the same bytes."""

    code = "platform.unreachable"


class Refused(MingbiaoError):
    """The platform answered with a refusal; ``body`` is the whole problem document."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        self.status = status
        self.body = dict(body)
        self.code = str(body.get("code") or f"http.{status}")
        super().__init__(self.code)

    def text(self, language: str) -> str:
        """Return the platform's own words in a language, or its detail."""
        return str(self.body.get(language) or self.body.get("detail") or self.body.get("title") or self.code)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Status and JSON object of a successful answer."""

    status: int
    body: dict[str, Any]


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the token to another address."""

    @override
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        return None


class Platform:
    """One platform with one bearer token.

    Args:
        base: Address without ``/api``; https, or http to this machine only.
        token: The bearer token; it stands in no message.
        attempts: How often a call is tried before ``Unreachable``.
        pause: Waits between attempts, in seconds.
        timeout_s: Time without progress after which one attempt is given up.
    """

    def __init__(
        self,
        base: str,
        token: str,
        *,
        attempts: int = 5,
        pause: Callable[[float], None] = time.sleep,
        timeout_s: float = 60.0,
    ) -> None:
        parts = urlsplit(base)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOCAL):
            raise InvalidInput("platform.not_https", f"{base}: only https, or http to this machine")
        self._base = base.rstrip("/")
        self._token = token
        self._attempts = attempts
        self._pause = pause
        self._timeout_s = timeout_s
        self._opener = urllib.request.build_opener(_NoRedirect)

    def start(self, tender: str, lot: str, stage: str) -> Answer:
        """Ask for the bid id of this bidder with policy package and schedule; the same id every time."""
        return self._json(f"/procedures/{_q(tender)}/lots/{_q(lot)}/bids", {"stage": stage})

    def put_part(self, bid: str, name: str, path: Path, sha256: str) -> Answer:
        """Store one encrypted part; content-addressed, so repeating it costs only time."""
        headers = {"Content-Type": "application/octet-stream", "X-Content-SHA256": sha256}
        size = path.stat().st_size
        return self._call(f"/bids/{_q(bid)}/parts?name={_q(name)}", lambda: path.open("rb"), size, headers)

    def begin_upload(self, bid: str, name: str, sha256: str, length: int) -> Answer:
        """Begin the upload of a part, or ask how far it has got: the answer is the same question's."""
        return self._json(f"/bids/{_q(bid)}/uploads", {"length": length, "name": name, "sha256": sha256})

    def append(self, bid: str, upload: str, offset: int, chunk: bytes, *, timeout_s: float) -> Answer:
        """Send one chunk once: after a cut it is not known whether it counts, so the caller asks before it repeats.

        Raises:
            Refused: Also with 409, when the upload has got elsewhere.
            Unreachable: No answer.
        """
        headers = {"Content-Type": "application/partial-upload", "Upload-Offset": str(offset)}
        path = f"/bids/{_q(bid)}/uploads/{_q(upload)}"
        try:
            return self._once(path, lambda: _Bytes(chunk), len(chunk), headers, method="PATCH", timeout_s=timeout_s)
        except (urllib.error.URLError, HTTPException, OSError) as error:
            raise Unreachable(f"{self._base}: {_reason(error)}") from error

    def post(self, bid: str, action: str, document: Mapping[str, Any]) -> Answer:
        """Send a document in its wire form: envelope, withdrawal, factor, rescue or rehearsal."""
        return self._json(f"/bids/{_q(bid)}/{action}", document)

    def receipt(self, h: str) -> Answer:
        """Fetch the best receipt there is for a record commitment."""
        return self._call(f"/receipts/{_q(h)}", None, 0, {})

    def tell_rounds(self, rounds: Sequence[Mapping[str, Any]]) -> Answer:
        """Tell what a synthetic bidder found; what was told before is passed over."""
        return self._json("/availability", {"rounds": [dict(each) for each in rounds]})

    def _json(self, path: str, body: Mapping[str, Any]) -> Answer:
        raw = canonical.dumps(dict(body))
        return self._call(path, lambda: _Bytes(raw), len(raw), {"Content-Type": "application/json"})

    def _call(
        self,
        path: str,
        body: Callable[[], AbstractContextManager[IO[bytes] | bytes]] | None,
        size: int,
        headers: dict[str, str],
    ) -> Answer:
        last: Exception = Unreachable("no attempt")
        for attempt in range(self._attempts):
            if attempt:
                self._pause(min(2.0 ** (attempt - 1), _LONGEST_PAUSE_S))
            try:
                return self._once(path, body, size, headers)
            except Refused as error:
                if error.status not in _AGAIN and error.status < HTTPStatus.INTERNAL_SERVER_ERROR:
                    raise
                last = error
            except (urllib.error.URLError, HTTPException, OSError) as error:
                last = error
        raise Unreachable(f"{self._base}: {_reason(last)}") from last

    def _once(
        self,
        path: str,
        body: Callable[[], AbstractContextManager[IO[bytes] | bytes]] | None,
        size: int,
        headers: dict[str, str],
        *,
        method: str = "POST",
        timeout_s: float | None = None,
    ) -> Answer:
        wait_s = self._timeout_s if timeout_s is None else timeout_s
        sent = {**headers, "Accept": "application/json", "Authorization": f"Bearer {self._token}"}
        url = f"{self._base}/api/v1{path}"
        if body is None:
            return self._open(urllib.request.Request(url, headers=sent), wait_s)  # noqa: S310 - the scheme was checked
        with body() as data:
            sent["Content-Length"] = str(size)
            return self._open(urllib.request.Request(url, data=data, headers=sent, method=method), wait_s)  # noqa: S310 - checked

    def _open(self, request: urllib.request.Request, timeout_s: float) -> Answer:
        try:
            with self._opener.open(request, timeout=timeout_s) as response:
                return Answer(status=response.status, body=_object(response.read(_MAX_ANSWER + 1)))
        except urllib.error.HTTPError as error:
            with error:
                raise Refused(error.code, _problem(error)) from None


class _Bytes:
    """Bytes in the shape of an opened file, for one request."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __enter__(self) -> bytes:
        return self._data

    def __exit__(self, *_exception: object) -> None:
        return None


def _q(text: str) -> str:
    return quote(text, safe="")


def _reason(error: Exception) -> str:
    return str(error.reason) if isinstance(error, urllib.error.URLError) else str(error) or type(error).__name__


def _object(raw: bytes) -> dict[str, Any]:
    if len(raw) > _MAX_ANSWER:
        raise Refused(HTTPStatus.OK, {"code": "platform.answer_too_large"})
    try:
        value = json.loads(raw)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise Refused(HTTPStatus.OK, {"code": "platform.answer_malformed"})
    return value


def _problem(error: urllib.error.HTTPError) -> dict[str, Any]:
    try:
        return _object(error.read(_MAX_ANSWER + 1))
    except (Refused, OSError, HTTPException):
        return {"title": error.reason}
