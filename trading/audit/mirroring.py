"""The mirror: copies the public head into a bucket, from which anybody's web server or cache may serve it (ADR 0046).

Only what stands in the folder of the public head is copied, and entry bundles when they are thirty days old (AL1 L6). A
checkpoint moves after every tile below it has been read back from the bucket, on the condition that nobody has moved it
meanwhile; so a reader finds the whole tree of any checkpoint that he sees, wherever this process or another one died.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from itertools import count
from pathlib import Path
from threading import Event
from typing import Final

from trading.audit.files import is_old
from trading.audit.mirrored import PROBE, Shown, bundles_of, newest
from trading.audit.rules.note import Checkpoint, VerifierKey, verify_checkpoint
from trading.audit.rules.tiles import (
    TILE_HEIGHT,
    TILE_WIDTH,
    Tile,
    TiledNodes,
    TileReader,
    changed_tiles,
    file_reader,
    parse_bundle,
    split_hashes,
    tile_width,
)
from trading.audit.rules.tree import HASH_BYTES, leaf_hash, range_root, root_of_hashes
from trading.crypto.notes import verify_note_signature
from trading.kernel.errors import Conflict, IntegrityFailure, InvalidInput
from trading.storage.bucket import Bucket, Kind
from trading.storage.tiles import CHECKPOINT, PUBLIC, TileStore

TILE: Final = Kind(media="application/octet-stream", cache="public, max-age=31536000, immutable")
NOTE: Final = Kind(media="text/plain; charset=utf-8", cache="public, max-age=5")
POLL_S: Final = 1.0
_LONGEST_S: Final = 60.0  # between two attempts while the service is away
_log = logging.getLogger("mingbiao.mirror")


class Mirror:
    """One bucket that follows the public head of one log. A second mirror does no harm and no good."""

    def __init__(self, root: Path, bucket: Bucket, origin: str, keys: Collection[VerifierKey]) -> None:
        """Copy from ``root``, the directory of the log's tiles, what is signed by ``keys`` as ``origin``."""
        self._working, self._public = TileStore(root), TileStore(root / PUBLIC)
        self._bucket = bucket
        self._origin, self._keys = origin, tuple(keys)
        self._done: bytes | None = None
        self._bundles: int | None = None  # how many are in the bucket; None until it was asked

    def begin(self) -> None:
        """See that the service keeps the conditions on which everything here rests.

        Raises:
            ConfigError: It does not.
            StoreAway: It is away.
        """
        self._bucket.require_conditions(PROBE, NOTE)

    def publish(self) -> int:
        """Bring the bucket to where the public head stands; return the size that it shows then, 0 before the first.

        Raises:
            IntegrityFailure: Bucket and public head are not of one history; nothing was changed.
            StoreAway, Conflict: The service is away, or another mirror was faster. The next call goes on from there.
        """
        note = self._public.read(CHECKPOINT)
        if note is None:
            return 0
        checkpoint = verify_checkpoint(note, self._origin, self._keys, (), verify_note_signature).checkpoint
        if note != self._done:
            shown = newest(self._bucket, self._origin, self._keys)
            nodes = TiledNodes(checkpoint.size, self._reader())
            self._require_one_history(nodes, checkpoint, shown)
            if shown is None or shown.checkpoint.size < checkpoint.size:
                self._copy_tiles(nodes, 0 if shown is None else shown.checkpoint.size)
                self._show(note, shown)
            self._done = note
        self._copy_bundles(checkpoint.size)
        return checkpoint.size

    def _require_one_history(self, nodes: TiledNodes, checkpoint: Checkpoint, shown: Shown | None) -> None:
        """Recompute both roots from the tiles of the public head, before anything is copied."""
        if nodes.root() != checkpoint.root:
            raise IntegrityFailure(f"the tiles of the public head do not lead to its root at size {checkpoint.size}")
        if shown is None:
            return
        known = shown.checkpoint
        if known.size > checkpoint.size:
            raise IntegrityFailure(
                f"{self._bucket} shows {known.size} entries, the public head {checkpoint.size}: it was set back"
            )
        if range_root(0, known.size, nodes) != known.root:
            raise IntegrityFailure(f"{self._bucket} shows another history of {known.size} entries")

    def _copy_tiles(self, nodes: TiledNodes, old: int) -> None:
        """Copy what has changed since ``old``; nothing that does not lead to the root, for it would stand for ever."""
        read = self._reader()
        for tile in changed_tiles(old, nodes.size):
            if tile.level is None:
                continue  # entries tell their times: they follow thirty days later
            data = read(tile.level, tile.index, tile.width)[: tile.width * HASH_BYTES]
            if tile.width == TILE_WIDTH and root_of_hashes(split_hashes(data)) != nodes(
                TILE_HEIGHT * (tile.level + 1), tile.index
            ):
                raise IntegrityFailure(f"{tile.path} of the public head does not lead to its root")
            self._bucket.keep(tile.path, data, TILE)
            if tile.width == TILE_WIDTH and tile_width(tile.level, tile.index, old):
                for name in self._bucket.names(f"{tile.path}.p/"):
                    self._bucket.remove(name)  # readers of smaller checkpoints take the full tile

    def _show(self, note: bytes, shown: Shown | None) -> None:
        """Move the checkpoint: the one step that readers see."""
        if shown is not None:
            self._bucket.replace(CHECKPOINT, note, NOTE, etag=shown.etag)
        elif not self._bucket.create(CHECKPOINT, note, NOTE):
            raise Conflict(f"{self._bucket}: somebody else has created the checkpoint")
        found = self._bucket.read(CHECKPOINT)
        if found is None or found.data != note:
            raise Conflict(f"{self._bucket}: the checkpoint is not the one that was stored")

    def _copy_bundles(self, size: int) -> None:
        """Copy the full bundles below the public head that are old enough, in their order."""
        if self._bundles is None:
            there = bundles_of(self._bucket.names("tile/entries/"))
            self._bundles = next(index for index in count() if index not in there)
        while (self._bundles + 1) * TILE_WIDTH <= size:
            tile = Tile(None, self._bundles)
            if not is_old(self._working.root / tile.path):
                return
            data = self._working.read(tile.path) or b""
            hashes = self._reader()(0, tile.index, TILE_WIDTH)
            if [leaf_hash(entry) for entry in parse_bundle(data)] != split_hashes(hashes, TILE_WIDTH):
                raise IntegrityFailure(f"{tile.path} does not hash to the tile of its leaves")
            self._bucket.keep(tile.path, data, TILE)
            self._bundles += 1

    def _reader(self) -> TileReader:
        return file_reader(self._public.read, wider=self._public.read_wider)


def follow(mirror: Mirror, stopped: Event, *, poll_s: float = POLL_S) -> None:
    """Publish whenever the public head has moved, until ``stopped``; while the service is away, try ever more rarely.

    Raises:
        IntegrityFailure: A person must look; see ``Mirror.publish``.
    """
    wait, has_begun = poll_s, False
    while not stopped.is_set():
        try:
            if not has_begun:
                mirror.begin()
                has_begun = True
            mirror.publish()
        except InvalidInput as error:
            raise IntegrityFailure(f"the files of the public head are damaged: {error}") from error
        except (OSError, Conflict) as error:
            _log.warning("the public log is not copied: %s", error)
            wait = min(2 * wait, _LONGEST_S)
        else:
            wait = poll_s
        stopped.wait(wait)
