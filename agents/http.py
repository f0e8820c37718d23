"""The few HTTP calls of the offline agents: JSON and bytes over TLS, or over plain HTTP to this very machine.

Nothing rests on the transport: what arrives is checked as hostile, what leaves is signed or encrypted (SB1 S13.3).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from typing_extensions import override

from trading.kernel.errors import InvalidInput, MingbiaoError

TIMEOUT_S: Final = 30.0
MAX_JSON: Final = 64 * 1024 * 1024
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_CHUNK: Final = 1024 * 1024


class Unreachable(MingbiaoError):
    """The other side did not answer, or answered something that is no answer; trying again may help."""

    code = "http.unreachable"


class Refused(MingbiaoError):
    """The other side said no: an HTTP status with a code of its own."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail


class _NoRedirect(HTTPRedirectHandler):
    """A redirect would carry the authorisation to another host."""

    @override
    def redirect_request(self, *_args: object, **_options: object) -> None:
        return None


_OPENER: Final = build_opener(_NoRedirect())


def require_base(url: str) -> str:
    """Return the base address without a final slash: https, or http to a loopback address.

    Raises:
        InvalidInput: ``http.bad_address``.
    """
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return url.rstrip("/")
    if parts.scheme == "http" and parts.hostname in _LOOPBACK:
        return url.rstrip("/")
    raise InvalidInput("http.bad_address", f"{url} is neither https nor on this machine")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A successful answer."""

    status: int
    body: bytes = field(repr=False)

    def json(self) -> Any:  # noqa: ANN401 - whatever the other side sent; the caller checks it
        """Return the body as JSON.

        Raises:
            Unreachable: It is not JSON.
        """
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise Unreachable("the answer is not JSON") from error


def call(
    method: str, url: str, *, authorization: str, body: Mapping[str, Any] | None = None, limit: int = MAX_JSON
) -> Answer:
    """Make one call and return its answer.

    Args:
        method: ``GET`` or ``POST``.
        url: Built on a base of ``require_base``.
        authorization: Value of that header; it is never part of a message.
        body: Sent as JSON.
        limit: Largest answer that is read, in bytes.

    Raises:
        Refused: Any status of 400 and above.
        Unreachable: No answer, a redirect, or an answer above the limit.
    """
    headers = {"Authorization": authorization, "Accept": "application/json"}
    data = None
    if body is not None:
        data = json.dumps(body, ensure_ascii=False).encode()
        headers["Content-Type"] = "application/json"
    request = Request(url, data=data, headers=headers, method=method)  # noqa: S310 - require_base allows http(s) only
    try:
        with _OPENER.open(request, timeout=TIMEOUT_S) as response:
            content = _read(response, limit)
            status: int = response.status
    except HTTPError as error:
        raise _refusal(error) from error
    except (URLError, OSError) as error:
        raise Unreachable(f"{urlsplit(url).netloc} does not answer") from error
    return Answer(status=status, body=content)


def save(url: str, target: Path, *, authorization: str, limit: int) -> str:
    """Download into a new file in constant memory and return its hex SHA-256.

    Raises:
        Refused: Any status of 400 and above; no file is left.
        Unreachable: No answer, a redirect, a broken stream, or more than ``limit`` bytes; no file is left.
    """
    request = Request(url, headers={"Authorization": authorization})  # noqa: S310 - require_base allows http(s) only
    digest, size = hashlib.sha256(), 0
    try:
        with _OPENER.open(request, timeout=TIMEOUT_S) as response, target.open("xb") as file:
            target.chmod(0o600)
            while chunk := response.read(_CHUNK):
                size += len(chunk)
                if size > limit:
                    raise Unreachable(f"the answer is larger than {limit} bytes")
                digest.update(chunk)
                file.write(chunk)
    except HTTPError as error:
        raise _refusal(error) from error
    except (URLError, OSError, Unreachable) as error:
        target.unlink(missing_ok=True)
        raise Unreachable(f"{urlsplit(url).netloc}: the download failed") from error
    return digest.hexdigest()


def _read(response: Any, limit: int) -> bytes:  # noqa: ANN401 - urllib's response has no public type
    content = bytearray()
    while chunk := response.read(_CHUNK):
        content += chunk
        if len(content) > limit:
            raise Unreachable(f"the answer is larger than {limit} bytes")
    return bytes(content)


def _refusal(error: HTTPError) -> MingbiaoError:
    with error:
        raw = error.read(_CHUNK)
    if error.code < HTTPStatus.BAD_REQUEST:
        return Unreachable(f"an unexpected redirect ({error.code})")
    try:
        body = json.loads(raw)
        return Refused(error.code, str(body["code"])[:100], str(body.get("detail", ""))[:1000])
    except (ValueError, TypeError, KeyError, AttributeError):
        return Refused(error.code, f"http.{error.code}", "")
