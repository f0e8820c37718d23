"""What a service of object storage does with signed addresses, which the server of the tests leaves out.

It answers whoever asks, so a proxy in front of it refuses what is not signed, what is signed for something else, and
what is too late. This is the service's side of AWS Signature Version 4 in query parameters, and shares no code with
the library that signs.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl, quote, urlsplit

from tests.support.buckets import KEY, SECRET, Call
from trading.kernel.clock import SystemClock

CHECKSUM: Final = "x-amz-checksum-sha256"
_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_DATE: Final = "%Y%m%dT%H%M%SZ"


def now() -> datetime:
    """Return the time that the library signs, which knows no other clock."""
    return datetime.fromtimestamp(SystemClock().now_ms() / 1000, UTC)


def doorman(clock: Callable[[], datetime] = now) -> Callable[[Call], None]:
    """Return what refuses a request unless it is exactly what was signed; ``clock`` is the service's.

    A browser asks beforehand whether it may send (CORS), and signs nothing for that.
    """

    def look(call: Call) -> None:
        call.status = None if call.method == "OPTIONS" else _refusal(call, clock())

    return look


def _refusal(call: Call, now: datetime) -> HTTPStatus | None:
    parts = urlsplit(call.path)
    asked = dict(parse_qsl(parts.query, keep_blank_values=True))
    headers = {name.lower(): " ".join(value.split()) for name, value in call.headers.items()}
    signature = asked.pop("X-Amz-Signature", None)
    if signature is None or asked.get("X-Amz-Algorithm") != _ALGORITHM:
        return HTTPStatus.FORBIDDEN
    signed = asked["X-Amz-SignedHeaders"].split(";")
    if any(name.startswith("x-amz-") and name not in signed for name in headers) or not set(signed) <= set(headers):
        return HTTPStatus.FORBIDDEN
    begins = datetime.strptime(asked["X-Amz-Date"], _DATE).replace(tzinfo=UTC)
    if not begins <= now + timedelta(minutes=15) or now >= begins + timedelta(seconds=int(asked["X-Amz-Expires"])):
        return HTTPStatus.FORBIDDEN
    query = "&".join(f"{quote(name, safe='')}={quote(asked[name], safe='')}" for name in sorted(asked))
    lines = [f"{name}:{headers[name]}\n" for name in signed]
    request = "\n".join([call.method, parts.path, query, "".join(lines), ";".join(signed), "UNSIGNED-PAYLOAD"])
    if not hmac.compare_digest(_signature(request, asked), signature):
        return HTTPStatus.FORBIDDEN
    digest = b64encode(hashlib.sha256(call.body).digest()).decode()
    return HTTPStatus.BAD_REQUEST if headers.get(CHECKSUM, digest) != digest else None


def _signature(request: str, asked: dict[str, str]) -> str:
    key, *scope = asked["X-Amz-Credential"].split("/")
    assert key == KEY
    secret = f"AWS4{SECRET}".encode()
    for word in scope:
        secret = hmac.digest(secret, word.encode(), "sha256")
    digest = hashlib.sha256(request.encode()).hexdigest()
    text = "\n".join([_ALGORITHM, asked["X-Amz-Date"], "/".join(scope), digest])
    return hmac.digest(secret, text.encode(), "sha256").hex()
