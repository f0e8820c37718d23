"""One place in S3-compatible object storage: named bytes, written whole or not at all, each write on a condition.

What is there is replaced only by whoever names the version that he has seen; everything else is create-only. Importing
this module loads a large library, so only processes with a bucket in their settings do.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import Any, BinaryIO, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from typing_extensions import override

from trading.config import ConfigError, Place
from trading.kernel.errors import Conflict, IntegrityFailure
from trading.storage.objects import CHUNK, StoreAway
from trading.storage.outside import Outside

ATTEMPTS: Final = 3  # of one request; the library repeats what failed on the way or with a 5xx
PART: Final = 16 * 1024 * 1024  # bytes; 20 GiB are 1 280 of at most 10 000 parts
_CONNECT_S: Final = 5
_READ_S: Final = 30
_CONNECTIONS: Final = 64  # threads of a web process
_REFUSED: Final = frozenset({HTTPStatus.PRECONDITION_FAILED, HTTPStatus.CONFLICT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """How objects of one kind are handed out."""

    media: str
    cache: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """An object as it was read; ``etag`` names exactly this version."""

    data: bytes
    etag: str


class Bucket:
    """Objects below the prefix of a place. Every method raises ``StoreAway`` when the service does not do it."""

    def __init__(self, place: Place, *, attempts: int = ATTEMPTS) -> None:
        """Make the client; nothing is connected yet. It may be used by many threads, but not across a fork."""
        self._bucket, self._prefix = place.bucket, place.prefix
        # Checksums of newer dialects only where the protocol demands them: other services refuse them. The SHA-256 of
        # a body is in the signature instead, so the service refuses what changed on the way.
        config = Config(
            connect_timeout=_CONNECT_S,
            read_timeout=_READ_S,
            max_pool_connections=_CONNECTIONS,
            retries={"mode": "standard", "total_max_attempts": attempts},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": place.style, "payload_signing_enabled": True},
        )
        self._client = _client(place, place.endpoint, config)
        # A client of its own: whoever signs an address does not have the body.
        signing = Config(
            signature_version="s3v4",
            request_checksum_calculation="when_required",
            s3={"addressing_style": place.style},
        )
        self.outside = Outside(_client(place, place.outside, signing), place.bucket) if place.outside else None

    def folder(self, name: str) -> Bucket:
        """Return the folder ``name`` below the prefix, over the same client."""
        found = copy(self)
        found._prefix = f"{self._prefix}{name}/"  # noqa: SLF001 - its own copy
        return found

    def key(self, name: str) -> str:
        """Return how the service calls an object."""
        return self._prefix + name

    def read(self, name: str) -> Version | None:
        """Return an object that fits into memory, or None if there is none."""
        with self._asking("get", name):
            found = self._get(name)
            return None if found is None else Version(data=found["Body"].read(), etag=found["ETag"])

    def chunks(self, name: str) -> Iterator[bytes] | None:
        """Return the bytes of a large object piece by piece, or None if there is none."""
        with self._asking("get", name):
            found = self._get(name)
        return None if found is None else self._stream(name, found["Body"])

    def size(self, name: str) -> int | None:
        """Return the size of an object in bytes, or None if there is none."""
        found = self._head(name)
        return None if found is None else int(found["ContentLength"])

    def stored_at(self, name: str) -> int | None:
        """Return when the service took an object, in ms of its clock (whole seconds), or None if there is none."""
        found = self._head(name)
        return None if found is None else round(found["LastModified"].timestamp() * 1000)

    def names(self, beginning: str = "") -> Iterator[str]:
        """Yield the names that begin so, in the order of their bytes."""
        pages = self._client.get_paginator("list_objects_v2")
        with self._asking("list", beginning):
            for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix + beginning):
                for each in page.get("Contents", ()):
                    yield each["Key"].removeprefix(self._prefix)

    def create(self, name: str, data: bytes, kind: Kind) -> bool:
        """Create an object; return whether it was not there before. What is there stays as it is."""
        with self._asking("put", name):
            return self._unless_refused(self._client.put_object, name, kind, Body=data, IfNoneMatch="*") is not None

    def create_large(self, name: str, source: BinaryIO, size: int, kind: Kind) -> bool:
        """Create an object of ``size`` bytes from a file, as ``create`` does; it is visible when the last byte is."""
        if size <= PART:
            return self.create(name, source.read(size), kind)
        with self._asking("put", name):
            upload = self._client.create_multipart_upload(**self._at(name), **_headers(kind))["UploadId"]
            try:
                return self._parts(name, source, upload)
            except BaseException:
                with suppress(ClientError, BotoCoreError):  # what is left is invisible and expires (docs)
                    self._client.abort_multipart_upload(**self._at(name), UploadId=upload)
                raise

    def replace(self, name: str, data: bytes, kind: Kind, *, etag: str) -> None:
        """Replace the version called ``etag``.

        Raises:
            Conflict: Another one stands there now, or none.
        """
        with self._asking("put", name):
            if self._unless_refused(self._client.put_object, name, kind, Body=data, IfMatch=etag) is None:
                raise Conflict(f"{self}: somebody else has replaced {name}")

    def keep(self, name: str, data: bytes, kind: Kind) -> None:
        """Create an object unless it is there, and read it back: it stands in the bucket with exactly these bytes.

        Raises:
            IntegrityFailure: Other bytes stand there. If they came by this call, they are removed.
        """
        is_new = self.create(name, data, kind)
        found = self.read(name)
        if found is None:
            raise StoreAway(f"{self}: {name} was stored and is not there")
        if found.data != data:
            if is_new:
                self.remove(name)
            raise IntegrityFailure(f"{self}: {name} has other bytes than were stored there")

    def remove(self, name: str) -> None:
        """Remove an object; there may be none."""
        with self._asking("delete", name):
            self._client.delete_object(**self._at(name))

    def require_conditions(self, name: str, kind: Kind) -> None:
        """See that the service keeps conditions: a second creation of ``name``, and a replacement out of turn.

        Raises:
            ConfigError: It overwrites all the same, so two writers could undo each other.
        """
        self.create(name, b"", kind)
        if self.create(name, b"", kind):
            raise ConfigError([f"{self} ignores If-None-Match, so nothing in it is create-only."])
        try:
            self.replace(name, b"", kind, etag='"0"')
        except Conflict:
            return
        raise ConfigError([f"{self} ignores If-Match, so two writers could undo each other."])

    @override
    def __str__(self) -> str:
        return f"s3://{self._bucket}/{self._prefix}"

    def _at(self, name: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self.key(name)}

    def _get(self, name: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self._client.get_object(**self._at(name))
        except self._client.exceptions.NoSuchKey:
            return None
        return found

    def _head(self, name: str) -> dict[str, Any] | None:
        with self._asking("head", name):
            try:
                found: dict[str, Any] = self._client.head_object(**self._at(name))
            except ClientError as error:
                if _status(error) == HTTPStatus.NOT_FOUND:
                    return None
                raise
        return found

    def _stream(self, name: str, body: Any) -> Iterator[bytes]:  # noqa: ANN401 - the library has no types
        with body, self._asking("get", name):
            yield from body.iter_chunks(CHUNK)

    def _parts(self, name: str, source: BinaryIO, upload: str) -> bool:
        parts: list[dict[str, object]] = []
        while data := source.read(PART):
            number = len(parts) + 1
            sent = self._client.upload_part(**self._at(name), UploadId=upload, PartNumber=number, Body=data)
            parts.append({"ETag": sent["ETag"], "PartNumber": number})
        done = self._unless_refused(
            self._client.complete_multipart_upload,
            name,
            None,
            UploadId=upload,
            MultipartUpload={"Parts": parts},
            IfNoneMatch="*",
        )
        if done is None:
            self._client.abort_multipart_upload(**self._at(name), UploadId=upload)
        return done is not None

    def _unless_refused(self, call: Any, name: str, kind: Kind | None, **details: object) -> object | None:  # noqa: ANN401 - the library has no types
        """Return the answer of a conditional call, or None if its condition does not hold."""
        try:
            answer: object = call(**self._at(name), **_headers(kind), **details)
        except ClientError as error:
            is_gone = "IfMatch" in details and error.response["Error"]["Code"] == "NoSuchKey"
            if _status(error) in _REFUSED or is_gone:
                return None
            raise
        return answer

    @contextmanager
    def _asking(self, what: str, name: str) -> Iterator[None]:
        """Turn the library's errors into ours; their texts may repeat what was sent, so only codes are told."""
        try:
            yield
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            raise StoreAway(f"{self}: {what} {name}: the service answers {_status(error)} {code}") from error
        except BotoCoreError as error:
            raise StoreAway(f"{self}: {what} {name}: {type(error).__name__}") from error


@cache
def _session() -> Any:  # noqa: ANN401 - the library has no types
    """Return what the clients of a process share: each of its own reads the service's description, 11 MB, once more."""
    return boto3.session.Session()


def _client(place: Place, endpoint: str, config: Config) -> Any:  # noqa: ANN401 - the library has no types
    return _session().client(
        "s3",
        endpoint_url=endpoint,
        region_name=place.region,
        aws_access_key_id=place.key,
        aws_secret_access_key=place.secret,
        config=config,
    )


def _headers(kind: Kind | None) -> dict[str, str]:
    return {} if kind is None else {"ContentType": kind.media, "CacheControl": kind.cache}


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
