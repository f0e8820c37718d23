"""Signed addresses in a bucket: for one act on one object, for some minutes, without the platform (ADR 0062).

Whoever has such an address can do what it says and nothing else: everything that matters is in its signature.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any, Final
from urllib.parse import urlsplit

from trading.storage.objects import Saved
from trading.storage.pieces import Destination

READING_S: Final = 300  # a download that has begun goes on
WRITING_S: Final = 900  # 8 MiB at 75 kbit/s


class Outside:
    """Signs addresses of a bucket as readers and senders reach it. Nothing is asked of the service."""

    def __init__(self, client: Any, bucket: str) -> None:  # noqa: ANN401 - the library has no types
        """Sign with ``client``, which names the bucket's service as it is reached from outside."""
        self._client, self._bucket = client, bucket
        reached = urlsplit(self._signed("head_bucket", 1))
        self.origin = f"{reached.scheme}://{reached.netloc}"  # the bucket's name may stand in the host

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

    def writing(self, key: str, size: int, sha256: str) -> Destination:
        """Return where one object of ``size`` bytes with this SHA-256 (hex) is put, if none is there.

        The service refuses other bytes, and a second time.
        """
        checksum = b64encode(bytes.fromhex(sha256)).decode()
        url = self._signed(
            "put_object", WRITING_S, Key=key, ChecksumSHA256=checksum, ContentLength=size, IfNoneMatch="*"
        )
        return Destination(url=url, headers={"If-None-Match": "*", "x-amz-checksum-sha256": checksum})

    def _signed(self, act: str, seconds: int, **details: object) -> str:
        parameters = {"Bucket": self._bucket, **details}
        return str(self._client.generate_presigned_url(act, Params=parameters, ExpiresIn=seconds))
