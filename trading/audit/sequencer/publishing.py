"""The public head: its checkpoint, with the log's signature alone, and the hash tiles below it (AL1 L6, L9).

Everything of the working head stays inside: how it grows tells how many bids came. A partial tile of a boundary is cut
from the larger one, since none that the working head left may appear here.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import Final

from trading.audit.files import LogProofs
from trading.audit.rules.cover import Cover, Rate
from trading.audit.rules.note import Checkpoint, parse_checkpoint_text, parse_note
from trading.audit.rules.tiles import TILE_WIDTH, changed_tiles, file_reader
from trading.audit.rules.tree import HASH_BYTES
from trading.audit.sequencer.queue import AuditQueue
from trading.audit.sequencer.writer import LogSigner, SignedHead
from trading.kernel import canonical
from trading.kernel.errors import IntegrityFailure
from trading.storage.tiles import CHECKPOINT, PUBLIC, RATE, TileStore


class PublicHead:
    """The folder that any web server may serve; only the sequencer writes it."""

    def __init__(self, tiles: TileStore, signer: LogSigner) -> None:
        self._working = tiles
        self._public = TileStore(tiles.root / PUBLIC)
        self._signer = signer
        self._proofs: Final = LogProofs(tiles)

    def size(self, within: int) -> int:
        """Return how many entries lie below the public head of a log of ``within``; 0 before the first window is over.

        Raises:
            IntegrityFailure: What was published is not of this log: it was set back.
        """
        data = self._public.read(CHECKPOINT)
        if data is None:
            return 0
        known = parse_checkpoint_text(parse_note(data).text)
        if known.size > within or self._proofs.root(known.size, within) != known.root:
            raise IntegrityFailure(f"the public checkpoint of size {known.size} is not of this log: it was set back")
        return known.size

    def say(self, rate: Rate) -> None:
        """Publish how the head grows from now on; the folder is there from then on."""
        self._public.begin()
        said = {"quantum": rate.quantum, "window_ms": round(rate.window_s * 1000)}
        self._public.write(RATE, canonical.dumps(said), durable=True)

    def sign(self, size: int, within: int) -> SignedHead:
        """Sign the checkpoint of a size that the log of ``within`` entries has passed; always the same bytes."""
        root = self._proofs.root(size, within)
        return self._signer.sign(Checkpoint(origin=self._signer.origin, size=size, root=root))

    def move(self, old: int, size: int, within: int) -> None:
        """Publish the tiles from ``old`` to ``size`` and then the checkpoint of ``size``.

        Unlike the working tiles they are synced: it happens once in a window, and nothing writes them a second time.
        """
        read = file_reader(self._working.read, wider=self._working.read_wider)
        for tile in changed_tiles(old, size):
            if tile.level is None:
                continue  # entries tell their times: they follow thirty days later
            data = read(tile.level, tile.index, tile.width)[: tile.width * HASH_BYTES]
            self._public.write(tile.path, data, durable=True)
            if tile.width == TILE_WIDTH:
                self._public.drop_partial(tile.path)
        self._public.write(CHECKPOINT, self.sign(size, within).note.encode(), durable=True)


class Publisher:
    """Keeps pads and public head at their rate while a sequencer runs; it is called between two batches."""

    def __init__(
        self, rate: Rate, head: PublicHead, queue: AuditQueue, *, size: int, public: int, monotonic: Callable[[], float]
    ) -> None:
        """Begin the first window: ``size`` entries in the log, ``public`` below the public head; ``monotonic`` in s."""
        self._head, self._queue, self._monotonic = head, queue, monotonic
        self._cover = Cover(rate, size=size, public=public, now=monotonic(), chance=secrets.SystemRandom().random)
        self._slot_pads: set[int] = set()
        head.say(rate)

    def logged(self, ids: Sequence[int]) -> None:
        """Count what was logged towards the public head; a pad of a slot is what its slot took already."""
        pads = self._slot_pads.intersection(ids)
        self._slot_pads -= pads
        self._cover.logged(len(ids) - len(pads))

    def inside(self, first: int, size: int) -> list[SignedHead]:
        """Return the checkpoints at which the public head will stand, between two heads of the log (B8)."""
        return [self._head.sign(each, size) for each in self._cover.boundaries(first, size - 1)]

    def keep(self, size: int) -> None:
        """Insert the pads that are due, and move the public head at the end of a window."""
        now = self._monotonic()
        if slots := self._cover.pads(now):
            self._slot_pads.update(self._queue.pad(slots))
        if noise := self._cover.noise(now):
            self._queue.pad(noise)
        old = self._cover.public
        while (boundary := self._cover.boundary(now, size)) is not None:
            self._head.move(old, boundary, size)
            old = boundary
