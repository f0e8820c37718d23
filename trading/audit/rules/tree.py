"""RFC 6962 trees over SHA-256: roots, inclusion proofs and consistency proofs (P4.3, AL1 L8.3).

Verification follows RFC 9162 §2.1.3.2 and §2.1.4.2 with both end conditions; every hash must have exactly 32 bytes,
also where the public vectors allow other lengths (AL1 L15).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from trading.kernel.errors import InvalidInput

HASH_BYTES = 32
MAX_PROOF = 63  # hashes in an inclusion or consistency proof (P12)
MAX_SIZE = 2**63 - 1
EMPTY_ROOT = hashlib.sha256(b"").digest()

#: ``(level, index)`` → hash of the complete subtree over the leaves ``index·2^level`` … ``(index + 1)·2^level − 1``.
NodeReader: TypeAlias = Callable[[int, int], bytes]


def leaf_hash(data: bytes) -> bytes:
    """Return ``SHA-256(0x00 ‖ data)``."""
    return hashlib.sha256(b"\0" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return ``SHA-256(0x01 ‖ left ‖ right)``."""
    return hashlib.sha256(b"\1" + left + right).digest()


def tree_root(leaves: Sequence[bytes]) -> bytes:
    """Return ``MTH`` of a list of leaf data (P4.3), e.g. the documents of a bid manifest."""
    return root_of_hashes([leaf_hash(leaf) for leaf in leaves])


def root_of_hashes(hashes: Sequence[bytes]) -> bytes:
    """Return the root over leaf hashes. A lone last node moves up unchanged, which is RFC 6962's uneven split."""
    if not hashes:
        return EMPTY_ROOT
    level = list(hashes)
    while len(level) > 1:
        level = parents(level) + ([level[-1]] if len(level) % 2 else [])
    return level[0]


def tree_levels(hashes: bytes) -> tuple[bytes, ...]:
    """Return all levels of a tree, leaf hashes first and the root last; in each, hashes stand one after the other.

    The same tree as that of ``root_of_hashes``. A level is one byte string, so that a tree over a million leaves needs
    no object for each of its nodes.
    """
    sha, level = hashlib.sha256, hashes
    levels = [level] if level else [EMPTY_ROOT]
    while len(level) > HASH_BYTES:
        paired = len(level) // (2 * HASH_BYTES) * 2 * HASH_BYTES
        pairs = range(0, paired, 2 * HASH_BYTES)
        level = b"".join([sha(b"\1" + level[at : at + 2 * HASH_BYTES]).digest() for at in pairs]) + level[paired:]
        levels.append(level)
    return tuple(levels)


def parents(hashes: Sequence[bytes]) -> list[bytes]:
    """Return the hashes of the complete pairs, one level up; a lone last hash is left out."""
    sha = hashlib.sha256
    return [sha(b"\1" + hashes[i] + hashes[i + 1]).digest() for i in range(0, len(hashes) - 1, 2)]


def nodes_of(leaf_hashes: Sequence[bytes]) -> NodeReader:
    """Return a reader of complete subtrees over leaf hashes in memory; for small trees and tests."""

    def read(level: int, index: int) -> bytes:
        width = 1 << level
        return root_of_hashes(leaf_hashes[index * width : (index + 1) * width])

    return read


def nodes_in(levels: Sequence[bytes]) -> NodeReader:
    """Return a reader of complete subtrees in the levels of a tree."""

    def read(level: int, index: int) -> bytes:
        return levels[level][index * HASH_BYTES : (index + 1) * HASH_BYTES]

    return read


def perfect_nodes(start: int, end: int) -> Iterator[tuple[int, int]]:
    """Split the leaves ``start … end − 1`` into complete subtrees, left to right, as ``(level, index)``.

    ``start`` is a multiple of the largest power of two that is not larger than ``end − start``, as in all subtrees of
    RFC 6962; so the levels fall from left to right.
    """
    while start < end:
        level = (end - start).bit_length() - 1
        yield level, start >> level
        start += 1 << level


def range_root(start: int, end: int, node: NodeReader) -> bytes:
    """Return the root of the RFC 6962 subtree over the leaves ``start … end − 1``."""
    hashes = [node(level, index) for level, index in perfect_nodes(start, end)]
    if not hashes:
        return EMPTY_ROOT
    root = hashes.pop()
    while hashes:
        root = node_hash(hashes.pop(), root)
    return root


def inclusion_proof(index: int, size: int, node: NodeReader) -> list[bytes]:
    """Return the path of leaf ``index`` in the tree of ``size`` leaves, the leaf's sibling first.

    Raises:
        ValueError: ``index`` is not below ``size``. A bug.
    """
    if not 0 <= index < size:
        raise ValueError("the index of a leaf lies below the size of its tree")
    ranges: list[tuple[int, int]] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + (1 << (end - start - 1).bit_length() - 1)
        if index < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    return [range_root(low, high, node) for low, high in reversed(ranges)]


def consistency_proof(old: int, new: int, node: NodeReader) -> list[bytes]:
    """Return the proof that the tree of ``new`` leaves begins with that of ``old`` (RFC 6962 §2.1.2).

    Empty if the sizes are equal or ``old`` is 0.

    Raises:
        ValueError: ``old`` is larger than ``new``. A bug.
    """
    if not 0 <= old <= new:
        raise ValueError("a consistency proof leads from the smaller size to the larger")
    if old in (0, new):
        return []
    ranges: list[tuple[int, int]] = []
    start, end = 0, new
    while old != end:
        middle = start + (1 << (end - start - 1).bit_length() - 1)
        if old <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    if start:  # otherwise the old tree is the left edge itself and its root is known to the verifier
        ranges.append((start, end))
    return [range_root(low, high, node) for low, high in reversed(ranges)]


def _check_hashes(proof: Sequence[bytes], *others: bytes) -> None:
    if len(proof) > MAX_PROOF:
        raise InvalidInput("proof.too_long", f"{len(proof)} hashes; at most {MAX_PROOF}")
    if any(len(value) != HASH_BYTES for value in (*proof, *others)):
        raise InvalidInput("proof.bad_hash", "a hash has not 32 bytes")


def root_from_inclusion(index: int, size: int, leaf: bytes, path: Sequence[bytes]) -> bytes:
    """Return the root that ``path`` leads to from the hash ``leaf`` (RFC 9162 §2.1.3.2).

    Raises:
        InvalidInput: ``proof.bad_index``, ``proof.bad_hash``, ``proof.too_long`` or ``proof.too_short``.
    """
    if not 0 <= index < size <= MAX_SIZE:
        raise InvalidInput("proof.bad_index", f"index {index} in a tree of size {size}")
    _check_hashes(path, leaf)
    fn, sn, root = index, size - 1, leaf
    for sibling in path:
        if sn == 0:
            raise InvalidInput("proof.too_long", "inclusion path too long")
        if fn & 1 or fn == sn:
            root = node_hash(sibling, root)
            while not fn & 1 and fn:
                fn >>= 1
                sn >>= 1
        else:
            root = node_hash(root, sibling)
        fn >>= 1
        sn >>= 1
    if sn:
        raise InvalidInput("proof.too_short", "inclusion path too short")
    return root


def verify_inclusion(index: int, size: int, leaf: bytes, path: Sequence[bytes], root: bytes) -> None:
    """Check that the entry with leaf hash ``leaf`` stands at ``index`` of the tree of ``size`` with ``root``.

    Raises:
        InvalidInput: As ``root_from_inclusion``, or ``proof.wrong_root``.
    """
    _check_hashes((), root)
    if root_from_inclusion(index, size, leaf, path) != root:
        raise InvalidInput("proof.wrong_root", "the inclusion path leads to another root")


def verify_consistency(old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """Check that the tree ``(new, new_root)`` is the tree ``(old, old_root)`` with leaves appended.

    Sizes equal or ``old`` = 0: the proof must be empty, and the roots equal or the old root that of the empty tree.

    Raises:
        InvalidInput: ``proof.bad_index`` (sizes), ``proof.bad_hash``, ``proof.too_long``, ``proof.too_short`` or
            ``proof.wrong_root``.
    """
    if not 0 <= old <= new <= MAX_SIZE:
        raise InvalidInput("proof.bad_index", f"no consistency from size {old} to {new}")
    _check_hashes(proof, old_root, new_root)
    if old in (0, new):
        _verify_trivial_consistency(old, new, proof, old_root, new_root)
        return
    path = list(proof)
    if not old & (old - 1):  # a power of two: the old root is itself the first node of the walk
        path.insert(0, old_root)
    if not path:
        raise InvalidInput("proof.too_short", "consistency proof too short")
    first, second, sn = _walk_consistency(old, new, path)
    if sn:
        raise InvalidInput("proof.too_short", "consistency proof too short")
    if first != old_root or second != new_root:
        raise InvalidInput("proof.wrong_root", "the consistency proof leads to other roots")


def _verify_trivial_consistency(old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    if proof:
        raise InvalidInput("proof.too_long", "the consistency proof of equal sizes or from size 0 is empty")
    if old == 0 and old_root != EMPTY_ROOT:
        raise InvalidInput("proof.wrong_root", "size 0 has the root of the empty tree")
    if old == new and old_root != new_root:
        raise InvalidInput("proof.wrong_root", "one size has two roots")


def _walk_consistency(old: int, new: int, path: Sequence[bytes]) -> tuple[bytes, bytes, int]:
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn >>= 1
        sn >>= 1
    first = second = path[0]
    for sibling in path[1:]:
        if sn == 0:
            raise InvalidInput("proof.too_long", "consistency proof too long")
        if fn & 1 or fn == sn:
            first, second = node_hash(sibling, first), node_hash(sibling, second)
            while not fn & 1 and fn:
                fn >>= 1
                sn >>= 1
        else:
            second = node_hash(second, sibling)
        fn >>= 1
        sn >>= 1
    return first, second, sn
