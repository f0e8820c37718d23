"""``verify-audit`` over an evaluation: a change of any column of any of its tables is found (AL1 L11.3)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, Table

from tests.support.columns import missed_columns, owner_of, tables_of
from tests.support.row_mutations import ROUNDS, RowMutations
from tests.support.sitting import SEATS, seat_everybody, sitting_on
from tests.usecases.evaluation.conftest import Opened
from trading.evaluation import service
from trading.evaluation.folds import REPLAYED

TABLES = tables_of(*(each.table for each in REPLAYED if each.table != "ranking"))


@pytest.fixture(scope="module")
def owner(opened: Opened) -> Iterator[Connection]:
    """A superuser's transaction, without triggers, over a sitting that has left a row in each of its tables."""
    with (
        pytest.MonkeyPatch.context() as patch,
        sitting_on(opened.database, opened.reference, opened.agency, opened.bids) as sitting,
    ):
        seat_everybody(patch)
        sitting.examine()
        for seat in SEATS:
            sitting.type(seat, {"bolin": "49"} if seat == "m-e5" else None)
            sitting.sign(seat)
        place = (sitting.bids["bolin"], "plan")
        service.explain_score(
            sitting.ledger, service.member_actor("m-e5"), *sitting.place, place, "The only timetable."
        )
        sitting.sign_report(dissent={"m-c3": "Too vague."})
        assert sitting.database is not None
        with owner_of(sitting.database, TABLES) as conn:
            yield conn


# Votes, reasons and deductions that no bid of this sitting has: the same fold writes them beside the others.
EMPTY_HERE = {("examination_vote", "reason"), ("sheet_signature", "reason"), ("examination", "reason")}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_column_is_covered(owner: Connection, table: Table) -> None:
    assert missed_columns(owner, table) == {each for each in EMPTY_HERE if each[0] == table.name}


def test_random_mutations_of_rows_are_found_and_named(owner: Connection) -> None:
    assert RowMutations(owner, TABLES, ()).missed(ROUNDS) == []
