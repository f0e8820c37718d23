"""Pools, exclusions and trees by their plain definition: platform and verifier, made for a million, find the same.

The plain code is that of ED1 D3 and D4 word for word: one HMAC and one canonical document for each expert.
"""

from __future__ import annotations

import hashlib
import hmac

import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from tests.support.made_log import mth
from trading.audit.rules.tree import inclusion_proof, nodes_in, nodes_of, root_of_hashes, tree_levels
from trading.experts.rules import exclusions, pool, register, tickets
from trading.experts.rules.exclusions import Grounds
from trading.experts.rules.pool import Entrant
from verifier import drawing
from verifier.merkle import root_of_joined

KEYS = st.binary(min_size=32, max_size=32)
IDS = st.from_regex(r"[A-Z0-9-]{1,32}", fullmatch=True)
STRATA = st.from_regex(r"[A-Z0-9_-]{1,24}", fullmatch=True)
UNITS = st.from_regex(r"[A-Z0-9-]{0,32}", fullmatch=True)
ENTRANTS = st.lists(
    st.builds(Entrant, IDS, st.one_of(st.sampled_from(["S07", "S11", "S7-A"]), STRATA), UNITS),
    unique_by=lambda item: (item.id, item.stratum),
    min_size=1,
    max_size=40,
)


def leaf(data: bytes) -> bytes:
    return hashlib.sha256(b"\0" + data).digest()


def plain_pool(key: bytes, entrants: list[Entrant], *, with_stratum: bool = True) -> tuple[list[Entrant], bytes]:
    """Order and root by D3; without the stratum in the keys it is another pool, which the control needs."""

    def mac(label: bytes, item: Entrant) -> bytes:
        place = f"{item.id}\0{item.stratum}" if with_stratum else item.id
        return hmac.digest(key, label + place.encode("ascii"), "sha256")

    ordered = sorted(entrants, key=lambda item: (item.stratum.encode("ascii"), mac(b"ord", item)))
    return ordered, mth([leaf(mac(b"salt", item) + rfc8785.dumps(item._asdict())) for item in ordered])


def plain_exclusions(key: bytes, size: int, reasons: dict[int, str]) -> bytes:
    data = [hmac.digest(key, index.to_bytes(8, "big"), "sha256") for index in range(size)]
    return mth([leaf(salt + reasons.get(index, "").encode("ascii")) for index, salt in enumerate(data)])


@given(KEYS, ENTRANTS)
def test_pools_are_those_of_the_plain_code(key: bytes, entrants: list[Entrant]) -> None:
    ordered, root = plain_pool(key, entrants)
    made = pool.make_pool(key, entrants)
    assert (list(made.entrants), made.root) == (ordered, root)
    told = [(item.stratum, item.id, item.unit) for item in entrants]
    seen = drawing.ordered_pool(key, told)
    assert seen == [(item.stratum, item.id, item.unit) for item in ordered]
    assert drawing.pool_root_of(key, seen) == root.hex()
    need = {item.stratum: 1 for item in entrants}
    for stratum in made.strata(need):
        assert {item.stratum for item in ordered[stratum.a : stratum.b]} == {stratum.id}
    for index in range(len(ordered)):
        pool.require_opened(made.opened(index), len(ordered), root)


@given(KEYS, st.lists(st.tuples(IDS, UNITS), unique_by=lambda item: item[0], min_size=2, max_size=9))
def test_a_key_without_the_stratum_is_found(key: bytes, people: list[tuple[str, str]]) -> None:
    """The control: the same people in another stratum have other salts, and a pool without that has another root."""
    entrants = [Entrant(name, "S07", unit) for name, unit in people]
    assert plain_pool(key, entrants, with_stratum=False)[1] != pool.make_pool(key, entrants).root


@given(KEYS, st.integers(0, 70), st.dictionaries(st.integers(0, 80), st.sampled_from(exclusions.REASONS), max_size=20))
def test_exclusions_are_those_of_the_plain_code(key: bytes, size: int, reasons: dict[int, str]) -> None:
    root = plain_exclusions(key, size, reasons)
    assert pool.exclusion_root(key, size, reasons) == root
    if size:
        assert drawing.exclusion_root_of(key, size, reasons) == root.hex()


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=70))
def test_trees_in_one_piece_are_the_same_trees(hashes: list[bytes]) -> None:
    levels = tree_levels(b"".join(hashes))
    assert levels[-1] == root_of_hashes(hashes) == mth(hashes) == root_of_joined(b"".join(hashes))
    for index in range(len(hashes)):
        read = nodes_in(levels)
        assert inclusion_proof(index, len(hashes), read) == inclusion_proof(index, len(hashes), nodes_of(hashes))


CODES = st.sampled_from(["", "U1", "U2", "U3", "U4"])
PEOPLE = st.frozensets(st.sampled_from(["A", "B", "C"]), max_size=2)


@given(ENTRANTS, st.builds(Entrant, st.sampled_from(["A", "B", "C"]), st.just("S07"), CODES), CODES, CODES, PEOPLE)
def test_only_those_who_are_named_are_asked(
    entrants: list[Entrant], one: Entrant, buyer: str, bidder: str, suspended: frozenset[str]
) -> None:
    grounds = Grounds(
        buyer=buyer, agency="U9", supervisor="U8", bidders=frozenset({bidder} - {""}), suspended=suspended
    )
    everybody = [*entrants, one]
    asked = {index: exclusions.reason_of(each, grounds) for index, each in enumerate(everybody)}
    assert exclusions.reasons(everybody, grounds) == {index: reason for index, reason in asked.items() if reason}


@given(KEYS, st.integers(1, 1500), st.integers(0, 9))
def test_calls_in_portions_are_the_whole_order(seed: bytes, size: int, start: int) -> None:
    whole = tickets.order(seed, "S07", start, start + size)
    assert tuple(tickets.calls(seed, "S07", start, start + size)) == whole
    calls = drawing.Calls(seed, "S07", start, start + size)
    assert tuple(calls.at(position) for position in range(size)) == whole
    assert calls.at(size) is None


def test_a_register_folded_at_once_is_the_register_change_by_change() -> None:
    changes: list[register.RegisterChange] = []
    acts = (
        (register.Act.ADMITTED, ("A", "B", "C")),
        (register.Act.SUSPENDED, ("A", "B")),
        (register.Act.CHANGED, ("C",)),
        (register.Act.RESUMED, ("A",)),
        (register.Act.REMOVED, ("B",)),
    )
    step = register.Register(experts={})
    for act, ids in acts:
        items = [{"id": name, "strata": ["S07"], "unit": act.value[:2].upper()} for name in ids]
        raw = register.make_register_change(act, items, created=1, before=step.last)
        changes.append(register.parse_register_change(raw))
        step = step.apply(changes[-1])
    assert register.fold(changes) == step
    assert (set(step.experts), step.suspended) == ({"A", "C"}, frozenset())
