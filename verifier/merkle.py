"""Merkle trees of RFC 6962 with SHA-256 and the proofs of RFC 9162 (P4.3, AL1 L8.3). Every hash has 32 bytes."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()
MAX_PROOF = 63


class ProofFault(ValueError):
    """A proof has the wrong form or leads to another root."""


def leaf_hash(data: bytes) -> bytes:
    """Return the RFC 6962 hash of a leaf."""
    return sha256(b"\0" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the RFC 6962 hash of an inner node."""
    return sha256(b"\1" + left + right).digest()


def root_of_hashes(hashes: Sequence[bytes]) -> bytes:
    """Return the root over leaf hashes.

    Pairing neighbours level by level and carrying an odd last one up gives the tree of RFC 6962, which splits at the
    largest power of two.
    """
    return root_of_joined(b"".join(hashes))


def root_of_joined(hashes: bytes) -> bytes:
    """Return the root over leaf hashes that stand one after the other, as in a tile."""
    while len(hashes) > HASH_BYTES:
        paired = len(hashes) // (2 * HASH_BYTES) * 2 * HASH_BYTES
        pairs = range(0, paired, 2 * HASH_BYTES)
        level = b"".join([sha256(b"\1" + hashes[at : at + 2 * HASH_BYTES]).digest() for at in pairs])
        hashes = level + hashes[paired:]
    return hashes or EMPTY_ROOT


def root_of(leaves: Sequence[bytes]) -> bytes:
    """Return ``MTH`` of a list of leaf data (P4.3)."""
    return root_of_hashes([leaf_hash(leaf) for leaf in leaves])


def verify_inclusion(index: int, size: int, leaf: bytes, path: Sequence[bytes], root: bytes) -> None:
    """Check an inclusion proof (RFC 9162 §2.1.3.2); ``leaf`` is the leaf's hash, ``path`` starts with its sibling.

    Raises:
        ProofFault: Wrong index, wrong length of the path or of a hash, or another root.
    """
    _check_lengths(path, leaf, root)
    if not 0 <= index < size:
        raise ProofFault(f"index {index} is outside a tree of size {size}")
    fn, sn, result = index, size - 1, leaf
    for sibling in path:
        if sn == 0:
            raise ProofFault("inclusion path too long")
        if fn & 1 or fn == sn:
            result = node_hash(sibling, result)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            result = node_hash(result, sibling)
        fn, sn = fn >> 1, sn >> 1
    if sn:
        raise ProofFault("inclusion path too short")
    if result != root:
        raise ProofFault("inclusion path leads to another root")


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]) -> None:
    """Check that a tree of size ``old`` is a prefix of one of size ``new`` (RFC 9162 §2.1.4.2).

    Raises:
        ProofFault: The trees do not fit together, or the proof has the wrong form.
    """
    _check_lengths(path, old_root, new_root)
    if not 0 <= old <= new:
        raise ProofFault(f"sizes {old} and {new} are not in order")
    if old in (0, new):
        if path or (old == new and old_root != new_root) or (old == 0 and old_root != EMPTY_ROOT):
            raise ProofFault("equal or empty trees: roots differ or the proof is not empty")
        return
    hashes = [old_root, *path] if old & (old - 1) == 0 else list(path)
    if not hashes:
        raise ProofFault("consistency proof too short")
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    first = second = hashes[0]
    for sibling in hashes[1:]:
        if sn == 0:
            raise ProofFault("consistency proof too long")
        if fn & 1 or fn == sn:
            first, second = node_hash(sibling, first), node_hash(sibling, second)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            second = node_hash(second, sibling)
        fn, sn = fn >> 1, sn >> 1
    if sn:
        raise ProofFault("consistency proof too short")
    if first != old_root or second != new_root:
        raise ProofFault("consistency proof leads to another root")


def _check_lengths(path: Sequence[bytes], *others: bytes) -> None:
    if len(path) > MAX_PROOF:
        raise ProofFault(f"{len(path)} hashes in a proof, at most {MAX_PROOF}")
    if any(len(item) != HASH_BYTES for item in (*path, *others)):
        raise ProofFault("a proof hash is not 32 bytes long")
