"""C2SP ``tlog-tiles``: names and bytes of tiles and entry bundles, the growing tree, nodes read back (AL1 L1.4).

A hash tile holds up to 256 hashes of one level; a full one is summed up by one hash of the level above. Tiles and
bundles are derived from the entries alone, so they can be rebuilt at any time.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from trading.audit.rules.tree import (
    EMPTY_ROOT,
    HASH_BYTES,
    MAX_SIZE,
    leaf_hash,
    node_hash,
    parents,
    perfect_nodes,
    root_of_hashes,
)
from trading.kernel.errors import InvalidInput

TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
MAX_LEVEL = 7  # 256^8 leaves are more than ``MAX_SIZE``
MAX_ENTRY = 65_535
_PATH = re.compile(r"tile/(?:(entries)|(0|[1-9][0-9]?))/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")

#: ``(level, index, width)`` → bytes of that hash tile, of which at least ``width`` hashes must be present.
TileReader: TypeAlias = Callable[[int, int, int], bytes]
#: path → bytes of the file, or ``None`` if there is none.
FileReader: TypeAlias = Callable[[str], bytes | None]
#: ``(path, width)`` → bytes of a partial tile of ``path`` with that many hashes or more, or ``None``.
WiderReader: TypeAlias = Callable[[str, int], bytes | None]


@dataclass(frozen=True, slots=True, order=True)
class Tile:
    """Name of a hash tile, or of an entry bundle if ``level`` is ``None``.

    Attributes:
        level: 0 for leaf hashes up to 7, or ``None`` for entries.
        index: Number of the tile in its level, from 0.
        width: 256 if full, otherwise 1 to 255.
    """

    level: int | None
    index: int
    width: int = TILE_WIDTH

    @property
    def path(self) -> str:
        """Return the relative path, e.g. ``tile/0/x001/234.p/17``."""
        folder = "entries" if self.level is None else str(self.level)
        groups = [f"{self.index % 1000:03d}"]
        rest = self.index // 1000
        while rest:
            groups.insert(0, f"x{rest % 1000:03d}")
            rest //= 1000
        partial = "" if self.width == TILE_WIDTH else f".p/{self.width}"
        return f"tile/{folder}/{'/'.join(groups)}{partial}"


def parse_tile_path(path: str) -> Tile:
    """Read a tile path strictly: the only path of a tile is the one that ``Tile.path`` returns.

    Raises:
        InvalidInput: ``tile.bad_path``.
    """
    match = _PATH.fullmatch(path)
    if match is None or len(path) > len("tile/entries/") + 64:
        raise InvalidInput("tile.bad_path", path[:100])
    entries, level, number, width = match.groups()
    tile = Tile(
        None if entries else int(level),
        int(number.replace("x", "").replace("/", "")),
        TILE_WIDTH if width is None else int(width),
    )
    if tile.path != path or tile.width > TILE_WIDTH or (tile.level is not None and tile.level > MAX_LEVEL):
        raise InvalidInput("tile.bad_path", path)
    return tile


def tiles_of(size: int) -> Iterator[Tile]:
    """Yield every hash tile and entry bundle of the tree of ``size`` leaves; empty tiles do not exist."""
    yield from changed_tiles(0, size)


def changed_tiles(old: int, new: int) -> Iterator[Tile]:
    """Yield the hash tiles and bundles that must be written when the tree grows from ``old`` to ``new`` leaves.

    Bundles first, then level by level. Tiles that are full already at ``old`` never change.
    """
    for level in (None, *range(MAX_LEVEL + 1)):
        shift = TILE_HEIGHT * (level or 0)
        low, high = old >> shift, new >> shift
        if low == high:
            continue
        for index in range(low // TILE_WIDTH, (high - 1) // TILE_WIDTH + 1):
            yield Tile(level, index, min(TILE_WIDTH, high - index * TILE_WIDTH))


def bundle_bytes(entries: Iterable[bytes]) -> bytes:
    """Return entries with their u16 big-endian length prefixes.

    Raises:
        ValueError: An entry of more than 65 535 bytes. A bug.
    """
    parts: list[bytes] = []
    for entry in entries:
        if len(entry) > MAX_ENTRY:
            raise ValueError("an entry has at most 65 535 bytes")
        parts += (len(entry).to_bytes(2, "big"), entry)
    return b"".join(parts)


def parse_bundle(data: bytes, count: int | None = None) -> list[bytes]:
    """Split an entry bundle; ``count`` is the width that its name promises.

    Raises:
        InvalidInput: ``tile.malformed``: cut off, or another number of entries.
    """
    entries: list[bytes] = []
    at = 0
    while at < len(data):
        start = at + 2
        at = start + int.from_bytes(data[at:start], "big")
        if start > len(data) or at > len(data):
            raise InvalidInput("tile.malformed", "an entry bundle is cut off")
        entries.append(data[start:at])
    if count is not None and len(entries) != count:
        raise InvalidInput("tile.malformed", f"an entry bundle of {len(entries)} entries instead of {count}")
    return entries


def split_hashes(data: bytes, count: int | None = None) -> list[bytes]:
    """Split a hash tile into its hashes; ``count`` is the width that its name promises.

    Raises:
        InvalidInput: ``tile.malformed``.
    """
    width, rest = divmod(len(data), HASH_BYTES)
    if rest or not 1 <= width <= TILE_WIDTH or (count is not None and width != count):
        raise InvalidInput("tile.malformed", f"a hash tile of {len(data)} bytes")
    return [data[i : i + HASH_BYTES] for i in range(0, len(data), HASH_BYTES)]


def tile_width(level: int, index: int, size: int) -> int:
    """Return how many hashes a tile holds in the tree of ``size`` leaves; 0 if it does not exist."""
    return max(0, min(TILE_WIDTH, (size >> TILE_HEIGHT * level) - index * TILE_WIDTH))


def file_reader(read: FileReader, head: int = 0, *, wider: WiderReader | None = None) -> TileReader:
    """Return a tile reader over files that finds a partial tile also as the beginning of a wider one.

    Not every size has its own partial tiles: they are written once a batch, and dropped when the full tile exists.

    Args:
        read: Returns a file or ``None``.
        head: Size up to which the files are known to stand, e.g. that of the newest checkpoint.
        wider: Looks for any wider partial tile, where no size is known.

    Raises:
        InvalidInput: ``tile.missing`` (from the reader it returns).
    """

    def read_tile(level: int, index: int, width: int) -> bytes:
        for candidate in dict.fromkeys((width, tile_width(level, index, head), TILE_WIDTH)):
            data = read(Tile(level, index, candidate).path) if candidate >= width else None
            if data is not None:
                return data
        if wider is not None:
            full = Tile(level, index).path
            data = wider(full, width) or read(full)  # it may have become full while we looked for it
            if data is not None:
                return data
        raise InvalidInput("tile.missing", Tile(level, index, width).path)

    return read_tile


class TiledNodes:
    """Complete subtrees of the tree of ``size`` leaves read from tiles; a ``NodeReader`` for the proofs of ``tree``.

    Parsed tiles are cached with their inner levels, so building many proofs near each other costs few reads. Instances
    are not shared between threads.
    """

    def __init__(self, size: int, read: TileReader, *, cached_tiles: int = 1024) -> None:
        if not 0 <= size <= MAX_SIZE:
            raise ValueError("a tree size lies between 0 and 2^63−1")
        self.size = size
        self._read = read
        self._limit = cached_tiles
        self._cache: OrderedDict[tuple[int, int], list[list[bytes]]] = OrderedDict()

    def resized(self, size: int) -> TiledNodes:
        """Return the reader for a later or earlier size; full tiles stay cached, partial ones are read again."""
        other = TiledNodes(size, self._read, cached_tiles=self._limit)
        for (level, index), levels in self._cache.items():
            if len(levels[0]) == TILE_WIDTH:
                other._cache[level, index] = levels
        return other

    def __call__(self, level: int, index: int) -> bytes:
        """Return the hash of the complete subtree ``index`` at ``level``.

        Raises:
            ValueError: The subtree is not inside the tree. A bug.
            InvalidInput: ``tile.malformed``: the tile is shorter than its name says.
        """
        if index < 0 or (index + 1) << level > self.size:
            raise ValueError("that subtree is not complete in this tree")
        inner = level % TILE_HEIGHT
        tile_index, offset = divmod(index << inner, TILE_WIDTH)
        return self._levels(level // TILE_HEIGHT, tile_index)[inner][offset >> inner]

    def root(self) -> bytes:
        """Return the root of the whole tree."""
        return _fold([self(level, index) for level, index in perfect_nodes(0, self.size)])

    def _levels(self, level: int, index: int) -> list[list[bytes]]:
        key = (level, index)
        found = self._cache.get(key)
        if found is not None:
            self._cache.move_to_end(key)
            return found
        width = tile_width(level, index, self.size)
        hashes = split_hashes(self._read(level, index, width))
        if len(hashes) < width:
            raise InvalidInput("tile.malformed", f"{Tile(level, index, width).path} has only {len(hashes)} hashes")
        levels = [hashes[:width]]
        for _ in range(TILE_HEIGHT - 1):
            levels.append(parents(levels[-1]))
        self._cache[key] = levels
        if len(self._cache) > self._limit:
            self._cache.popitem(last=False)
        return levels


def _fold(peaks: Sequence[bytes]) -> bytes:
    """Return the root over complete subtrees of falling size, left to right."""
    if not peaks:
        return EMPTY_ROOT
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root = node_hash(peak, root)
    return root


class GrowingTree:
    """The working tree of the sequencer: append entries, ask for the root at any size, take the files to write.

    It holds the open tile of each level and the open bundle, nothing else, so memory does not grow with the log.
    """

    def __init__(self) -> None:
        self.size = 0
        self._open: list[list[bytes]] = [[] for _ in range(MAX_LEVEL + 1)]  # hashes of the open tile of each level
        self._bundle: list[bytes] = []
        self._done: list[tuple[str, bytes]] = []  # tiles that became full since the last take_files
        self._taken = 0

    @classmethod
    def load(cls, size: int, read: FileReader) -> GrowingTree:
        """Rebuild the state at ``size`` from the open tiles and the open bundle.

        The caller compares ``root()`` with the head: a tile that does not belong to the log shows there.

        Raises:
            InvalidInput: ``tile.missing`` or ``tile.malformed``.
        """
        tree = cls()
        tree.size = tree._taken = size
        read_tile = file_reader(read)
        for level in range(MAX_LEVEL + 1):
            index, width = divmod(size >> TILE_HEIGHT * level, TILE_WIDTH)
            if width:
                tree._open[level] = split_hashes(read_tile(level, index, width))[:width]
                if len(tree._open[level]) < width:
                    raise InvalidInput("tile.malformed", Tile(level, index, width).path)
        tree._load_bundle(read)
        return tree

    def _load_bundle(self, read: FileReader) -> None:
        index, width = divmod(self.size, TILE_WIDTH)
        if not width:
            return
        path = Tile(None, index, width).path
        data = read(path)
        if data is None:
            data = read(Tile(None, index).path)
        if data is None:
            raise InvalidInput("tile.missing", path)
        self._bundle = parse_bundle(data)[:width]
        if [leaf_hash(entry) for entry in self._bundle] != self._open[0]:
            raise InvalidInput("tile.malformed", f"{path} does not hash to the leaf tile")

    def extend(self, entries: Iterable[bytes]) -> list[bytes]:
        """Append entries and return their leaf hashes."""
        hashes: list[bytes] = []
        leaves = self._open[0]
        for entry in entries:
            value = leaf_hash(entry)
            hashes.append(value)
            leaves.append(value)
            self._bundle.append(entry)
            self.size += 1
            if len(leaves) == TILE_WIDTH:
                self._close_leaf_tile()
                leaves = self._open[0]
        return hashes

    def _close_leaf_tile(self) -> None:
        index = self.size // TILE_WIDTH - 1
        self._done.append((Tile(None, index).path, bundle_bytes(self._bundle)))
        self._bundle = []
        level = 0
        while len(self._open[level]) == TILE_WIDTH:
            self._done.append((Tile(level, index).path, b"".join(self._open[level])))
            self._open[level + 1].append(root_of_hashes(self._open[level]))
            self._open[level] = []
            index //= TILE_WIDTH
            level += 1

    def root(self) -> bytes:
        """Return the root at the present size."""
        peaks: list[bytes] = []
        for hashes in reversed(self._open):
            for level, index in perfect_nodes(0, len(hashes)):
                peaks.append(root_of_hashes(hashes[index << level : (index + 1) << level]))
        return _fold(peaks)

    def take_files(self) -> list[tuple[str, bytes]]:
        """Return ``(path, bytes)`` of every tile and bundle changed since the last call, full and partial.

        Between two calls the tree may have grown through several sizes; only the last one gets partial tiles, since a
        partial tile of a smaller size is a prefix of a larger one (AL1 L9).
        """
        if self._taken == self.size:
            return []
        files, self._done = self._done, []
        for level, hashes in enumerate(self._open):
            shift = TILE_HEIGHT * level
            if hashes and self._taken >> shift != self.size >> shift:
                files.append((Tile(level, (self.size >> shift) // TILE_WIDTH, len(hashes)).path, b"".join(hashes)))
        if self._bundle:
            path = Tile(None, self.size // TILE_WIDTH, len(self._bundle)).path
            files.append((path, bundle_bytes(self._bundle)))
        self._taken = self.size
        return files
