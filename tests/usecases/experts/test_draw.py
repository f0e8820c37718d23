"""A whole draw through the services."""

from __future__ import annotations

from tests.support.made_committee import CommitteeMaker
from tests.support.market import Market
from trading.experts import queries


def test_a_committee_is_drawn_and_seated(market: Market, maker: CommitteeMaker) -> None:
    committee = maker.seated(market.tender)
    assert committee.state == "seated"
    assert len(committee.experts) == 4
    assert {member.state for member in committee.members} == {"present"}
    kinds = market.kinds()
    assert kinds.count("draw.sealed") == kinds.count("draw.seeded") == kinds.count("draw.result") == 1
    with market.runtime.ledger.read() as conn:
        assert queries.panel_of(conn, market.procedure_id) == []
