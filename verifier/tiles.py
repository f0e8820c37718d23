"""The whole log from its tiles: chain, entry bundles, every hash tile, root (AL1 L1.2, L1.4, L12.2 AL-09).

One pass hashes every entry once and every inner node once; afterwards the root of any smaller size is a few hashes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from hashlib import sha256

from verifier.bundle import Bundle, BundleFault
from verifier.hashing import genesis
from verifier.merkle import EMPTY_ROOT, HASH_BYTES, node_hash, root_of_joined

TILE_WIDTH = 256
TILE_BYTES = TILE_WIDTH * HASH_BYTES
ENTRY_RULE = re.compile(
    rb'\{"h":"([0-9a-f]{64})","n":(0|[1-9][0-9]*),"p":"([0-9a-f]{64})",(?:"q":"([0-9a-f]{64})",)?"t":(0|[1-9][0-9]{0,15}),"v":1\}'
)
ENTRIES_LIMIT = TILE_WIDTH * (65535 + 2)


class TreeFault(ValueError):
    """The entries, the chain or the tiles do not fit together; the text names the file or the entry."""


def tile_path(level: int | str, number: int, width: int = TILE_WIDTH) -> str:
    """Return the path of a tile; ``level`` is a number or ``entries``, ``width`` below 256 makes it partial."""
    groups = [f"{number % 1000:03d}"]
    while number >= 1000:
        number //= 1000
        groups.insert(0, f"x{number % 1000:03d}")
    return f"tile/{level}/{'/'.join(groups)}" + (f".p/{width}" if width < TILE_WIDTH else "")


def tile_layout(size: int) -> Iterator[tuple[int, int, int]]:
    """Yield (level, number, width) of every hash tile of a tree of ``size`` entries (AL1 L1.4)."""
    level, count = 0, size
    while count:
        for number in range(count // TILE_WIDTH):
            yield level, number, TILE_WIDTH
        if count % TILE_WIDTH:
            yield level, count // TILE_WIDTH, count % TILE_WIDTH
        level, count = level + 1, count // TILE_WIDTH


class LogTree:
    """The hashes of a fully checked log: ``levels[l]`` holds the hashes of complete subtrees of 256^l leaves.

    They stand one after the other, 32 bytes each: as objects of their own, those of a million entries would take three
    times as much memory.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.levels = [bytearray()]

    def add_tile(self, hashes: bytes) -> None:
        """Append up to 256 leaf hashes; a full tile moves one hash up, and so on."""
        level = 0
        self.levels[0] += hashes
        while self.levels[level] and len(self.levels[level]) % TILE_BYTES == 0:
            if len(self.levels) == level + 1:
                self.levels.append(bytearray())
            self.levels[level + 1] += root_of_joined(bytes(self.levels[level][-TILE_BYTES:]))
            level += 1

    def tile(self, level: int, number: int, width: int) -> bytes:
        """Return the bytes a hash tile must have."""
        start = number * TILE_BYTES
        return bytes(self.levels[level][start : start + width * HASH_BYTES])

    def root(self, size: int) -> bytes:
        """Return the root of the first ``size`` entries from the complete subtrees below it."""
        if size == 0:
            return EMPTY_ROOT
        right: bytes | None = None
        start, peaks = 0, []
        for level in range(len(self.levels) - 1, -1, -1):
            step = TILE_WIDTH**level
            count = (size - start) // step
            first = start // step
            peaks += _peaks(bytes(self.levels[level][first * HASH_BYTES : (first + count) * HASH_BYTES]))
            start += count * step
        for peak in reversed(peaks):
            right = peak if right is None else node_hash(peak, right)
        return right or EMPTY_ROOT


def _peaks(hashes: bytes) -> list[bytes]:
    """Return the roots of the complete subtrees (powers of two, descending) that cover ``hashes``."""
    peaks, start = [], 0
    while start < len(hashes):
        width = HASH_BYTES << (((len(hashes) - start) // HASH_BYTES).bit_length() - 1)
        peaks.append(root_of_joined(hashes[start : start + width]))
        start += width
    return peaks


EntrySink = Callable[[int, bytes, int], None]


def read_log(bundle: Bundle, origin: str, size: int, sink: EntrySink, *, chained: bool = True) -> LogTree:
    """Read all entries in order, check canon, numbering, chain and time order, and call ``sink(n, h hex, t)``.

    ``chained=False`` is the negative control of the tests: a reader that trusts the tree alone.

    Raises:
        TreeFault: The first entry that breaks a rule.
        BundleFault: A tile is missing or unreadable.
    """
    tree, chain = LogTree(size), EntryChain(origin, chained=chained)
    for number in range((size + TILE_WIDTH - 1) // TILE_WIDTH):
        width = min(TILE_WIDTH, size - number * TILE_WIDTH)
        path = tile_path("entries", number, width)
        entries = split_entries(bundle.read(path, ENTRIES_LIMIT), path)
        if len(entries) != width:
            raise TreeFault(f"{path}: {len(entries)} entries instead of {width}")
        hashes = []
        for offset, entry in enumerate(entries):
            n = number * TILE_WIDTH + offset
            h, t = chain.take(n, entry)
            hashes.append(chain.leaf)
            sink(n, h, t)
        tree.add_tile(b"".join(hashes))
    return tree


class EntryChain:
    """The running state of the chain: the last leaf hash, the last time, and whether the log has ``q``."""

    def __init__(self, origin: str, *, chained: bool = True) -> None:
        self.leaf = genesis(origin)
        self._before = b"mingbiao/al1/genesis\0" + origin.encode()
        self._expected = self.leaf.hex().encode()
        self._time = 0
        self._with_q: bool | None = None
        self._chained = chained

    def take(self, n: int, entry: bytes) -> tuple[bytes, int]:
        """Check entry ``n`` against the one before and return its ``h`` (hex) and ``t``.

        Raises:
            TreeFault: Not canonical, wrong n, p, q, or t smaller than before.
        """
        match = ENTRY_RULE.fullmatch(entry)
        if match is None:
            raise TreeFault(f"entry {n}: not a canonical entry")
        h, number, p, q, time = match.groups()
        if int(number) != n:
            raise TreeFault(f"entry {n}: carries the number {int(number)}")
        if self._chained and p != self._expected:
            raise TreeFault(f"entry {n}: p is not the leaf hash of the entry before")
        t = int(time)
        if t < self._time:
            raise TreeFault(f"entry {n}: t decreases")
        if q is not None or self._with_q is not False:
            self._check_q(n, q)
        self._time = t
        self._before = b"\0" + entry
        self.leaf = sha256(self._before).digest()
        self._expected = self.leaf.hex().encode()
        return h, t

    def _check_q(self, n: int, q: bytes | None) -> None:
        if self._with_q is None:
            self._with_q = q is not None
        if (q is not None) != self._with_q:
            raise TreeFault(f"entry {n}: field q is not in every entry")
        if q is not None and q != sm3(self._before).hex().encode():
            raise TreeFault(f"entry {n}: q is not the SM3 of the entry before")


def sm3(data: bytes) -> bytes:
    """Return SM3 of ``data``.

    Raises:
        ValueError: This Python's OpenSSL has no SM3.
    """
    return hashlib.new("sm3", data).digest()


def split_entries(data: bytes, path: str) -> list[bytes]:
    """Return the entries of an entry bundle, each with a u16 length before it.

    Raises:
        TreeFault: A length that runs past the end.
    """
    entries, position = [], 0
    while position < len(data):
        end = position + 2 + int.from_bytes(data[position : position + 2], "big")
        if end > len(data) or position + 2 > len(data):
            raise TreeFault(f"{path}: entry cut off")
        entries.append(data[position + 2 : end])
        position = end
    return entries


def _first_other(place: tuple[int, int, int], found: bytes, hashed: bytes) -> str:
    """Name the entries under the first hash of a tile that differs."""
    level, number, _ = place
    at = next(
        at for at in range(0, TILE_BYTES, HASH_BYTES) if found[at : at + HASH_BYTES] != hashed[at : at + HASH_BYTES]
    )
    span = TILE_WIDTH**level
    start = (number * TILE_WIDTH + at // HASH_BYTES) * span
    return f"at entry {start}" if level == 0 else f"over entries {start} to {start + span - 1}"


def check_tiles(bundle: Bundle, tree: LogTree) -> Iterator[str]:
    """Yield one sentence per hash tile that is missing, wrong, or not part of a tree of this size."""
    expected = {
        tile_path(level, number, width): (level, number, width) for level, number, width in tile_layout(tree.size)
    }
    for path, place in expected.items():
        try:
            found, hashed = bundle.read(path, TILE_BYTES), tree.tile(*place)
            if found != hashed:
                yield f"{path}: differs from the hashes of the entries, first {_first_other(place, found, hashed)}"
        except BundleFault as error:
            yield str(error)
    entries = {
        tile_path("entries", number, min(TILE_WIDTH, tree.size - number * TILE_WIDTH))
        for number in range((tree.size + TILE_WIDTH - 1) // TILE_WIDTH)
    }
    for path in bundle.under("tile/"):
        if path not in expected and path not in entries:
            yield f"{path}: not a tile of a tree of size {tree.size}"
