"""The files of the log as every process but the sequencer sees them: notes, roots and proofs (AL1 L1.4, L9)."""

from __future__ import annotations

import threading

from trading.audit.rules.tiles import TiledNodes, file_reader
from trading.audit.rules.tree import consistency_proof, inclusion_proof, range_root
from trading.storage.tiles import TileStore


class LogProofs:
    """Roots and consistency proofs of our own log, read from its tiles."""

    def __init__(self, tiles: TileStore) -> None:
        self._read = file_reader(tiles.read)
        self._nodes = TiledNodes(0, self._read)
        self._lock = threading.Lock()

    def root(self, size: int, within: int) -> bytes:
        """Return the root at ``size``, computed from the tiles of the tree of ``within`` entries."""
        with self._lock:
            return range_root(0, size, self._at(within))

    def consistency(self, old: int, new: int) -> list[bytes]:
        """Return the proof from ``old`` to ``new``."""
        with self._lock:
            return consistency_proof(old, new, self._at(new))

    def inclusion(self, n: int, size: int) -> list[bytes]:
        """Return the path of entry ``n`` in the tree of ``size`` entries."""
        with self._lock:
            return inclusion_proof(n, size, self._at(size))

    def _at(self, size: int) -> TiledNodes:
        if self._nodes.size != size:
            self._nodes = self._nodes.resized(size)
        return self._nodes
