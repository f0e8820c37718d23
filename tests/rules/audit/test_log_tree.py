from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.build.signed_log import VECTORS
from trading.audit.rules import tree
from trading.kernel.errors import InvalidInput

LEAVES = [str(n).encode() for n in range(600)]
HASHES = [tree.leaf_hash(leaf) for leaf in LEAVES]
NODE = tree.nodes_of(HASHES)
SIZES = st.integers(0, len(LEAVES))


def naive_root(leaves: list[bytes]) -> bytes:
    """The recursion of RFC 6962 §2.1, word for word."""
    if len(leaves) < 2:
        return hashlib.sha256(b"\0" + leaves[0] if leaves else b"").digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\1" + naive_root(leaves[:k]) + naive_root(leaves[k:])).digest()


def naive_path(m: int, leaves: list[bytes]) -> list[bytes]:
    if len(leaves) == 1:
        return []
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m < k:
        return [*naive_path(m, leaves[:k]), naive_root(leaves[k:])]
    return [*naive_path(m - k, leaves[k:]), naive_root(leaves[:k])]


def naive_subproof(m: int, leaves: list[bytes], *, whole: bool) -> list[bytes]:
    if m == len(leaves):
        return [] if whole else [naive_root(leaves)]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m <= k:
        return [*naive_subproof(m, leaves[:k], whole=whole), naive_root(leaves[k:])]
    return [*naive_subproof(m - k, leaves[k:], whole=False), naive_root(leaves[:k])]


def test_roots_of_the_vectors() -> None:
    merkle = VECTORS["merkle"]
    leaves = [bytes.fromhex(leaf) for leaf in merkle["leaves_hex"]]
    assert tree.tree_root([]).hex() == merkle["empty"] == tree.EMPTY_ROOT.hex()
    assert [tree.tree_root(leaves[:size]).hex() for size in (1, 2, 3)] == [
        merkle["root1"],
        merkle["root2"],
        merkle["root3"],
    ]


def test_manifest_roots_of_the_vectors() -> None:
    two = VECTORS["bids_root2"]
    assert tree.tree_root([leaf.encode() for leaf in two["leaves"]]).hex() == two["root"]
    assert tree.tree_root([]).hex() == two["root_of_no_bids"]
    one = VECTORS["al1_log"]
    assert tree.tree_root([one["bids_root_leaf"].encode()]).hex() == one["bids_root"]


@given(SIZES)
def test_root_equals_the_recursion(size: int) -> None:
    assert tree.root_of_hashes(HASHES[:size]) == naive_root(LEAVES[:size])
    assert tree.range_root(0, size, NODE) == naive_root(LEAVES[:size])


@given(SIZES.filter(bool).flatmap(lambda size: st.tuples(st.integers(0, size - 1), st.just(size))))
def test_inclusion_equals_the_recursion_and_verifies(case: tuple[int, int]) -> None:
    index, size = case
    path = tree.inclusion_proof(index, size, NODE)
    assert path == naive_path(index, LEAVES[:size])
    root = naive_root(LEAVES[:size])
    tree.verify_inclusion(index, size, HASHES[index], path, root)
    for wrong in {index ^ 1, index + 1, 0, size - 1} - {index}:
        with pytest.raises(InvalidInput, match=r"proof\."):
            tree.verify_inclusion(wrong, size, HASHES[index], path, root)
    for wrong_size in {size + 1, size - 1, 2 * size + 1} - set(range(len(LEAVES) + 1, 3 * len(LEAVES))):
        with pytest.raises(InvalidInput, match=r"proof\."):
            tree.verify_inclusion(index, wrong_size, HASHES[index], path, naive_root(LEAVES[:wrong_size]))


@given(SIZES.flatmap(lambda new: st.tuples(st.integers(0, new), st.just(new))))
def test_consistency_equals_the_recursion_and_verifies(case: tuple[int, int]) -> None:
    old, new = case
    proof = tree.consistency_proof(old, new, NODE)
    assert proof == ([] if old == 0 else naive_subproof(old, LEAVES[:new], whole=True))
    old_root, new_root = naive_root(LEAVES[:old]), naive_root(LEAVES[:new])
    tree.verify_consistency(old, new, proof, old_root, new_root)
    other = naive_root([*LEAVES[1 : old + 1]])
    if old > 0:
        with pytest.raises(InvalidInput, match=r"proof\."):
            tree.verify_consistency(old, new, proof, other, new_root)
        with pytest.raises(InvalidInput, match=r"proof\."):
            tree.verify_consistency(old, new, proof, old_root, other)
    with pytest.raises(InvalidInput, match=r"proof\."):
        tree.verify_consistency(old, new, [*proof, b"x" * 32], old_root, new_root)
    if proof:
        with pytest.raises(InvalidInput, match=r"proof\."):
            tree.verify_consistency(old, new, proof[:-1], old_root, new_root)
        with pytest.raises(InvalidInput, match=r"proof\."):
            tree.verify_consistency(old, new, proof[1:], old_root, new_root)


@pytest.mark.parametrize(("index", "size"), [(0, 1), (1, 3), (2, 3), (5, 7), (6, 7), (3, 8)])
def test_every_flipped_bit_of_an_inclusion_proof(index: int, size: int) -> None:
    path = tree.inclusion_proof(index, size, NODE)
    parts = [HASHES[index], tree.root_of_hashes(HASHES[:size]), *path]
    tree.verify_inclusion(index, size, parts[0], parts[2:], parts[1])
    for which in range(len(parts)):
        for bit in range(256):
            changed = list(parts)
            data = bytearray(parts[which])
            data[bit // 8] ^= 1 << bit % 8
            changed[which] = bytes(data)
            with pytest.raises(InvalidInput, match=r"proof\.wrong_root"):
                tree.verify_inclusion(index, size, changed[0], changed[2:], changed[1])


@pytest.mark.parametrize(("old", "new"), [(1, 2), (1, 3), (3, 7), (4, 7), (6, 8), (7, 8)])
def test_every_flipped_bit_of_a_consistency_proof(old: int, new: int) -> None:
    proof = tree.consistency_proof(old, new, NODE)
    parts = [tree.root_of_hashes(HASHES[:old]), tree.root_of_hashes(HASHES[:new]), *proof]
    for which in range(len(parts)):
        for bit in range(256):
            changed = list(parts)
            data = bytearray(parts[which])
            data[bit // 8] ^= 1 << bit % 8
            changed[which] = bytes(data)
            with pytest.raises(InvalidInput, match=r"proof\.wrong_root"):
                tree.verify_consistency(old, new, changed[2:], changed[0], changed[1])


@pytest.mark.parametrize("length", [0, 31, 33])
def test_hashes_of_other_lengths(length: int) -> None:
    bad = b"x" * length
    root, path = tree.root_of_hashes(HASHES[:7]), tree.inclusion_proof(3, 7, NODE)
    proof, old_root = tree.consistency_proof(3, 7, NODE), tree.root_of_hashes(HASHES[:3])
    calls: list[Callable[[], object]] = [
        lambda: tree.verify_inclusion(3, 7, bad, path, root),
        lambda: tree.verify_inclusion(3, 7, HASHES[3], path, bad),
        lambda: tree.verify_inclusion(3, 7, HASHES[3], [*path[:-1], bad], root),
        lambda: tree.verify_inclusion(0, 1, bad, [], bad),
        lambda: tree.verify_consistency(3, 7, proof, bad, root),
        lambda: tree.verify_consistency(3, 7, proof, old_root, bad),
        lambda: tree.verify_consistency(3, 7, [bad, *proof[1:]], old_root, root),
        lambda: tree.verify_consistency(5, 5, [], bad, bad),  # equal and empty, and yet no hashes
    ]
    for call in calls:
        with pytest.raises(InvalidInput, match=r"proof\.bad_hash"):
            call()


def test_sizes_and_indices_out_of_range() -> None:
    root, path = tree.root_of_hashes(HASHES[:4]), tree.inclusion_proof(3, 4, NODE)
    for index, size in ((4, 4), (5, 4), (-1, 4), (0, 0), (0, 2**63)):
        with pytest.raises(InvalidInput, match=r"proof\.bad_index"):
            tree.verify_inclusion(index, size, HASHES[3], path, root)
    for old, new in ((5, 4), (-1, 4), (0, 2**63)):
        with pytest.raises(InvalidInput, match=r"proof\.bad_index"):
            tree.verify_consistency(old, new, [], root, root)
    with pytest.raises(InvalidInput, match=r"proof\.too_long"):
        tree.verify_inclusion(3, 4, HASHES[3], [root] * 64, root)
    with pytest.raises(InvalidInput, match=r"proof\.too_long"):
        tree.verify_inclusion(3, 4, HASHES[3], [*path, root], root)
    with pytest.raises(InvalidInput, match=r"proof\.too_short"):
        tree.verify_inclusion(3, 4, HASHES[3], path[:1], root)
    with pytest.raises(InvalidInput, match=r"proof\.too_short"):
        tree.verify_consistency(3, 7, [], root, root)
    with pytest.raises(InvalidInput, match=r"proof\.wrong_root"):
        tree.verify_consistency(0, 4, [], root, root)
    with pytest.raises(ValueError, match="below the size"):
        tree.inclusion_proof(4, 4, NODE)
    with pytest.raises(ValueError, match="smaller size"):
        tree.consistency_proof(5, 4, NODE)


def lax_root(index: int, size: int, leaf: bytes, path: list[bytes]) -> bytes:
    """Negative control: the walk without its last condition, as in proof code that does not consume the size."""
    fn, sn, root = index, size - 1, leaf
    for sibling in path:
        if fn & 1 or fn == sn:
            root = tree.node_hash(sibling, root)
            while not fn & 1 and fn:
                fn >>= 1
                sn >>= 1
        else:
            root = tree.node_hash(root, sibling)
        fn >>= 1
        sn >>= 1
    return root


def test_the_last_condition_is_needed() -> None:
    path = tree.inclusion_proof(0, 4, NODE)
    root = tree.root_of_hashes(HASHES[:4])
    # The same bytes read as a larger tree: the lax walk believes that 1 000 leaves hang under the root of 4.
    assert lax_root(0, 1000, HASHES[0], path) == root
    with pytest.raises(InvalidInput, match=r"proof\.too_short"):
        tree.verify_inclusion(0, 1000, HASHES[0], path, root)
