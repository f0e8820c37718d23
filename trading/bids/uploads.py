"""Parts that arrive in chunks, any time, on any connection, at any process (SB1 S7.1; reliability F23).

A chunk counts from the commit of its row on, and its bytes are durable before that. Nothing is kept in memory between
two requests. A row of an upload comes before its first piece and goes before its last one, so a piece without a row is
rubbish whenever it is seen. What is whole is hashed as it is read back, and stored like a part that came in one body.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, Final

from trading.audit.errands import Postponed
from trading.audit.ledger import Ledger
from trading.audit.rules.stamps import UPKEEP
from trading.audit.runtime import Runtime
from trading.bids import queries, service, store, sweeping
from trading.bids.queries import BidTarget
from trading.bids.rules.uploads import (
    OffsetConflict,
    Upload,
    part_limit,
    require_next,
    require_part,
    require_room,
)
from trading.kernel.errors import IntegrityFailure, InvalidInput, NotFound, RuleBroken
from trading.kernel.ids import random_name
from trading.kernel.roles import Actor
from trading.storage.objects import MAX_PART, ObjectStore, StoreAway, stored_size
from trading.storage.pieces import Destination
from trading.storage.streams import joined

SWEEP: Final = f"{UPKEEP}uploads"
SWEEP_EVERY_MS: Final = 3_600_000
RETRY_MS: Final = 60_000
_ID_CHARACTERS: Final = 26  # 130 bits


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Bytes on their way: where they begin, how many the sender announced, and where they are read from."""

    start: int
    size: int
    body: BinaryIO


@dataclass(frozen=True, slots=True, kw_only=True)
class SentPiece:
    """A chunk that its sender puts into the bucket past the platform (ADR 0062); ``sha256`` in hex.

    Its name is its place, so an upload never has more than one that does not count.
    """

    start: int
    size: int
    sha256: str

    @property
    def name(self) -> str:
        """Return how it is called among the pieces of its upload."""
        return f"at{self.start}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploads:
    """The uploads of one bid, for its bidder; every method refuses others as if there were no such bid."""

    ledger: Ledger
    objects: ObjectStore
    actor: Actor
    bid: str

    def begin(self, name: str, sha256: str, length: int) -> Upload:
        """Return the upload of a part: a new one, the one that is on its way, or one that is whole and stored.

        The digest names it, so whoever has the same sealed file goes on where any machine stopped. Only parts of this
        very bid are known: nobody learns what others have stored.

        Raises:
            NotFound, RuleBroken: As ``service.part_target``; ``upload.too_many``.
            InvalidInput: As ``rules.uploads.require_part``; ``bid.part_mismatch``: begun with another length or name.
        """
        target = service.part_target(self.ledger, self.actor, self.bid, sha256)
        new = Upload(id=random_name(_ID_CHARACTERS), bid=self.bid, name=name, sha256=sha256, length=length, offset=0)
        most = part_limit(target.head.procedure, target.parts, sha256, most=MAX_PART)
        require_part(name, length, parts=self._parts(target), most=most)
        with self.ledger.upkeep() as conn:
            found = queries.find_upload(conn, self.bid, sha256=sha256)
        if self._is_stored(new):
            if found is not None:  # left by a process that died after storing the part
                self.end(found.id)
            return replace(new, id="", offset=length)
        return self._begun(found or self._add(new, target.head.bidder), new)

    def _add(self, new: Upload, bidder: str) -> Upload:
        with self.ledger.upkeep() as conn:
            require_room(queries.uploads_of_organisation(conn, bidder))
            ended = store.add_upload(conn, new)
            found = queries.find_upload(conn, self.bid, sha256=new.sha256)
        for upload_id in ended:
            self.objects.pieces.discard(upload_id)
        return found or new

    @staticmethod
    def _begun(found: Upload, wanted: Upload) -> Upload:
        if (found.name, found.length) != (wanted.name, wanted.length):
            raise InvalidInput("bid.part_mismatch", "an upload of these bytes was begun with another name or length")
        return found

    def find(self, upload_id: str) -> Upload:
        """Return an upload as it stands; every byte below its offset is durable.

        Raises:
            NotFound: No such upload, or not of this organisation.
        """
        with self.ledger.read() as conn:
            service.own_target(conn, self.actor, self.bid)
        return self._row(upload_id)

    def _row(self, upload_id: str) -> Upload:
        with self.ledger.upkeep() as conn:
            found = queries.find_upload(conn, self.bid, upload_id=upload_id)
        if found is None:
            raise NotFound("upload")
        return found

    def append(self, upload_id: str, chunk: Chunk) -> Upload:
        """Take one chunk, whole or not at all, and with the last one store the part.

        Of two that begin at the same offset one counts, whichever processes take them. An empty chunk at the end
        stores a part whose bytes are all there, as after a kill.

        Raises:
            OffsetConflict: It does not begin at the offset.
            InvalidInput: As ``require_next``; ``upload.cut``: fewer bytes came than were announced;
                ``bid.part_mismatch``: everything is there and has another SHA-256, so the upload is gone.
            NotFound, RuleBroken: As ``service.part_target``.
        """
        found, target = self._next(upload_id, chunk.start, chunk.size)
        if chunk.size:
            self._count(found, chunk)
        return self._taken(found, target)

    def destination(self, upload_id: str, piece: SentPiece) -> Destination | None:
        """Return where the sender may put the next chunk past the platform; None if the store is not reached so.

        Raises:
            OffsetConflict, InvalidInput, NotFound, RuleBroken: As ``append``, before a byte is sent.
        """
        found, _ = self._next(upload_id, piece.start, piece.size)
        if not piece.size:
            raise InvalidInput("upload.chunk_size", "an empty chunk has no address")
        return self.objects.pieces.destination(found.id, piece.name, piece.size, piece.sha256)

    def count(self, upload_id: str, piece: SentPiece) -> Upload:
        """Count a chunk that its sender has put there, after its bytes were read and hashed; go on as ``append`` does.

        Raises:
            InvalidInput: ``upload.cut``: it has other bytes, and is thrown away.
            OffsetConflict, NotFound, RuleBroken: As ``append``; ``NotFound`` also if it is not there.
        """
        found, target = self._next(upload_id, piece.start, piece.size)
        self._count_sent(found, piece, is_right=self._is_right(found, piece))
        return self._taken(found, target)

    def _next(self, upload_id: str, start: int, size: int) -> tuple[Upload, BidTarget]:
        found = self._row(upload_id)
        target = service.part_target(self.ledger, self.actor, self.bid, found.sha256)
        require_next(found, start, size)
        return found, target

    def _taken(self, upload: Upload, target: BidTarget) -> Upload:
        found = self._held(upload)
        if found.is_whole:
            self._finish(found, target)
        return found

    def _is_right(self, upload: Upload, piece: SentPiece) -> bool:
        state, size = hashlib.sha256(), 0
        for data in self.objects.pieces.chunks(upload.id, [piece.name]):
            state.update(data)
            size += len(data)
        return (size, state.hexdigest()) == (piece.size, piece.sha256)

    def _count_sent(self, upload: Upload, piece: SentPiece, *, is_right: bool) -> None:
        """Name the piece in a row, or throw it away if it is wrong; whoever holds the row decides for all that came."""
        pieces = self.objects.pieces
        with self.ledger.upkeep() as conn:
            store.touch_upload(conn, upload.id)
            now = queries.find_upload(conn, self.bid, upload_id=upload.id)
            if now is None or now.offset != piece.start:
                raise OffsetConflict(0 if now is None else now.offset)
            if not is_right:
                pieces.drop(upload.id, piece.name)
            elif pieces.size(upload.id, piece.name) != piece.size:
                raise NotFound("piece")  # thrown away by another request since it was read
            else:
                store.add_piece(conn, upload.id, piece.start, piece.size, piece.name)
        if not is_right:
            raise InvalidInput("upload.cut", "other bytes came than were announced")

    def _count(self, upload: Upload, chunk: Chunk) -> None:
        name, size = self.objects.pieces.put(upload.id, chunk.body)
        try:
            if size != chunk.size:
                raise InvalidInput("upload.cut", f"{size} of {chunk.size} bytes came")
            with self.ledger.upkeep() as conn:
                store.touch_upload(conn, upload.id)
                now = queries.find_upload(conn, self.bid, upload_id=upload.id)
                if now is None or now.offset != chunk.start:
                    raise OffsetConflict(0 if now is None else now.offset)
                store.add_piece(conn, upload.id, chunk.start, size, name)
        except (InvalidInput, OffsetConflict, NotFound):
            # Not after any other error: the commit may have arrived, and then the row names this piece.
            self.objects.pieces.drop(upload.id, name)
            raise

    def _held(self, upload: Upload) -> Upload:
        """Return the upload as it stands now, kept from the sweep for as long as storing it can take."""
        with self.ledger.upkeep() as conn:
            store.touch_upload(conn, upload.id)
            return queries.find_upload(conn, self.bid, upload_id=upload.id) or upload

    def _finish(self, upload: Upload, target: BidTarget) -> None:
        with self.ledger.upkeep() as conn:
            names = queries.pieces_of(conn, upload.id)
        source = joined(self.objects.pieces.chunks(upload.id, names))
        try:
            service.keep_part(self.ledger, self.objects, target, source, upload.sha256)
        except (InvalidInput, NotFound) as error:
            self.end(upload.id)
            if self._is_stored(upload):
                return  # by another request at the same time, which has removed the pieces
            if isinstance(error, NotFound):
                raise IntegrityFailure(f"a piece of upload {upload.id} is gone") from error
            raise
        self.end(upload.id)

    def _is_stored(self, upload: Upload) -> bool:
        """Whether this very bid has the part, and a store that answers still has it."""
        with self.ledger.upkeep() as conn:
            parts = queries.parts_of(conn, self.bid)
        return parts.get(upload.sha256) == upload.length == stored_size(self.objects, upload.sha256)

    def end(self, upload_id: str) -> None:
        """Throw an upload away; there may be none."""
        _end(self.ledger, self.objects, upload_id)

    def _parts(self, target: BidTarget) -> tuple[str, ...]:
        with self.ledger.read() as conn:
            policy = None if target.policy_sha256 is None else queries.policy(conn, target.policy_sha256)
        if policy is None:
            raise RuleBroken("bid.closed", "SUB-01")
        return policy.parts


def _end(ledger: Ledger, objects: ObjectStore, upload_id: str, *, untouched_since: int | None = None) -> None:
    with ledger.upkeep() as conn:
        gone = store.remove_upload(conn, upload_id, untouched_since=untouched_since)
    if gone:
        objects.pieces.discard(upload_id)


def sweep(runtime: Runtime, arg: Mapping[str, Any]) -> int | None:
    """End every upload that nobody has touched for ``upload_keep_ms``, and remove pieces without an upload.

    What synthetic bidders left goes as well, unless the round that compares two stores does that (``bids.copying``).

    One round for all bids, for ever, at a fixed pace: neither its errand nor what an operator reads of it tells whether
    there is any (G4).
    """
    del arg
    ledger, objects = runtime.ledger, runtime.objects
    with ledger.upkeep() as conn:
        now = ledger.platform_time(conn)
    try:
        _sweep(ledger, objects, now - runtime.upload_keep_ms)
        if runtime.copies is None:
            sweeping.sweep(ledger, objects, now)
    except StoreAway as error:
        raise Postponed(now + RETRY_MS, "the object store does not answer") from error
    return now + SWEEP_EVERY_MS


def _sweep(ledger: Ledger, objects: ObjectStore, until: int) -> None:
    seen = list(objects.pieces.uploads())  # before the rows are read: whatever is there now has had one
    with ledger.upkeep() as conn:
        known, old = set(queries.upload_ids(conn)), queries.upload_ids(conn, untouched_since=until)
    for upload_id in old:
        _end(ledger, objects, upload_id, untouched_since=until)
    for upload_id in seen:
        if upload_id not in known:
            objects.pieces.discard(upload_id)
