"""``verify-audit`` over the register, a draw and its committee: a change of any column is found (AL1 L11.3)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, Table

from tests.support.columns import EXPERTS, missed_columns, owner_of, tables_of, unnamed
from tests.support.databases import Server, clone
from tests.support.made_committee import CommitteeMaker, contact_ledger, worker_ledger
from tests.support.market import SYSTEM, open_market
from tests.support.row_mutations import ROUNDS, RowMutations
from tests.usecases.experts.test_proof import finished
from trading.audit.demo_clock import jump
from trading.experts.service import contests, register


@pytest.fixture(scope="module")
def owner(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """A draw that was begun, sealed, walked and disclosed, and a snapshot of the pool."""
    with (
        clone(server, demo=True) as database,
        open_market(database, tmp_path_factory.mktemp("draw"), ()) as market,
    ):
        market.draft()
        maker = CommitteeMaker(
            runtime=market.runtime,
            stage=market.stage,
            contact_ledger=contact_ledger(database),
            worker_ledger=worker_ledger(database),
            jump=lambda to: jump(market.runtime, SYSTEM, to, shift_file=market.shift_file),
        )
        maker.set_up()
        finished(market, maker)
        register.take_snapshot(market.runtime, {})
        contests.contest(maker.ledger, maker.postbox.codes("/draws/contest/")[0][1], "我没有答应过。")
        with owner_of(database, [*EXPERTS, *tables_of("document", "lot")]) as conn:
            conn.exec_driver_sql("UPDATE record.lot SET phase = 'draft'")  # where it was before ``decide``
            yield conn


@pytest.mark.parametrize("table", EXPERTS, ids=lambda table: table.name)
def test_every_column_is_covered(owner: Connection, table: Table) -> None:
    assert missed_columns(owner, table) == unnamed(table)


def test_random_mutations_of_rows_are_found_and_named(owner: Connection) -> None:
    assert RowMutations(owner, [*EXPERTS, *tables_of("document")]).missed(ROUNDS) == []
