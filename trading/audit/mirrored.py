"""The copy of the public log in a bucket, as auditors compare it with the log (AL1 L9, L11.1, ADR 0046)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from trading.audit.rules.note import Checkpoint, VerifierKey, verify_checkpoint
from trading.audit.rules.tiles import TILE_HEIGHT, TILE_WIDTH, Tile, TileReader, parse_tile_path
from trading.audit.rules.tree import HASH_BYTES
from trading.crypto.notes import verify_note_signature
from trading.kernel.errors import IntegrityFailure, InvalidInput
from trading.storage.objects import StoreAway
from trading.storage.tiles import CHECKPOINT

if TYPE_CHECKING:  # whoever has a bucket has loaded its library; a check without one need not
    from trading.storage.bucket import Bucket

PROBE: Final = "create-only"  # an empty object with which a mirror sees that the service keeps conditions
MISSING: Final = "missing"
OTHER: Final = "not what the entries hash to"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The newest checkpoint in a bucket; ``etag`` names the version of the object."""

    note: bytes
    checkpoint: Checkpoint
    etag: str


def newest(bucket: Bucket, origin: str, keys: Collection[VerifierKey]) -> Shown | None:
    """Return the checkpoint in the bucket, or None before there is one.

    Raises:
        IntegrityFailure: What lies there is no note of this log.
    """
    found = bucket.read(CHECKPOINT)
    if found is None:
        return None
    try:
        checkpoint = verify_checkpoint(found.data, origin, tuple(keys), (), verify_note_signature).checkpoint
    except InvalidInput as error:
        raise IntegrityFailure(f"{bucket}: the checkpoint is no note of this log: {error}") from error
    return Shown(note=found.data, checkpoint=checkpoint, etag=found.etag)


class MirrorCheck:
    """Compares every object of a bucket once with a log that is walked from its beginning.

    Hash tiles above the checkpoint may be a step ahead of it. Everything else must be a file that the public may have.

    Attributes:
        faults: Place and detail of each.
        compared: How many objects were read.
        away: Why nothing more was compared: the service stopped answering, or shows no checkpoint.
    """

    def __init__(self, bucket: Bucket | None, origin: str, keys: Collection[VerifierKey]) -> None:
        """Begin closed: without a bucket, and before ``open``, there is nothing to compare."""
        self.faults: list[tuple[str, str]] = []
        self.compared = 0
        self.away = ""
        self._bucket = bucket
        self._origin, self._keys = origin, keys
        self._checkpoint: Checkpoint | None = None
        self._left: set[str] = set()
        self._bundles = 0
        self._is_open = self._has_stood = False

    def open(self) -> None:
        """Read what there is now. The log is at least as large when it is read later."""
        if self._bucket is None:
            return
        self._is_open = True
        with self._asking():
            try:
                shown = newest(self._bucket, self._origin, self._keys)
                self._checkpoint = None if shown is None else shown.checkpoint
            except IntegrityFailure as error:
                self._fault(CHECKPOINT, str(error))
            self._left = set(self._bucket.names()) - {CHECKPOINT, PROBE}
            self._bundles = max(bundles_of(self._left), default=-1) + 1

    @property
    def size(self) -> int:
        """Return the size of the checkpoint in the bucket; 0 if there is none."""
        return 0 if self._checkpoint is None else self._checkpoint.size

    def take(self, tile: Tile, data: bytes) -> None:
        """Compare one full tile or bundle of the log."""
        if not self._is_open:
            return
        is_below = (tile.index + 1) * TILE_WIDTH << TILE_HEIGHT * (tile.level or 0) <= self.size
        if tile.path in self._left and (is_below or tile.level is not None):
            with self._asking():
                self._compare(tile, data)
        elif is_below and (tile.level is not None or tile.index < self._bundles):
            self._fault(tile.path, MISSING)

    def stand(self, root: bytes, partial: Iterable[tuple[Tile, bytes]]) -> None:
        """Compare root and partial hash tiles of the log at exactly ``size`` entries."""
        if not self._is_open or self._has_stood:
            return
        self._has_stood = True
        if self._checkpoint is not None and self._checkpoint.root != root:
            self._fault(CHECKPOINT, f"the root of size {self.size} is not that of the entries")
        with self._asking():
            for tile, data in partial:
                if tile.level is None:
                    continue
                if tile.path in self._left:
                    self._compare(tile, data)
                elif (self._read(Tile(tile.level, tile.index).path) or b"")[: len(data)] != data:
                    self._fault(tile.path, MISSING)

    def end(self, size: int, read: TileReader) -> None:
        """Compare what is left with the tiles of a log of ``size`` entries: beginnings that smaller heads needed."""
        if not self._is_open:
            return
        if self.size > size:
            self._fault(CHECKPOINT, f"shows {self.size} entries, the log has {size}")
        with self._asking():
            for path in sorted(self._left):
                self._compare_left(path, read)
            if self._checkpoint is None and not self.faults:
                self.away = f"{self._bucket} shows no checkpoint"

    def _compare_left(self, path: str, read: TileReader) -> None:
        tile = tile_of(path)
        if tile is None or tile.level is None:
            self._fault(path, "not a file of the log" if tile is None else "the public may not have this file")
            return
        try:
            self._compare(tile, read(tile.level, tile.index, tile.width)[: tile.width * HASH_BYTES])
        except InvalidInput:
            self._fault(path, "a tile of entries that the log does not have")

    def _compare(self, tile: Tile, data: bytes) -> None:
        self._left.discard(tile.path)
        self.compared += 1
        stored = self._read(tile.path)
        if stored is None and tile.width < TILE_WIDTH:
            return  # the full one has come since
        if stored != data:
            self._fault(tile.path, MISSING if stored is None else OTHER)

    def _read(self, path: str) -> bytes | None:
        found = None if self._bucket is None else self._bucket.read(path)
        return None if found is None else found.data

    @contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            yield
        except StoreAway as error:
            self.away = str(error)
            self._is_open = False

    def _fault(self, path: str, detail: str) -> None:
        self.faults.append((f"{self._bucket}{path}", detail))


def bundles_of(names: Iterable[str]) -> set[int]:
    """Return the indexes of the full entry bundles among these names."""
    tiles = map(tile_of, names)
    return {each.index for each in tiles if each is not None and each.level is None and each.width == TILE_WIDTH}


def tile_of(path: str) -> Tile | None:
    """Return what a name says; None if it is not that of a tile or bundle."""
    try:
        return parse_tile_path(path)
    except InvalidInput:
        return None
