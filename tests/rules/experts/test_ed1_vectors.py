"""The complete example of ED1 D16: pool, exclusions, spec, order and walk, byte for byte."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest
import rfc8785

from trading.experts.rules import pool, tickets, walk
from trading.experts.rules.pool import Entrant, Pool
from trading.experts.rules.spec import parse_spec
from trading.kernel.digests import sha256_hex
from trading.kernel.errors import InvalidInput, RuleBroken

VECTORS: Final[dict[str, Any]] = json.loads(Path("tests/vectors/protocols.json").read_text())["ed1"]
WALK: Final = VECTORS["walk"]
SEED: Final = bytes.fromhex(VECTORS["seed"])
SPEC: Final = parse_spec(VECTORS["spec"].encode())
K_X: Final = bytes.fromhex(VECTORS["K_x"])
REASONS: Final = {int(index): reason for index, reason in VECTORS["exclusions"].items()}


def made_pool() -> Pool:
    return pool.make_pool(bytes.fromhex(VECTORS["K_draw"]), [Entrant(**item) for item in VECTORS["experts"]])


def facts() -> walk.Facts:
    entrants = made_pool().entrants
    return walk.Facts(excluded=REASONS.__contains__, entrant=entrants.__getitem__)


def entries() -> list[walk.Entry]:
    """Return the trail of the vector, each entry a second after the other."""
    return [
        walk.read_entry(
            item["kind"], {key: value for key, value in item.items() if key != "kind"}, 1_700_000_000_000 + 1000 * j
        )
        for j, item in enumerate(WALK["trail"])
    ]


def test_the_order_of_tickets() -> None:
    assert tickets.ticket(bytes(32), "S07", 4).hex() == VECTORS["ticket_seed00_S07_index4"]
    assert list(tickets.order(bytes(32), "S07", 0, 10)) == VECTORS["ticket_order_seed00_S07_0_10"]
    assert list(tickets.order(SEED, "S07", 0, 10)) == VECTORS["order_S07"]
    assert list(tickets.order(SEED, "S11", 10, 14)) == VECTORS["order_S11"]


def test_calls_in_portions_are_the_whole_order() -> None:
    assert tuple(tickets.calls(SEED, "S07", 5, 1005)) == tickets.order(SEED, "S07", 5, 1005)


def test_the_pool() -> None:
    made = made_pool()
    assert [item.id for item in made.entrants] == VECTORS["pool_order_ids"]
    first = made.entrants[0]
    assert (pool.salt(made.k_draw, first) + first.attrs).hex() == VECTORS["pool_leaf_data_hex_0"]
    assert made.levels[0][:32].hex() == VECTORS["pool_leaf_hash_0"]
    assert made.root.hex() == VECTORS["pool_root"]
    assert made.strata({"S07": 3, "S11": 1}) == SPEC.strata
    assert pool.pool_key_commit("D-1", 1, made.k_draw) == SPEC.pool_key_commit
    assert "E0000" not in repr(made)


def test_the_template_of_a_leaf_is_rfc8785() -> None:
    for item in made_pool().entrants:
        assert item.attrs == rfc8785.dumps({"id": item.id, "stratum": item.stratum, "unit": item.unit})


def test_the_exclusions() -> None:
    hashes = pool.exclusion_hashes(K_X, 14, REASONS)
    assert hashes[2].hex() == VECTORS["exclusion_leaf_hash_2"]
    assert pool.exclusion_root(K_X, 14, REASONS).hex() == VECTORS["excl_root"]
    assert pool.excluded_counts(SPEC.strata, REASONS) == {item.id: item.count for item in SPEC.excluded}
    assert pool.exclusion_key_commit("D-1", 1, K_X) == SPEC.exclusion_key_commit


def test_the_spec() -> None:
    assert SPEC.sha256 == VECTORS["spec_sha256"]
    procedure = VECTORS["procedure"]
    commit = pool.procedure_commit(bytes.fromhex(procedure["salt"]), procedure["reference"])
    assert commit.hex() == procedure["commit"]
    assert commit == SPEC.procedure_commit


def test_an_opened_leaf_stands_under_the_root_at_its_index_only() -> None:
    leaf = made_pool().opened(7)
    pool.require_opened(leaf, SPEC.pool_size, SPEC.pool_root)
    moved = pool.OpenedLeaf(index=8, salt=leaf.salt, attrs=leaf.attrs, proof=leaf.proof)
    with pytest.raises(InvalidInput):
        pool.require_opened(moved, SPEC.pool_size, SPEC.pool_root)


def test_the_walk_of_the_vector() -> None:
    assert WALK["trail"][9]["reason_commit"] == walk.reason_commit(b"\6" * 32, "busy").hex()
    state = walk.Walk(SPEC, SEED, facts())
    hashes = [j.to_bytes(8, "big") * 4 for j in range(len(WALK["trail"]))]
    done = 0
    for result in WALK["results"]:
        for entry in entries()[done : result["entries"]]:
            if entry.state is None or entry.state in walk.FORCED:
                assert state.next_step() == walk.Step(index=entry.index, stratum=entry.stratum, state=entry.state)
            state.apply(entry)
        done = result["entries"]
        assert state.finished
        assert state.complete
        assert state.next_step() is None
        assert [seat.to_json() for seat in state.selected] == result["selected"]
        assert walk.trail_root(hashes[:done]).hex() == result["trail_root"]


@pytest.mark.parametrize(
    ("position", "changed", "code"),
    [
        (1, {"index": 9}, "draw.out_of_order"),  # index skipped
        (2, {"state": None}, "draw.out_of_order"),  # limit ignored
        (5, {"index": 10}, "draw.out_of_order"),
        (9, {"reason_commit": None}, "draw.reason"),
        (12, {"index": 0}, "draw.not_pending"),
        (12, {"state": walk.State.UNREACHABLE}, "draw.too_early"),
        (12, {"at": 1_800_000_000_000}, "draw.answer_late"),
        (16, {"index": 5}, "draw.not_selected"),
        (18, {"state": None}, "draw.out_of_order"),  # an excluded index called
        (18, {"state": walk.State.SELECTED}, "draw.not_pending"),
    ],
)
def test_no_other_trail_is_admitted(position: int, changed: dict[str, Any], code: str) -> None:
    trail = entries()
    state = walk.Walk.replay(SPEC, SEED, facts(), trail[:position])
    entry = trail[position]
    values = {name: getattr(entry, name) for name in ("index", "stratum", "at", "state", "reason_commit")} | changed
    with pytest.raises(RuleBroken) as caught:
        state.apply(walk.Entry(**values))
    assert caught.value.code == code


def test_the_frontier_may_not_be_chosen() -> None:
    """S11 may not advance while S07 is open."""
    state = walk.Walk(SPEC, SEED, facts())
    with pytest.raises(RuleBroken, match=r"draw\.out_of_order"):
        state.apply(walk.Entry(index=12, stratum="S11", at=0))


def test_the_name_of_a_spec_is_that_of_its_bytes() -> None:
    assert sha256_hex(SPEC.raw) == SPEC.sha256


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"pool_size":14', '"pool_size":15'),
        ('"a":10,"b":14', '"a":11,"b":14'),
        ('"count":1,"id":"S07"', '"count":11,"id":"S07"'),
        ('"representatives":1', '"representatives":3'),
        ('"attempt":1', '"attempt":2'),
        ('"min_valid":3', '"min_valid":5'),
        ("a2" * 32, "a1" * 32),
    ],
)
def test_a_spec_that_contradicts_itself_is_no_spec(old: str, new: str) -> None:
    assert VECTORS["spec"].count(old) == 1
    with pytest.raises(InvalidInput, match=r"doc\.bad_field"):
        parse_spec(VECTORS["spec"].replace(old, new).encode())
