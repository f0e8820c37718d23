"""The way to the root, step by step, leads where the verifier's walk leads, and shows what lies below each node."""

from __future__ import annotations

import pytest

from tests.build.signed_log import SignedLog
from trading.audit.rules.steps import inclusion_steps
from trading.audit.rules.tree import inclusion_proof, nodes_of, root_from_inclusion, root_of_hashes
from trading.kernel.errors import InvalidInput

LOG = SignedLog().grow(70)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 33, 64, 65, 70])
def test_every_entry_reaches_the_root(size: int) -> None:
    read = nodes_of(LOG.hashes)
    for n in range(size):
        path = inclusion_proof(n, size, read)
        steps = inclusion_steps(n, size, LOG.hashes[n], path)
        node = steps[-1].node if steps else LOG.hashes[n]
        assert node == root_of_hashes(LOG.hashes[:size]) == root_from_inclusion(n, size, LOG.hashes[n], path)
        for step in steps:
            assert step.node == root_of_hashes(LOG.hashes[step.first : step.last + 1])
            assert step.first <= n <= step.last
        assert [(step.first, step.last) for step in steps[-1:]] == [(0, size - 1)][: len(steps)]


def test_a_changed_hash_leads_elsewhere() -> None:
    """Negative control: the steps are computed, not repeated."""
    path = inclusion_proof(23, 70, nodes_of(LOG.hashes))
    for place in range(len(path)):
        wrong = [*path[:place], bytes(32), *path[place + 1 :]]
        assert inclusion_steps(23, 70, LOG.hashes[23], wrong)[-1].node != LOG.checkpoint().root
    assert inclusion_steps(23, 70, bytes(32), path)[-1].node != LOG.checkpoint().root


@pytest.mark.parametrize(
    ("index", "hashes", "code"),
    [(70, 7, "proof.bad_index"), (-1, 7, "proof.bad_index"), (3, 6, "proof.too_short"), (3, 8, "proof.too_long")],
)
def test_a_path_of_another_length_is_refused(index: int, hashes: int, code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        inclusion_steps(index, 70, bytes(32), [bytes(32)] * hashes)
    assert refused.value.code == code
