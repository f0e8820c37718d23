"""The whole sitting through the use cases on PostgreSQL."""

from __future__ import annotations

from tests.support.sitting import Sitting
from trading.evaluation import service


def test_a_committee_evaluates_and_the_lot_is_ranked(sitting: Sitting) -> None:
    sitting.examine()
    sitting.score()
    sitting.sign_report()
    ranking, _ = service.evaluate(sitting.ledger, sitting.agency, *sitting.place)
    assert ranking.first is not None
    assert ranking.first.bid == sitting.bids["songtao"]
