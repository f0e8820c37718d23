"""The files of the log as every process but the sequencer sees them: notes, roots and proofs (AL1 L1.4, L9)."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from trading.audit.rules.tiles import TILE_WIDTH, Tile, TiledNodes, file_reader, parse_bundle
from trading.audit.rules.tree import consistency_proof, inclusion_proof, range_root
from trading.kernel.clock import SystemClock
from trading.kernel.errors import IntegrityFailure
from trading.storage.tiles import EARLIER, TileStore

HELD_BACK_MS: Final = 30 * 24 * 3600 * 1000  # AL1 L6
_KEPT_SIZES: Final = 4  # the newest logged and witnessed checkpoints, and those just before them


def is_old(path: Path) -> bool:
    """Whether a file is of a time that may be told (AL1 L6).

    Raises:
        FileNotFoundError: There is none.
    """
    return SystemClock().now_ms() - path.stat().st_mtime_ns // 1_000_000 >= HELD_BACK_MS


class LogProofs:
    """Roots and consistency proofs of our own log, read from its tiles."""

    def __init__(self, tiles: TileStore) -> None:
        self._read = file_reader(tiles.read, wider=tiles.read_wider)
        self._nodes: OrderedDict[int, TiledNodes] = OrderedDict({0: TiledNodes(0, self._read)})
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

    def leaf(self, n: int, size: int) -> bytes:
        """Return the leaf hash of entry ``n``, from the tiles of the tree of ``size`` entries."""
        with self._lock:
            return self._at(size)(0, n)

    def _at(self, size: int) -> TiledNodes:
        """Return the nodes of the tree of ``size``; sizes asked lately are kept, and all share their full tiles."""
        found = self._nodes.get(size)
        if found is None:
            found = next(reversed(self._nodes.values())).resized(size)
            self._nodes[size] = found
            if len(self._nodes) > _KEPT_SIZES:
                self._nodes.popitem(last=False)
        self._nodes.move_to_end(size)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierLog:
    """A closed log: its name, the size of its final checkpoint, the directory of its tiles and notes (AL1 L13)."""

    origin: str
    size: int
    tiles: Path


def earlier_logs(log_dir: Path) -> tuple[EarlierLog, ...]:
    """Return the logs that the one in ``log_dir`` continues, the oldest first; nearly always there is none.

    Raises:
        IntegrityFailure: The list is damaged.
    """
    try:
        rows = json.loads((log_dir / EARLIER).read_bytes())
        return tuple(EarlierLog(origin=row["origin"], size=row["size"], tiles=Path(row["tiles"])) for row in rows)
    except FileNotFoundError:
        return ()
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityFailure(f"{log_dir / EARLIER} is damaged") from error


def write_earlier(log_dir: Path, logs: Sequence[EarlierLog]) -> None:
    """Write the list that ``earlier_logs`` reads; an operator who moves a directory may edit its path there."""
    rows = [{"origin": each.origin, "size": each.size, "tiles": str(each.tiles)} for each in logs]
    TileStore(log_dir).write(EARLIER, json.dumps(rows, indent=1).encode(), durable=True)


def bundled_entries(tiles: TileStore, size: int, tell: Callable[[int], None] = lambda _read: None) -> Iterator[bytes]:
    """Yield the entries of the bundles of a tree of ``size``, after telling how many each bundle holds.

    Raises:
        IntegrityFailure: A bundle is missing.
    """
    for index in range(-(-size // TILE_WIDTH)):
        width = min(TILE_WIDTH, size - index * TILE_WIDTH)
        data = tiles.read(Tile(None, index, width).path) or tiles.read(Tile(None, index, TILE_WIDTH).path)
        if data is None:
            data = tiles.read_wider(Tile(None, index, TILE_WIDTH).path, width)  # the log went on a little further
        if data is None:
            raise IntegrityFailure(f"the entry bundle {index} is missing")
        tell(width)
        yield from parse_bundle(data)[:width]
