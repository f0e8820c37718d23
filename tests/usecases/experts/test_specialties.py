"""Plans name nodes of the specialty tree in force; whoever is qualified below a chosen node stands in its stratum."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.made_committee import CommitteeMaker
from tests.support.market import Market
from tests.usecases.experts.test_open_seats import _verified as verified
from trading.experts import queries
from trading.experts.rules import strata
from trading.experts.rules.register import Act, Item, Register
from trading.experts.rules.specialties import SEED, make_tree
from trading.experts.service.attempts import spec_of
from trading.kernel.errors import RuleBroken
from verifier.checks_pool import _standing as standing

FITTINGS, FURNITURE, NODE = "A0502-C", "A0501-C", "A05-C"


def test_a_draw_over_a_node_takes_everybody_below_it_once(
    market: Market, maker: CommitteeMaker, tmp_path: Path
) -> None:
    maker.admit(5, accounts_for=5)
    maker.admit(5, stratum=FITTINGS, prefix="F", accounts_for=5)
    maker.admit(3, stratum="A0501-P", prefix="P")  # another region
    maker.change(Act.CHANGED, [Item(id="E0000000", strata=(FURNITURE, FITTINGS), unit="UNIT000000")])
    maker.plan(market.tender, strata=[{"id": NODE, "need": 4}])
    draw = maker.drawn(market.tender)
    with maker.contact_ledger.read() as conn:
        row = maker.row(draw)
        spec = spec_of(conn, row)
        pool, _ = maker.contact.pool(conn, row, spec)
    assert (spec.rule_version, [item.id for item in spec.strata]) == ("mb-experts-2", [NODE])
    ids = [entrant.id for entrant in pool.entrants]
    assert sorted(ids) == [f"{prefix}000000{n}" for prefix in "EF" for n in range(5)]
    verified(market, maker, draw, tmp_path)


@pytest.mark.parametrize("unknown", ["A99-C", "A0501-X", "A0501", "a0501-C"])
def test_a_specialty_that_is_not_in_the_tree_is_refused(market: Market, maker: CommitteeMaker, unknown: str) -> None:
    maker.admit(12)
    if unknown != "a0501-C":  # no form of a stratum at all
        with pytest.raises(RuleBroken, match=r"committee\.specialty") as refused:
            maker.plan(market.tender, strata=[{"id": unknown, "need": 4}])
        assert (refused.value.rule_id, refused.value.facts["specialty"]) == ("EXP-27", unknown)
    with maker.ledger.read() as conn:
        assert queries.committee_row(conn, maker.procedure_id(market.tender)) is None
    maker.plan(market.tender)  # the control


def test_a_plan_is_offered_every_node_at_every_level() -> None:
    found = strata.strata_of_tree(SEED)
    assert len(found) == 3 * len(SEED.nodes)
    assert {NODE, FURNITURE, "A032001-N"} <= set(found)
    further = make_tree(
        [{"code": "Z01", "parent": "", "title_zh": "测试", "title_en": "Trial"}], version=2, source="test"
    )
    assert strata.stratum_title("Z01-C", further) == ("测试（本市）", "Trial (city)")
    with pytest.raises(RuleBroken):
        strata.require_known(further, {FURNITURE})


CODES = st.sampled_from(["A05", "A0501", "A050101", "A0502", "A06", "S07"])
IDS = st.builds(lambda code, level: f"{code}{level}", CODES, st.sampled_from(["-C", "-N", "-P", ""]))


@settings(deadline=None)
@given(st.sets(IDS, max_size=6), st.sets(IDS, min_size=1, max_size=4), st.booleans())
def test_platform_and_verifier_find_the_same_strata(own: set[str], wanted: set[str], exact: bool) -> None:  # noqa: FBT001 - drawn
    found = strata.wanted_of(own, wanted, exact=exact)
    assert found == standing(sorted(own), wanted, exact)
    if exact:
        assert found == own & wanted
    item = Item(id="E1", strata=tuple(sorted(own)), unit="")
    entrants = Register(experts={"E1": item}).entrants(wanted, exact=exact)
    assert sorted(each.stratum for each in entrants) == sorted(found)


def test_the_first_rule_version_knows_leaves_alone() -> None:
    """The control: what the old specs fixed is still recomputed as it was."""
    assert strata.wanted_of({FURNITURE}, {NODE}, exact=True) == frozenset()
    assert strata.wanted_of({FURNITURE}, {NODE}) == {NODE}
    assert not strata.meets("A05-C", "A0501-C"), "who is qualified for the branch alone is not for its leaf"
