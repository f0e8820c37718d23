"""Signed addresses in a bucket: for one act on one object, for some minutes, without the platform (ADR 0062).

Whoever has such an address can do what it says and nothing else: everything that matters is in its signature.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from typing import Any, Final

from botocore.config import Config

from trading.config import Place
from trading.storage.objects import Saved

READING_S: Final = 300  # a download that has begun goes on
WRITING_S: Final = 900  # 8 MiB at 75 kbit/s


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """Where to send one object with PUT, and the headers that must come with it."""

    url: str
    headers: dict[str, str]


class Outside:
    """Signs addresses of a bucket as readers and senders reach it. Nothing is asked of the service."""

    def __init__(self, session: Any, place: Place) -> None:  # noqa: ANN401 - the library has no types
        """Sign for ``place``; ``session`` is the library's, shared by the clients of a process."""
        config = Config(
            signature_version="s3v4",
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": place.style},
        )
        self._client = session.client(
            "s3",
            endpoint_url=place.outside,
            region_name=place.region,
            aws_access_key_id=place.key,
            aws_secret_access_key=place.secret,
            config=config,
        )
        self._bucket = place.bucket

    def reading(self, key: str, saved: Saved) -> str:
        """Return an address for GET: the answer is an attachment of that type, which nothing on the way keeps."""
        return self._signed(
            "get_object",
            READING_S,
            Key=key,
            ResponseCacheControl="private, no-store",
            ResponseContentDisposition=saved.disposition,
            ResponseContentType=saved.media,
        )

    def _signed(self, act: str, seconds: int, **details: object) -> str:
        parameters = {"Bucket": self._bucket, **details}
        return str(self._client.generate_presigned_url(act, Params=parameters, ExpiresIn=seconds))
