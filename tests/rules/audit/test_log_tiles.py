from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.audit.rules import tree
from trading.audit.rules.tiles import (
    GrowingTree,
    Tile,
    TiledNodes,
    bundle_bytes,
    changed_tiles,
    file_reader,
    parse_bundle,
    parse_tile_path,
    split_hashes,
    tiles_of,
)
from trading.kernel.errors import InvalidInput

ENTRIES = [b"entry %d" % n for n in range(700)]
HASHES = [tree.leaf_hash(entry) for entry in ENTRIES]
STEPS = st.lists(st.integers(1, 300), max_size=6)


def grown(steps: list[int]) -> tuple[GrowingTree, dict[str, bytes]]:
    growing, size = GrowingTree(), 0
    files: dict[str, bytes] = {}
    for step in steps:
        new = min(size + step, len(ENTRIES))
        assert growing.extend(ENTRIES[size:new]) == HASHES[size:new]
        taken = growing.take_files()
        assert {path for path, _ in taken} == {tile.path for tile in changed_tiles(size, new)}
        files |= dict(taken)
        size = new
    return growing, files


@settings(max_examples=40, deadline=None)
@given(STEPS)
def test_growth_writes_the_right_tiles_and_reads_back(steps: list[int]) -> None:
    growing, files = grown(steps)
    size = growing.size
    root = tree.root_of_hashes(HASHES[:size])
    assert growing.root() == root
    nodes = TiledNodes(size, file_reader(files.get))
    assert nodes.root() == root
    assert GrowingTree.load(size, files.get).root() == root
    for index in {0, size // 2, size - 1} if size else ():
        path = tree.inclusion_proof(index, size, nodes)
        assert path == tree.inclusion_proof(index, size, tree.nodes_of(HASHES))
        old_proof = tree.consistency_proof(index, size, nodes)
        assert old_proof == tree.consistency_proof(index, size, tree.nodes_of(HASHES))


@settings(max_examples=25, deadline=None)
@given(STEPS)
def test_tiles_are_rebuilt_the_same(steps: list[int]) -> None:
    growing, files = grown(steps)
    rebuilt = GrowingTree()
    rebuilt.extend(ENTRIES[: growing.size])
    again = dict(rebuilt.take_files())
    assert set(again) == {tile.path for tile in tiles_of(growing.size)}
    assert all(files[path] == data for path, data in again.items())
    for path, data in files.items():  # every partial tile ever written is a prefix of what stands there now
        tile = parse_tile_path(path)
        now = next(t for t in tiles_of(growing.size) if (t.level, t.index) == (tile.level, tile.index))
        assert again[now.path].startswith(data)


def test_a_restart_in_the_middle_changes_nothing() -> None:
    growing, files = grown([255, 1, 200])
    resumed = GrowingTree.load(growing.size, files.get)
    assert resumed.take_files() == []
    for one in (growing, resumed):
        one.extend(ENTRIES[456:700])
    assert resumed.root() == growing.root()
    assert dict(resumed.take_files()) == dict(growing.take_files())


def test_a_third_level_appears() -> None:
    growing = GrowingTree()
    hashes: list[bytes] = []
    for start in range(0, 65_800, 700):
        hashes += growing.extend(ENTRIES)
        assert growing.size == start + 700
    assert growing.root() == tree.root_of_hashes(hashes)
    files = dict(growing.take_files())
    assert len(files["tile/1/000"]) == 256 * 32
    assert len(files["tile/2/000.p/1"]) == 32
    nodes = TiledNodes(growing.size, file_reader(files.get))
    for index in (0, 65_535, 65_536, growing.size - 1):
        path = tree.inclusion_proof(index, growing.size, nodes)
        tree.verify_inclusion(index, growing.size, hashes[index], path, growing.root())


def test_one_take_after_several_sizes_has_one_partial_tile() -> None:
    growing = GrowingTree()
    growing.extend(ENTRIES[:300])
    boundary = growing.root()
    growing.extend(ENTRIES[300:520])
    assert boundary == tree.root_of_hashes(HASHES[:300])
    assert sorted(path for path, _ in growing.take_files()) == sorted(tile.path for tile in tiles_of(520))


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0), "tile/0/000"),
        (Tile(0, 1_234_067), "tile/0/x001/x234/067"),
        (Tile(3, 999, 1), "tile/3/999.p/1"),
        (Tile(None, 1000, 255), "tile/entries/x001/000.p/255"),
    ],
)
def test_paths(tile: Tile, path: str) -> None:
    assert tile.path == path
    assert parse_tile_path(path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tile/0/0",
        "tile/0/0000",
        "tile/00/000",
        "tile/8/000",
        "tile/0/x000/001",
        "tile/0/001/001",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000\n",
        "tile/0/../000",
        "tile/-1/000",
        "tile/0/" + "x999/" * 30 + "000",
    ],
)
def test_other_paths_are_refused(path: str) -> None:
    with pytest.raises(InvalidInput, match=r"tile\.bad_path"):
        parse_tile_path(path)


@given(st.integers(0, 2**55))
def test_every_index_has_one_path(index: int) -> None:
    assert parse_tile_path(Tile(0, index).path).index == index


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_bundles_read_back(entries: list[bytes]) -> None:
    data = bundle_bytes(entries)
    assert parse_bundle(data, len(entries)) == entries
    with pytest.raises(InvalidInput, match=r"tile\.malformed"):
        parse_bundle(data, len(entries) + 1)
    if data:
        with pytest.raises(InvalidInput, match=r"tile\.malformed"):
            parse_bundle(data[:-1], len(entries))


def test_damaged_tiles_are_refused() -> None:
    growing, files = grown([300])
    with pytest.raises(ValueError, match="65 535"):
        bundle_bytes([b"x" * 65_536])
    for data in (b"", b"x" * 31, b"x" * 33, b"x" * (257 * 32)):
        with pytest.raises(InvalidInput, match=r"tile\.malformed"):
            split_hashes(data)
    for path in ("tile/0/001.p/44", "tile/entries/001.p/44"):
        lost = {name: data for name, data in files.items() if name != path}
        with pytest.raises(InvalidInput, match=r"tile\.missing"):
            GrowingTree.load(growing.size, lost.get)
    swapped = files | {"tile/entries/001.p/44": bundle_bytes([*ENTRIES[256:299], b"other"])}
    with pytest.raises(InvalidInput, match=r"tile\.malformed"):
        GrowingTree.load(growing.size, swapped.get)
    short = files | {"tile/0/001.p/44": files["tile/0/001.p/44"][:-32]}
    with pytest.raises(InvalidInput, match=r"tile\.malformed"):
        GrowingTree.load(growing.size, short.get)
    with pytest.raises(InvalidInput, match=r"tile\.malformed"):
        TiledNodes(growing.size, file_reader(short.get)).root()
    changed = files | {"tile/0/001.p/44": files["tile/0/000"][: 44 * 32]}
    assert TiledNodes(growing.size, file_reader(changed.get)).root() != growing.root()


def test_a_wider_tile_serves_for_its_partial_ones() -> None:
    growing = GrowingTree()
    growing.extend(ENTRIES)
    files = dict(growing.take_files())  # no partial tile of size 300 exists here
    nodes = TiledNodes(700, file_reader(files.get, 700))
    smaller = nodes.resized(300)
    assert (nodes.root(), smaller.root()) == (growing.root(), tree.root_of_hashes(HASHES[:300]))
    with pytest.raises(InvalidInput, match=r"tile\.missing.*tile/1/000\.p/1"):
        TiledNodes(300, file_reader(files.get)).root()
    assert smaller.resized(700).root() == growing.root()
    with pytest.raises(ValueError, match="not complete"):
        smaller(0, 300)
    with pytest.raises(ValueError, match="tree size"):
        TiledNodes(-1, file_reader(files.get))


def test_the_cache_is_bounded() -> None:
    growing, files = grown([300, 300])
    nodes = TiledNodes(growing.size, file_reader(files.get), cached_tiles=1)
    for index in (0, 599, 0, 300):
        tree.verify_inclusion(index, 600, HASHES[index], tree.inclusion_proof(index, 600, nodes), growing.root())
    assert len(nodes._cache) == 1
