"""``verify-audit`` over an evaluation: a change of any column of any of its tables is found (AL1 L11.3)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, NullPool, Table, create_engine

from tests.journeys.test_verify_audit import audited, is_missed
from tests.support.sitting import SEATS, seat_everybody, sitting_on
from tests.usecases.evaluation.conftest import Opened
from trading.db import metadata, psycopg_url
from trading.evaluation import service
from trading.evaluation.folds import REPLAYED

TABLES = [metadata.tables[f"record.{each.table}"] for each in REPLAYED if each.table != "ranking"]


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
        engine = create_engine(psycopg_url(sitting.database.url("postgres")), poolclass=NullPool)
        with engine.connect() as conn:
            conn.exec_driver_sql("SET LOCAL session_replication_role = replica")
            for table in TABLES:
                conn.exec_driver_sql(f"ALTER TABLE record.{table.name} DISABLE TRIGGER ALL")
            yield conn
            conn.rollback()


# Votes, reasons and deductions that no bid of this sitting has: the same fold writes them beside the others.
EMPTY_HERE = {("examination_vote", "reason"), ("sheet_signature", "reason"), ("examination", "reason")}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_column_is_covered(owner: Connection, table: Table) -> None:
    assert audited(owner) == []
    missed = {
        (table.name, column.name) for column in table.c if column.name != "id" and is_missed(owner, table, column)
    }
    assert missed == {each for each in EMPTY_HERE if each[0] == table.name}
