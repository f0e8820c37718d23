"""``verify-audit`` over an evaluation: a change of any column of any of its tables is found (AL1 L11.3)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, Table

from tests.support.columns import EVALUATION, missed_columns, owner_of, unnamed
from tests.support.row_mutations import ROUNDS, RowMutations
from tests.support.sitting import SEATS, renew, seat_everybody, sitting_on
from tests.usecases.evaluation.conftest import Opened
from trading.evaluation import service
from trading.evaluation.rules.examination import Step
from trading.evaluation.service import state as lot_state


@pytest.fixture(scope="module")
def owner(opened: Opened) -> Iterator[Connection]:
    """A superuser's transaction, without triggers, over a sitting that has left a row in each of its tables."""
    with (
        pytest.MonkeyPatch.context() as patch,
        sitting_on(opened.database, opened.reference, opened.agency, opened.bids) as sitting,
    ):
        seat_everybody(patch)
        patch.setattr(lot_state, "is_masked", lambda _row, _lot: True)
        sitting.qualify()
        sitting.start()
        sitting.vote_all()
        sitting.explain_price("songtao")
        for seat in SEATS[:2]:
            service.ask_for_time(sitting.ledger, service.member_actor(seat), sitting.reference)
        for seat in SEATS:
            sitting.type(seat, {"bolin": "49"} if seat == "m-e5" else None)
            sitting.sign(seat)
        renew(sitting, "m-c3", "The disk of my machine is broken.")
        sitting.sign("m-c3")
        sitting.hand_in()
        sitting.vote_all(Step.PRICE, ("songtao",))  # after the scores, because the bidders are masked
        place = (sitting.bids["bolin"], "plan")
        service.explain_score(
            sitting.ledger, service.member_actor("m-e5"), *sitting.place, place, "The only timetable."
        )
        sitting.sign_report(dissent={"m-c3": "Too vague."})
        assert sitting.database is not None
        with owner_of(sitting.database, EVALUATION) as conn:
            yield conn


@pytest.mark.parametrize("table", EVALUATION, ids=lambda table: table.name)
def test_every_column_is_covered(owner: Connection, table: Table) -> None:
    assert missed_columns(owner, table) == unnamed(table)


def test_random_mutations_of_rows_are_found_and_named(owner: Connection) -> None:
    assert RowMutations(owner, EVALUATION).missed(ROUNDS) == []
