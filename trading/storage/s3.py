"""An object store in a bucket: hashed into an unnamed local file first, created under its digest, read back.

Names are those of the local store, so moving from one to the other is copying. Nothing that is half written has a name:
here the file has none, and there an object begins to exist with its last byte.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryFile
from typing import BinaryIO, Final

from trading.kernel.errors import IntegrityFailure, NotFound
from trading.storage.bucket import Bucket, Kind
from trading.storage.objects import ASIDE, MAX_PART, Saved, StoreAway
from trading.storage.pieces import FOLDER, MOST_OF_ONE, Destination, require_name
from trading.storage.streams import copy_hashed, joined

_DIGEST: Final = re.compile(r"[0-9a-f]{64}\Z")
_PROBE: Final = "conditions"  # an empty object, which no digest names
_SEALED: Final = Kind(media="application/octet-stream", cache="private, no-store")


class S3Store:
    """Objects lie at ``<prefix><first two characters>/<digest>``."""

    def __init__(self, bucket: Bucket, spool: Path) -> None:
        """Store in ``bucket``; ``spool`` is a local directory with room for what is on its way."""
        self._bucket, self._spool = bucket, spool
        self.pieces = BucketPieces(bucket, spool)
        spool.mkdir(mode=0o700, parents=True, exist_ok=True)

    def put(self, data: bytes) -> str:
        """Store ``data`` durably and return its digest."""
        return self.put_stream(BytesIO(data))[0]

    def put_stream(self, source: BinaryIO, *, limit: int = MAX_PART) -> tuple[str, int]:
        """Store what ``source`` yields; return digest and size.

        Raises:
            InvalidInput: ``bid.part_too_large``.
            StoreAway: The service does not take it; nothing is kept.
            IntegrityFailure: What stands in the bucket under this digest does not hash to it.
        """
        with TemporaryFile(dir=self._spool) as file:
            digest, size = copy_hashed(source, file, limit)
            file.seek(0)
            is_new = self._bucket.create_large(_name(digest), file, size, _SEALED)
        self._read_back(digest, is_new=is_new)
        return digest, size

    def _read_back(self, digest: str, *, is_new: bool) -> None:
        try:
            for _ in self.chunks(digest):
                pass
        except NotFound as error:
            raise StoreAway(f"{self._bucket}: object {digest} was stored and is not there") from error
        except IntegrityFailure:
            if is_new:  # nobody has heard of it yet; one that was there before is evidence
                with suppress(StoreAway):
                    self._bucket.remove(_name(digest))
            raise

    def get(self, digest: str) -> bytes:
        """Return the bytes, hashed again.

        Raises:
            NotFound: No such object.
            IntegrityFailure: They do not hash to their name.
            StoreAway: The service does not answer.
        """
        return b"".join(self.chunks(digest))

    def chunks(self, digest: str) -> Iterator[bytes]:
        """Yield the bytes; the last step raises ``IntegrityFailure`` if they do not hash to their name."""
        found = self._bucket.chunks(_name(digest))
        if found is None:
            raise NotFound("object")
        state = hashlib.sha256()
        for chunk in found:
            state.update(chunk)
            yield chunk
        if state.hexdigest() != digest:
            raise IntegrityFailure(f"object {digest} does not hash to its name")

    def stat(self, digest: str) -> int | None:
        """Return the size in bytes, or None."""
        return self._bucket.size(_name(digest))

    def address(self, digest: str, size: int, saved: Saved) -> str | None:
        """Return a signed address for reading, if readers reach the bucket and it has the object in this size."""
        outside = self._bucket.outside
        if outside is None or self.stat(digest) != size:
            return None
        return outside.reading(self._bucket.key(_name(digest)), saved)

    def since(self, digest: str) -> int | None:
        """Return when the service took the object, in ms, or None."""
        return self._bucket.stored_at(_name(digest))

    def folder(self, name: str) -> S3Store:
        """Return the store at ``<prefix><name>/``, over the same connections."""
        return S3Store(self._bucket.folder(name), self._spool)

    def require_conditions(self) -> None:
        """Create an empty object twice; the second time must be refused, and so must a replacement out of turn."""
        self._bucket.require_conditions(_PROBE, _SEALED)

    def set_aside(self, digest: str) -> None:
        """Copy the object to ``<prefix>aside/<digest>.<random name>`` and remove it; needs the right to delete."""
        found = self._bucket.chunks(_name(digest))
        if found is None:
            return
        with TemporaryFile(dir=self._spool) as file:
            _, size = copy_hashed(joined(found), file, MAX_PART)
            file.seek(0)
            self._bucket.create_large(f"{ASIDE}/{digest}.{token_hex(8)}", file, size, _SEALED)
        self._bucket.remove(_name(digest))

    def remove(self, digest: str) -> None:
        """Remove the object; needs the right to delete."""
        self._bucket.remove(_name(digest))

    def walk(self) -> Iterator[str]:
        """Yield the digest of every object."""
        for name in self._bucket.names():
            folder, _, digest = name.partition("/")
            if _DIGEST.match(digest) and folder == digest[:2]:
                yield digest


def _name(digest: str) -> str:
    if not _DIGEST.match(digest):
        raise ValueError("an object is named by 64 characters of lowercase hex")
    return f"{digest[:2]}/{digest}"


class BucketPieces:
    """Pieces lie at ``<prefix>uploads/<upload>/<name>``, so that any machine goes on where another has stopped.

    They are no parts of a multipart upload: those have at least 5 MiB, cannot be read, and would give the whole its
    name before anybody has hashed it.
    """

    def __init__(self, bucket: Bucket, spool: Path) -> None:
        """Store in ``bucket``; ``spool`` holds a piece until its sender has sent all of it."""
        self._bucket, self._spool = bucket, spool

    @property
    def origin(self) -> str:
        """Return where senders reach the bucket."""
        outside = self._bucket.outside
        return "" if outside is None else outside.origin

    def destination(self, upload: str, name: str, size: int, sha256: str) -> Destination | None:
        """Return a signed address for writing, if senders reach the bucket."""
        outside = self._bucket.outside
        return None if outside is None else outside.writing(self._bucket.key(_piece(upload, name)), size, sha256)

    def size(self, upload: str, name: str) -> int | None:
        """Ask for the size alone."""
        return self._bucket.size(_piece(upload, name))

    def put(self, upload: str, source: BinaryIO) -> tuple[str, int]:
        """Take the piece in whole, and only then give it to the service."""
        name = token_hex(8)
        with TemporaryFile(dir=self._spool) as file:
            _, size = copy_hashed(source, file, MOST_OF_ONE)
            file.seek(0)
            self._bucket.create_large(_piece(upload, name), file, size, _SEALED)
        return name, size

    def chunks(self, upload: str, names: Iterable[str]) -> Iterator[bytes]:
        """Ask for one piece after the other."""
        for name in names:
            found = self._bucket.chunks(_piece(upload, name))
            if found is None:
                raise NotFound("piece")
            yield from found

    def drop(self, upload: str, name: str) -> None:
        """Remove one piece."""
        self._bucket.remove(_piece(upload, name))

    def discard(self, upload: str) -> None:
        """Remove what is listed."""
        for name in list(self._bucket.names(_piece(upload, ""))):
            self._bucket.remove(name)

    def uploads(self) -> Iterator[str]:
        """Yield each name once; pieces of one upload are listed together."""
        last = ""
        for name in self._bucket.names(f"{FOLDER}/"):
            upload = name.split("/")[1]
            if upload != last:
                yield upload
            last = upload


def _piece(upload: str, name: str) -> str:
    return f"{FOLDER}/{require_name(upload)}/{require_name(name) if name else name}"
