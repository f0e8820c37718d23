"""The way from an entry to the root of a checkpoint, hash by hash, for a reader to follow (AL1 L8.3 item 4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trading.audit.rules.tree import MAX_PROOF, node_hash
from trading.kernel.errors import InvalidInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One hash of the way: the sibling, on which side it stands, and the node that both make.

    ``first`` and ``last`` are the entries below the node, both included.
    """

    sibling: bytes
    on_left: bool
    node: bytes
    first: int
    last: int


def inclusion_steps(index: int, size: int, leaf: bytes, path: Sequence[bytes]) -> tuple[Step, ...]:
    """Return the steps from the leaf at ``index`` up; the node of the last one is to be the root.

    The tree is divided as RFC 9162 §2.1.1 says: at the largest power of two below its size. So this walk goes down by
    the sizes first, while ``tree.root_from_inclusion`` goes up by the bits of the index: two ways to the same root.

    Raises:
        InvalidInput: ``proof.bad_index``, ``proof.too_short`` or ``proof.too_long``.
    """
    if not 0 <= index < size:
        raise InvalidInput("proof.bad_index", f"index {index} in a tree of size {size}")
    ranges = [(0, size)]
    while (width := ranges[-1][1] - ranges[-1][0]) > 1 and len(ranges) <= MAX_PROOF:
        start, end = ranges[-1]
        middle = start + (1 << (width - 1).bit_length() - 1)
        ranges.append((start, middle) if index < middle else (middle, end))
    if len(path) != len(ranges) - 1:
        code = "proof.too_short" if len(path) < len(ranges) - 1 else "proof.too_long"
        raise InvalidInput(code, f"{len(path)} hashes, not {len(ranges) - 1}")
    steps, node = [], leaf
    for sibling, (start, _), (low, high) in zip(path, ranges[:0:-1], ranges[-2::-1], strict=True):
        on_left = start > low
        node = node_hash(sibling, node) if on_left else node_hash(node, sibling)
        steps.append(Step(sibling=sibling, on_left=on_left, node=node, first=low, last=high - 1))
    return tuple(steps)
