"""Public vectors of RFC 6962 and RFC 9162: platform and verifier accept and refuse what they say (AL1 L15)."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.build.public_proofs import CONSISTENCY, INCLUSION, TOO_SHORT, ProofCase
from tests.support.made_log import entry_tiles, hash_tiles
from tests.support.verifying import memory_bundle
from trading.audit.rules import tree
from trading.kernel.errors import InvalidInput
from verifier import merkle
from verifier.notes import NoteFault
from verifier.policy import parse_log_policy, verify_checkpoint
from verifier.tiles import LogTree, check_tiles, split_entries, tile_path

REAL: dict[str, Any] = json.loads(Path("tests/vectors/tessera_log.json").read_text("utf-8"))
ORIGIN = "example.com/log/testdata"
SIZES = (3, 7, 8, 11, 15)

Inclusion = Callable[[int, int, bytes, Sequence[bytes], bytes], None]
Consistency = Callable[[int, int, bytes, bytes, Sequence[bytes]], None]


def platform_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    tree.verify_consistency(old, new, proof, old_root, new_root)


def holds(check: Callable[[], None]) -> bool:
    """Whether a check accepts; anything but its own refusal is a bug."""
    try:
        check()
    except (InvalidInput, merkle.ProofFault):
        return False
    return True


def judged_inclusion(verify: Inclusion, case: ProofCase) -> bool:
    return holds(lambda: verify(case.first, case.second, case.right, case.proof, case.left))


def judged_consistency(verify: Consistency, case: ProofCase) -> bool:
    return holds(lambda: verify(case.first, case.second, case.left, case.right, case.proof))


def test_all_cases_are_there() -> None:
    assert (len(INCLUSION), len(CONSISTENCY)) == (98, 98)
    assert (sum(each.holds for each in INCLUSION), sum(each.holds for each in CONSISTENCY)) == (6, 6)


@pytest.mark.parametrize("verify", [tree.verify_inclusion, merkle.verify_inclusion], ids=["platform", "verifier"])
def test_inclusion(verify: Inclusion) -> None:
    assert [each.name for each in INCLUSION if judged_inclusion(verify, each) != each.holds] == []


@pytest.mark.parametrize("verify", [platform_consistency, merkle.verify_consistency], ids=["platform", "verifier"])
def test_consistency(verify: Consistency) -> None:
    differing = [each.name for each in CONSISTENCY if judged_consistency(verify, each) != each.holds]
    assert differing == [TOO_SHORT]  # its roots have 12 bytes: accepted upstream, refused here


@pytest.mark.parametrize("length", [0, 31, 33])
def test_hashes_of_other_lengths_are_refused(length: int) -> None:
    """Also where the arithmetic would not mind: one leaf that is its own root, and two equal roots of one size."""
    bad, one = b"x" * length, merkle.leaf_hash(b"")
    for verify in (tree.verify_inclusion, merkle.verify_inclusion):
        assert holds(lambda verify=verify: verify(0, 1, one, [], one))  # type: ignore[misc]  # bound in the loop
        assert not holds(lambda verify=verify: verify(0, 1, bad, [], bad))  # type: ignore[misc]
    for check in (platform_consistency, merkle.verify_consistency):
        assert holds(lambda check=check: check(1, 1, one, one, []))  # type: ignore[misc]
        assert not holds(lambda check=check: check(1, 1, bad, bad, []))  # type: ignore[misc]


def unmeasured_inclusion(index: int, size: int, leaf: bytes, path: Sequence[bytes], root: bytes) -> None:
    """Negative control: the walk of RFC 9162 without a look at lengths."""
    fn, sn = index, size - 1
    for sibling in path:
        right = fn & 1 or fn == sn
        leaf = merkle.node_hash(sibling, leaf) if right else merkle.node_hash(leaf, sibling)
        while right and not fn & 1 and fn:
            fn, sn = fn >> 1, sn >> 1
        fn, sn = fn >> 1, sn >> 1
    if not 0 <= index < size or sn or leaf != root:
        raise merkle.ProofFault("no")


def test_control_without_lengths_an_empty_leaf_is_its_own_root() -> None:
    wrong = [each.name for each in INCLUSION if judged_inclusion(unmeasured_inclusion, each) != each.holds]
    assert wrong == ["single-entry/empty-root-and-leaf"]


# The tree of seven leaves of RFC 9162 §2.1.5, letters as there.

LEAVES = [bytes([0x30 + number]) for number in range(7)]
a, b, c, d, e, f, j = (merkle.leaf_hash(leaf) for leaf in LEAVES)
g, h, i = merkle.node_hash(a, b), merkle.node_hash(c, d), merkle.node_hash(e, f)
k, l = merkle.node_hash(g, h), merkle.node_hash(i, j)  # noqa: E741 - the letters of the RFC
ROOT = merkle.node_hash(k, l)
PATHS = {0: [b, h, l], 3: [c, g, l], 4: [f, j, k], 6: [i, k]}
PROOFS = {3: (merkle.node_hash(g, c), [c, d, g, l]), 4: (k, [l]), 6: (merkle.node_hash(k, i), [i, j, k])}


def test_the_example_tree_of_the_rfc() -> None:
    nodes = tree.nodes_of([a, b, c, d, e, f, j])
    assert tree.tree_root(LEAVES) == merkle.root_of(LEAVES) == ROOT
    for index, path in PATHS.items():
        assert tree.inclusion_proof(index, 7, nodes) == path
        for verify in (tree.verify_inclusion, merkle.verify_inclusion):
            verify(index, 7, merkle.leaf_hash(LEAVES[index]), path, ROOT)
    for size, (root, proof) in PROOFS.items():
        assert tree.tree_root(LEAVES[:size]) == merkle.root_of(LEAVES[:size]) == root
        assert tree.consistency_proof(size, 7, nodes) == proof
        for check in (platform_consistency, merkle.verify_consistency):
            check(size, 7, root, ROOT, proof)


# A log that another program made: 15 leaves of another form, so without the chain of AL1 L1.2.


def audited(leaves: list[str], checkpoints: dict[int, str]) -> list[str]:
    """Audit tiles and notes with the parts of the verifier, as AL-05 and AL-09 do; return what was found."""
    data = [leaf.encode() for leaf in leaves]
    files = {**entry_tiles(data), **hash_tiles([merkle.leaf_hash(leaf) for leaf in data])}
    bundle, built = memory_bundle(files), LogTree(len(leaves))
    path = tile_path("entries", 0, len(leaves))
    built.add_tile(b"".join(merkle.leaf_hash(leaf) for leaf in split_entries(bundle.read(path), path)))
    found, policy = list(check_tiles(bundle, built)), parse_log_policy(f"log {REAL['vkey']}\nquorum none\n")
    for size, note in checkpoints.items():
        try:
            signed = verify_checkpoint(note.encode(), policy, ORIGIN).checkpoint
        except NoteFault as error:
            found.append(f"{size}: {error}")
            continue
        if (signed.size, signed.root) != (size, built.root(size)):
            found.append(f"{size}: another root was signed")
    return found


CHECKPOINTS = {int(size): note for size, note in REAL["checkpoints"].items()}


def test_a_log_of_another_program_holds() -> None:
    assert tuple(CHECKPOINTS) == SIZES
    assert audited(REAL["leaves"], CHECKPOINTS) == []


@pytest.mark.parametrize("n", range(15))
def test_a_changed_leaf_of_it_is_shown_by_every_later_checkpoint(n: int) -> None:
    changed = [f"{leaf}!" if number == n else leaf for number, leaf in enumerate(REAL["leaves"])]
    assert audited(changed, CHECKPOINTS) == [f"{size}: another root was signed" for size in SIZES if size > n]


def test_a_changed_checkpoint_of_it_has_no_signature() -> None:
    swapped = CHECKPOINTS[8].replace("bC+V", "bC+W")
    assert audited(REAL["leaves"], CHECKPOINTS | {8: swapped}) == [
        f"8: the signature line of {ORIGIN} does not verify",
    ]
