"""The public head: its checkpoint, with the log's signature alone, and the hash tiles below it (AL1 L6, L9).

Everything of the working head stays inside: how it grows tells how many bids came. A partial tile of a boundary is cut
from the larger one, since none that the working head left may appear here.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Sequence
from typing import Final

from trading.audit.files import LogProofs
from trading.audit.rules.cover import Cover, Growth, Phase, Rate
from trading.audit.rules.note import Checkpoint, parse_checkpoint_text, parse_note
from trading.audit.rules.tiles import TILE_WIDTH, changed_tiles, file_reader
from trading.audit.rules.tree import HASH_BYTES
from trading.audit.sequencer.queue import AuditQueue
from trading.audit.sequencer.writer import LogSigner, SignedHead
from trading.kernel.errors import IntegrityFailure
from trading.kernel.events import Event
from trading.storage.tiles import CHECKPOINT, PUBLIC, RATE, TileStore

_log = logging.getLogger("mingbiao.sequencer")


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

    def say(self, rate: Rate, public: int) -> Phase | None:
        """Publish how the head grows from the size ``public`` on; return what it did before, if that was otherwise.

        The folder is there from then on.
        """
        self._public.begin()
        before = Growth.of(self._public.read(RATE))
        after = before.changed(rate, public)
        self._public.write(RATE, after.document(), durable=True)
        return before.phases[-1] if before.phases and after != before else None

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
        self._lags = False
        if (before := head.say(rate, public)) is not None:
            now = f"{rate.quantum} in {rate.window_s:g} s from size {public} on"
            what = f"public head: {before.quantum} entries in {before.window_ms / 1000:g} s until now, {now}"
            queue.record(Event(kind="config.changed", subject="log", body={"what": what}))

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
        self._warn(self._cover.credit > self._cover.rate.per_hour)
        old = self._cover.public
        while (boundary := self._cover.boundary(now, size)) is not None:
            self._head.move(old, boundary, size)
            old = boundary

    def _warn(self, lags: bool) -> None:  # noqa: FBT001 - what is the case
        """Say once when the public head falls more than an hour behind: LOG_QUANTUM is too small for this traffic."""
        if lags and not self._lags:
            _log.warning("the public head is more than an hour behind the log; raise LOG_QUANTUM (AL1 L6)")
        self._lags = lags
