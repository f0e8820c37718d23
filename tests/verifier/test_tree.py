"""The verifier's tree from tiles: roots and tiles at every border, and the memory that a large log needs."""

from __future__ import annotations

import tracemalloc
from hashlib import sha256

import pytest

from tests.support.made_log import hash_tiles, mth
from verifier.merkle import root_of_hashes, root_of_joined
from verifier.tiles import LogTree, tile_layout, tile_path

HASHES = [sha256(n.to_bytes(4, "big")).digest() for n in range(256**2 + 300)]


def built(size: int) -> LogTree:
    tree = LogTree(size)
    for start in range(0, size, 256):
        tree.add_tile(b"".join(HASHES[start : min(start + 256, size)]))
    return tree


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 511, 512, 513, 700])
def test_tiles_and_roots_of_small_logs(size: int) -> None:
    tree, tiles = built(size), hash_tiles(HASHES[:size])
    assert {tile_path(*place): tree.tile(*place) for place in tile_layout(size)} == tiles
    for older in {*range(0, size, 61), max(size - 1, 0), size}:
        assert tree.root(older) == root_of_hashes(HASHES[:older])
    assert tree.root(size) == mth(HASHES[:size])


@pytest.mark.parametrize("size", [256**2 - 1, 256**2, len(HASHES)])
def test_roots_around_three_levels(size: int) -> None:
    tree = built(size)
    assert len(tree.levels) == (3 if size >= 256**2 else 2)
    for older in (257, size - 1, size):
        assert tree.root(older) == root_of_hashes(HASHES[:older])


def test_root_of_a_full_tile() -> None:
    for count in (1, 2, 64, 256):
        assert root_of_joined(b"".join(HASHES[:count])) == mth(HASHES[:count])


def test_a_hash_takes_little_more_than_its_bytes() -> None:
    """A million entries leave room in 300 MB; as objects of Python their hashes alone would take a third of it."""
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    tree = built(len(HASHES))
    taken = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert tree.size == len(HASHES)
    assert taken < 40 * len(HASHES)
