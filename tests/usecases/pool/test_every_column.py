"""``verify-audit`` over the pool: a change of any column is found (AL1 L11.3)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, Table

from tests.support.columns import POOL, missed_columns, owner_of, tables_of, unnamed
from tests.support.databases import Server, clone
from tests.support.made_pool import PoolMaker
from trading.assembly import REGISTRY
from trading.audit.ledger import Ledger
from trading.pool.service import applications, decisions, upkeep
from trading.pool.service.applications import day_of
from trading.pool.service.decisions import Sanction


@pytest.fixture(scope="module")
def owner(server: Server) -> Iterator[Connection]:
    """A pool in which everything has happened once."""
    with clone(server) as database:
        ledger = Ledger(database.engine(), registry=REGISTRY, reader=database.engine("trading_reader"))
        pool = PoolMaker(ledger).set_up()
        bureau, keeper, lin = pool.actors["bureau"], pool.actors["keeper"], pool.actors["lin"]
        rows = [{"code": each, "parent": "", "title_zh": "专业", "title_en": "x"} for each in ("A0201", "C1601")]
        upkeep.publish_tree(ledger, keeper, rows, "测试")
        number = applications.apply(ledger, lin, "TL", pool.dossier(account=lin.account))
        applications.recommend(ledger, pool.actors["unit"], number)
        pool.admit(number)
        applications.amend(ledger, lin, number, phone="13900000000")
        upkeep.note_training(ledger, keeper, number, day_of(pool.now()))
        decisions.discipline(ledger, bureau, number, Sanction(measure="warning"), "迟到")
        pool.order(number, "suspended")
        refused = pool.apply(2)
        decisions.refuse(ledger, bureau, refused, "EXP-08", "不符")
        pool.apply(3)  # the newest entry is of no act of a duty, of which an entry has one at most
        with owner_of(database, [*POOL, *tables_of("document", "expert", "expert_identity")]) as conn:
            yield conn


@pytest.mark.parametrize("table", POOL, ids=lambda table: table.name)
def test_every_column_is_covered(owner: Connection, table: Table) -> None:
    assert missed_columns(owner, table) == unnamed(table)
