"""A public head made of files alone, and a reader who sees of its mirror what everybody sees."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

from tests.support.logs import LOG_SEED
from trading.audit.mirroring import Mirror
from trading.audit.rules.chain import genesis, link
from trading.audit.rules.note import verify_checkpoint
from trading.audit.rules.tiles import TILE_WIDTH, GrowingTree, Tile, split_hashes, tiles_of
from trading.audit.rules.tree import root_of_hashes
from trading.audit.sequencer.publishing import PublicHead
from trading.audit.sequencer.writer import LogSigner
from trading.crypto.notes import verify_note_signature
from trading.kernel.digests import sha256
from trading.storage.bucket import Bucket
from trading.storage.tiles import CHECKPOINT, PUBLIC, TileStore

ORIGIN = "log.test/audit"
SIGNER = LogSigner(ORIGIN, LOG_SEED)
START_MS = 1_778_558_400_000


@dataclass
class PublicLog:
    """The files of a log below ``root``, written as its sequencer writes them."""

    root: Path
    salt: bytes = b""
    tree: GrowingTree = field(default_factory=GrowingTree)
    public_size: int = 0
    _previous: bytes = field(default_factory=lambda: genesis(ORIGIN))

    @property
    def tiles(self) -> TileStore:
        return TileStore(self.root)

    @property
    def public(self) -> TileStore:
        return TileStore(self.root / PUBLIC)

    def grow(self, size: int) -> None:
        """Let the log and its public head grow to ``size``."""
        commitments = [sha256(self.salt + str(n).encode()) for n in range(self.tree.size, size)]
        entries = link(commitments, first=self.tree.size, previous=self._previous, t=START_MS)
        self._previous = self.tree.extend(entries)[-1]
        for path, data in self.tree.take_files():
            self.tiles.write(path, data)
        self.public.begin()
        PublicHead(self.tiles, SIGNER).move(self.public_size, size, size)
        self.public_size = size

    def mirror(self, bucket: Bucket) -> Mirror:
        return Mirror(self.root, bucket, ORIGIN, [SIGNER.key])


def fetched(url: str, path: str) -> bytes | None:
    """Return what an anonymous reader gets; what he may not list is forbidden when it is not there."""
    try:
        with urlopen(f"{url}/{path}", timeout=10) as answer:  # noqa: S310 - our own server
            return bytes(answer.read())
    except HTTPError as error:
        error.close()
        if error.code in {403, 404}:
            return None
        raise


def whole_size(url: str) -> int:
    """Return the size of the checkpoint that is shown, 0 before there is one, having read the whole tree below it."""
    note = fetched(url, CHECKPOINT)
    if note is None:
        return 0
    checkpoint = verify_checkpoint(note, ORIGIN, (SIGNER.key,), (), verify_note_signature).checkpoint
    leaves: list[bytes] = []
    for tile in tiles_of(checkpoint.size):
        if tile.level is None:
            continue
        data = fetched(url, tile.path)
        if data is None and tile.width < TILE_WIDTH:
            data = fetched(url, Tile(tile.level, tile.index).path)  # it has become full
        assert data is not None, f"{tile.path} of the checkpoint of size {checkpoint.size} is missing"
        hashes = split_hashes(data)[: tile.width]
        if tile.level == 0:
            leaves += hashes
        else:
            first = tile.index * TILE_WIDTH
            below = [leaves[(first + n) * TILE_WIDTH : (first + n + 1) * TILE_WIDTH] for n in range(tile.width)]
            assert tile.level > 1 or hashes == [root_of_hashes(each) for each in below], tile.path
    assert root_of_hashes(leaves) == checkpoint.root, f"size {checkpoint.size}"
    return checkpoint.size
