"""Whoever wants another panel: what one person, or two who agree, cannot do to a draw (ED1 D7, D10, D13)."""

from __future__ import annotations

import pytest

from tests.support.made_committee import CommitteeMaker
from tests.support.market import Market
from trading.crypto.signatures import sign_document
from trading.experts import queries
from trading.experts.service import advance, papers
from trading.kernel.errors import RuleBroken


def refused(code: str) -> pytest.RaisesExc[RuleBroken]:
    return pytest.raises(RuleBroken, match=code.replace(".", r"\."))


@pytest.mark.parametrize("signed_before", [True, False])
def test_a_cancellation_prepared_before_the_seal_is_no_way_out_after_it(
    market: Market, maker: CommitteeMaker, *, signed_before: bool
) -> None:
    """Centre and supervisor would keep it at hand and hand it in if they disliked the seed (D13)."""
    maker.admit(24)
    maker.plan(market.tender)
    draw = maker.specified(market.tender)
    kept = advance.draft_cancel(maker.ledger, maker.actor("centre"), draw, "wrong_plan")
    centre, supervisor = (maker.stage.signers[role, role] for role in ("centre", "supervisor"))
    if signed_before:
        papers.collect(maker.ledger, maker.actor("centre"), draw, sign_document(kept.doc, centre))
    maker.commit(draw)
    maker.until(lambda: maker.row(draw).state == "sealed")
    with refused("draw.reroll"):
        papers.collect(maker.ledger, maker.actor("centre"), draw, sign_document(kept.doc, centre, supervisor))
    maker.reveal(draw)
    maker.until(lambda: maker.row(draw).state == "seeded")
    with refused("draw.reroll"):
        papers.collect(maker.ledger, maker.actor("supervisor"), draw, sign_document(kept.doc, supervisor))
    assert "draw.cancelled" not in market.kinds()
    with maker.ledger.read() as conn:
        assert queries.find_draw(conn, draw).state == "seeded"
