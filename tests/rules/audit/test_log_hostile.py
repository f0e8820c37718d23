"""Whatever bytes arrive, a parser reads them or refuses them with a code; it never breaks in another way."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.build.signed_log import VECTORS
from trading.audit.rules import tree
from trading.audit.rules.chain import parse_entry
from trading.audit.rules.cosigning import parse_add_checkpoint, parse_answer
from trading.audit.rules.note import parse_checkpoint_text, parse_note, parse_vkey
from trading.audit.rules.policy import parse_policy
from trading.audit.rules.proof import parse_receipt
from trading.audit.rules.record import parse_record
from trading.audit.rules.tiles import parse_bundle, parse_tile_path, split_hashes
from trading.kernel.errors import InvalidInput

LOG = VECTORS["al1_log"]


def text(parse: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda data: parse(data.decode("utf-8", "replace"))


PARSERS: dict[str, tuple[Callable[[bytes], object], str]] = {
    "entry": (parse_entry, LOG["entries"][1]),
    "record": (parse_record, LOG["records"][1]),
    "note": (parse_note, LOG["checkpoint_witnessed"]),
    "checkpoint": (text(parse_checkpoint_text), LOG["checkpoint_body"]),
    "vkey": (text(parse_vkey), LOG["log_vkey"]),
    "policy": (text(parse_policy), LOG["policy"]),
    "receipt": (parse_receipt, LOG["receipt"]),
    "request": (parse_add_checkpoint, LOG["add_checkpoint_old1"]),
    "cosigned": (lambda data: parse_answer(200, None, data), LOG["cosignatures"][0]),
    "size": (lambda data: parse_answer(409, "text/x.tlog.size", data), "17\n"),
    "bundle": (parse_bundle, "\0\3abc\0\0"),
    "tile": (split_hashes, "h" * 64),
    "path": (text(parse_tile_path), "tile/0/x001/234.p/5"),
}
EDITS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 3), st.binary(max_size=8)), max_size=4)


def edited(data: bytes, edits: list[tuple[float, int, bytes]]) -> bytes:
    for place, removed, added in edits:
        at = int(place * len(data))
        data = data[:at] + added + data[at + removed :]
    return data


@pytest.mark.parametrize("name", PARSERS)
@given(data=st.binary(max_size=400), edits=EDITS)
def test_parsers_refuse_and_never_break(name: str, data: bytes, edits: list[tuple[float, int, bytes]]) -> None:
    parse, good = PARSERS[name]
    parse(good.encode())
    for hostile in (data, edited(good.encode(), edits)):
        with contextlib.suppress(InvalidInput):
            parse(hostile)


SIZES = [(1, 2), (1, 8), (2, 5), (3, 4), (4, 8), (5, 7), (6, 8), (7, 13), (8, 13), (13, 21)]
LEAVES = [tree.leaf_hash(bytes([number])) for number in range(32)]
NODE = tree.nodes_of(LEAVES)


@pytest.mark.parametrize(("old", "new"), SIZES)
def test_rearranged_consistency_proofs(old: int, new: int) -> None:
    proof = tree.consistency_proof(old, new, NODE)
    first, second = tree.root_of_hashes(LEAVES[:old]), tree.root_of_hashes(LEAVES[:new])
    tree.verify_consistency(old, new, proof, first, second)
    junk = b"j" * 32
    for changed in (
        [junk, *proof], [*proof, junk], [first, *proof], [*proof, first], [second, *proof], [*proof, second],
        [*proof, proof[0]], [proof[0], *proof], proof[:-1], [],
    ):  # fmt: skip
        with pytest.raises(InvalidInput):
            tree.verify_consistency(old, new, changed, first, second)
    for sizes in ((old - 1, new), (old + 1, new), (old ^ 2, new), (old, new * 2), (old, new // 2), (new, old)):
        with pytest.raises(InvalidInput):
            tree.verify_consistency(*sizes, proof, first, second)
    with pytest.raises(InvalidInput):
        tree.verify_consistency(old, new, proof, second, first)


@pytest.mark.parametrize(("index", "size"), [(0, 2), (0, 8), (1, 8), (5, 8), (2, 3), (6, 7), (12, 13), (3, 21)])
def test_rearranged_inclusion_proofs(index: int, size: int) -> None:
    path, leaf = tree.inclusion_proof(index, size, NODE), LEAVES[index]
    root = tree.root_of_hashes(LEAVES[:size])
    tree.verify_inclusion(index, size, leaf, path, root)
    junk = b"j" * 32
    for changed in (
        [junk, *path], [*path, junk], [root, *path], [*path, root], [leaf, *path], path[1:], path[:-1], [],
    ):  # fmt: skip
        with pytest.raises(InvalidInput):
            tree.verify_inclusion(index, size, leaf, changed, root)
    for case in ((index + 1, size), (index ^ 2, size), (index, size * 2), (size, size), (index - 1, size)):
        with pytest.raises(InvalidInput):
            tree.verify_inclusion(*case, leaf, path, root)
    with pytest.raises(InvalidInput):
        tree.verify_inclusion(index, size, root, path, leaf)
