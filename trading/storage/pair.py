"""Two stores with the same objects: everything is written to the first and copied to the second (SB1 S7.4, S16).

Whoever reads gets the bytes from the second store when the first lacks them, has other bytes, or does not answer, and
the operator's log says so, without a name. Nothing is repaired by reading: a missing copy is made again by a round of
the worker, and wrong bytes are evidence until a person takes them away (``fsck --objects --repair``).
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from io import BytesIO
from typing import BinaryIO, Final

from trading.kernel.errors import IntegrityFailure, NotFound
from trading.storage.objects import MAX_PART, ObjectStore, OneStore, Saved, StoreAway
from trading.storage.pieces import Pieces
from trading.storage.streams import expecting, joined

FIRST: Final = "first"
SECOND: Final = "second"
_MOST_DOUBTED: Final = 1_000
_FAILURES: Final = (NotFound, IntegrityFailure, OSError)  # StoreAway is an OSError, and so is a disk that cannot read
_TOLD: Final = "a store could not give an object, the other one is asked: mingbiao fsck --objects names it"
_log = logging.getLogger("mingbiao.storage")


class State(StrEnum):
    """What a store has under a digest."""

    GOOD = "good"
    MISSING = "missing"
    WRONG = "wrong"


def state_of(store: ObjectStore, digest: str) -> State:
    """Read an object and hash it.

    Raises:
        OSError: The store does not answer, or cannot read what it has.
    """
    try:
        for _ in store.chunks(digest):
            pass
    except NotFound:
        return State.MISSING
    except IntegrityFailure:
        return State.WRONG
    return State.GOOD


def copy_object(source: ObjectStore, target: ObjectStore, digest: str) -> None:
    """See that ``target`` has the object, and has it whole: copy it, or read what is there already.

    Raises:
        NotFound: ``source`` does not have it.
        IntegrityFailure: Either store has other bytes under this digest. They stay.
        OSError: A store does not answer.
    """
    if target.stat(digest) is None:
        target.put_stream(expecting(joined(source.chunks(digest)), digest))
    elif state_of(target, digest) is not State.GOOD:
        raise IntegrityFailure(f"object {digest} does not hash to its name")


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedStore:
    """An object store that reads from the second store what the first one cannot give."""

    first: OneStore
    second: OneStore
    _doubted: set[str] = field(default_factory=set, init=False, repr=False)  # large ones whose first bytes were wrong

    @property
    def pieces(self) -> Pieces:
        """Pieces of the first store: what is on its way has one place."""
        return self.first.pieces

    def put(self, data: bytes) -> str:
        """Store in the first store; a store that is away for copies keeps nobody from bidding (SB1 S7.4)."""
        return self.put_stream(BytesIO(data))[0]

    def put_stream(self, source: BinaryIO, *, limit: int = MAX_PART) -> tuple[str, int]:
        """Store in the first store."""
        return self.first.put_stream(source, limit=limit)

    def get(self, digest: str) -> bytes:
        """Return the bytes from whichever store has them right.

        Raises:
            IntegrityFailure, StoreAway, NotFound: Neither has: the gravest of what the two of them say.
        """
        try:
            return self.first.get(digest)
        except _FAILURES as failure:
            try:
                data = self.second.get(digest)
            except _FAILURES as other:
                raise _graver(failure, other) from failure
        _log.warning(_TOLD)
        return data

    def chunks(self, digest: str) -> Iterator[bytes]:
        """Yield the bytes; after a failure go on from the second store, if what was yielded is right so far.

        Wrong bytes of a large object are noticed at its end, when they are gone to the reader: then this raises
        ``IntegrityFailure`` like any store, and the next reading begins with the second one.
        """
        order = (self.second, self.first) if digest in self._doubted else (self.first, self.second)
        sent = _Sent()
        try:
            yield from sent.through(order[0].chunks(digest))
        except _FAILURES as error:
            failure: Exception = error
        else:
            return
        yield from self._rest(order[1], digest, sent, failure)

    def _rest(self, store: ObjectStore, digest: str, sent: _Sent, failure: Exception) -> Iterator[bytes]:
        """Yield what the reader lacks from the other copy, which may not have it either."""
        chunks = _held_back(store.chunks(digest))
        try:
            for number, chunk in enumerate(chunks):
                if number == 0:
                    _log.warning(_TOLD)
                rest = sent.rest_of(chunk)
                if rest is None:
                    break
                if rest:
                    yield rest
            if sent.is_beginning:
                return
        except _FAILURES as other:
            raise _graver(failure, other) from failure
        self._doubt(digest)
        raise failure

    def stat(self, digest: str) -> int | None:
        """Return the size in bytes in the first store that knows the object, or None."""
        away: OSError | None = None
        for store in (self.first, self.second):
            try:
                size = store.stat(digest)
            except OSError as error:
                away = error
                continue
            if size is not None:
                return size
        if away is not None:
            raise away
        return None

    def address(self, digest: str, size: int, saved: Saved) -> str | None:
        """Return an address in the first store, if it has the object; the second store has none for anybody (S7.4)."""
        if digest in self._doubted:
            return None
        try:
            return self.first.address(digest, size, saved)
        except OSError:  # the second one hands it out
            return None

    def remove(self, digest: str) -> None:
        """Throw it away in the second store first: what the first one lacks would be copied back from there."""
        self.second.remove(digest)
        self.first.remove(digest)

    def walk(self) -> Iterator[str]:
        """Yield the digest of every object of either store, once."""
        seen = set()
        for store in (self.first, self.second):
            for digest in store.walk():
                if digest not in seen:
                    seen.add(digest)
                    yield digest

    def _doubt(self, digest: str) -> None:
        if len(self._doubted) >= _MOST_DOUBTED:
            self._doubted.clear()
        self._doubted.add(digest)


class _Sent:
    """How many bytes a reader has, and their hash; compares the beginning of another copy with them."""

    def __init__(self) -> None:
        self._size = 0
        self._state = hashlib.sha256()
        self._skipped = 0
        self._again = hashlib.sha256()

    def through(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in _held_back(chunks):
            self._state.update(chunk)
            self._size += len(chunk)
            yield chunk

    @property
    def is_beginning(self) -> bool:
        """Whether the other copy, as far as it was read, begins with all that the reader has had."""
        return self._skipped == self._size and self._again.digest() == self._state.digest()

    def rest_of(self, chunk: bytes) -> bytes | None:
        """Return what the reader lacks of a chunk of the other copy; None if he has had other bytes."""
        here = min(len(chunk), self._size - self._skipped)
        self._again.update(chunk[:here])
        self._skipped += here
        if self._skipped < self._size:
            return b""
        if here and not self.is_beginning:
            return None
        return chunk[here:]


def _held_back(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield each chunk when the next one was read: of a small object nothing is out before all of it was hashed."""
    held = next(chunks, None)
    for chunk in chunks:
        assert held is not None  # noqa: S101 - there is a next one
        yield held
        held = chunk
    if held is not None:
        yield held


def _graver(one: Exception, other: Exception) -> Exception:
    """Wrong bytes above a store that is away above a missing object: only what both say is missing is missing."""
    for kind in (IntegrityFailure, StoreAway, OSError):
        for error in (one, other):
            if isinstance(error, kind):
                return error
    return one


def differing(pair: PairedStore) -> tuple[list[str], list[str]]:
    """Return the digests that the second store lacks, and those that the first one lacks. Only names are compared.

    Takes about 100 bytes of memory an object of the first store.

    Raises:
        OSError: A store does not answer.
    """
    only_first = {bytes.fromhex(digest) for digest in pair.first.walk()}
    only_second = []
    for digest in pair.second.walk():
        name = bytes.fromhex(digest)
        if name in only_first:
            only_first.remove(name)
        else:
            only_second.append(digest)
    return sorted(name.hex() for name in only_first), sorted(only_second)
