"""Sealed parts and other large bytes, under their SHA-256. No path, user name or file name reaches a store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol

if TYPE_CHECKING:
    from trading.storage.pieces import Pieces

MAX_PART: Final = 20 * 1024**3  # bytes of one part (P12)
CHUNK: Final = 1024 * 1024
ASIDE: Final = "aside"  # folder of objects whose bytes were wrong when they were looked at


class StoreAway(OSError):
    """The service that keeps the bytes does not answer, or refuses; what was asked may be asked again later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """How whoever gets an object saves it: its media type and the header ``Content-Disposition``."""

    media: str
    disposition: str


class ObjectStore(Protocol):
    """Create-only store. Digests are 64 characters of lowercase hex; anything else is ``ValueError``.

    A store behind a network raises ``StoreAway`` from every method while its service is away; nothing is then half
    there.
    """

    @property
    def pieces(self) -> Pieces:
        """Pieces of what is not an object yet, in the same place (SB1 S7.1)."""
        ...

    def put(self, data: bytes) -> str:
        """Store ``data`` durably and return its digest; storing the same bytes again changes nothing."""
        ...

    def put_stream(self, source: BinaryIO, *, limit: int = MAX_PART) -> tuple[str, int]:
        """Store what ``source`` yields, hashing on the way; return digest and size in bytes.

        Raises:
            InvalidInput: ``bid.part_too_large``; nothing is kept.
        """
        ...

    def get(self, digest: str) -> bytes:
        """Return the bytes, hashed again.

        Raises:
            NotFound: No such object.
            IntegrityFailure: The bytes are no longer those that were stored.
        """
        ...

    def chunks(self, digest: str) -> Iterator[bytes]:
        """Yield the bytes of a large object; the last step raises ``IntegrityFailure`` if they do not hash right."""
        ...

    def stat(self, digest: str) -> int | None:
        """Return the size in bytes, or None if there is no such object."""
        ...

    def address(self, digest: str, size: int, saved: Saved) -> str | None:
        """Return an address under which anybody who has it can fetch the object for some minutes, and nothing else.

        None if the place is not reached from outside, or has no object of this size (bytes): then the bytes are handed
        out by ``chunks``. Nobody hashes on the way what is fetched there.
        """
        ...

    def remove(self, digest: str) -> None:
        """Throw an object away, in every place of this store; there may be none. For what no bid and no record needs.

        Raises:
            OSError: The place does not let it be removed.
        """
        ...

    def walk(self) -> Iterator[str]:
        """Yield the digest of every object, in no particular order."""
        ...


def stored_size(store: ObjectStore, digest: str) -> int | None:
    """Return the size of an object, or None if no store that answers has it: then it is stored once more.

    Of two stores the first may be without a new part while the second is away, which keeps nobody from bidding
    (SB1 S7.4). A first one that is away says so when the part is stored.
    """
    try:
        return store.stat(digest)
    except OSError:
        return None


class OneStore(ObjectStore, Protocol):
    """A store that is one place, and not two that stand in for each other."""

    def since(self, digest: str) -> int | None:
        """Return since when an object has been here, in ms of the clock of whoever keeps it; None if it is not here."""
        ...

    def folder(self, name: str) -> OneStore:
        """Return a store of its own below this one, of which ``walk`` does not tell."""
        ...

    def require_conditions(self) -> None:
        """See that nothing in this place can be replaced by whoever stores a second time.

        Raises:
            ConfigError: The service overwrites all the same.
            StoreAway: It does not answer.
        """
        ...

    def set_aside(self, digest: str) -> None:
        """Take the name away from an object whose bytes are wrong, and keep them as evidence; there may be none."""
        ...
