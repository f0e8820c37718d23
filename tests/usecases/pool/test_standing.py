"""Suspension, resumption, removal, discipline, terms, trainings and the tree; every row explained (EXP-25, 26, 29)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from tests.support.databases import Database
from tests.support.made_pool import PoolMaker
from trading.audit.replay import replay
from trading.commands.folds import COMPARES, FOLDS, REPLAYED
from trading.experts import queries as experts
from trading.experts.rules.specialties import SEED
from trading.kernel.errors import Conflict, InvalidInput, RuleBroken
from trading.pool import queries
from trading.pool.rules.admission import after_years
from trading.pool.service import applications, decisions, upkeep
from trading.pool.service.applications import day_of
from trading.pool.service.decisions import Sanction


@pytest.fixture
def number(pool: PoolMaker) -> str:
    number = pool.apply()
    pool.admit(number)
    return number


def row(pool: PoolMaker, number: str) -> queries.FileRow:
    with pool.ledger.read() as conn:
        return queries.find(conn, number)


def test_a_regulator_suspends_resumes_and_removes(pool: PoolMaker, number: str, database: Database) -> None:
    pool.order(number, "suspended")
    assert row(pool, number).standing == "suspended"
    with pytest.raises(RuleBroken, match=r"pool\.reason"):
        pool.order(number, "resumed", "  ")
    pool.order(number, "resumed", "核查属实，恢复")
    assert row(pool, number).standing == "active"
    with pytest.raises(RuleBroken, match=r"register\.not_suspended"):
        pool.order(number, "resumed")
    pool.order(number, "removed", "本人申请退出")
    assert (row(pool, number).state, row(pool, number).standing) == ("ended", "removed")
    with database.engine("trading_auditor").connect() as conn:
        assert replay(conn, FOLDS, REPLAYED, COMPARES) == []


def test_sanctions_stand_in_the_credit_file(pool: PoolMaker, number: str, database: Database) -> None:
    bureau, today = pool.actors["bureau"], day_of(pool.now())
    decisions.discipline(pool.ledger, bureau, number, Sanction(measure="warning"), "迟到")
    decisions.discipline(pool.ledger, bureau, number, Sanction(measure="fine", amount=500_000), "未回避")
    until = after_years(today, 1)
    decisions.discipline(pool.ledger, bureau, number, Sanction(measure="ban", until=until), "泄密")
    found = applications.look(pool.ledger, bureau, number).sanctions
    assert sorted((each.measure, each.reason) for each in found) == [
        ("ban", "泄密"),
        ("fine", "未回避"),
        ("warning", "迟到"),
    ]
    assert {each.rule for each in found} == {"EXP-25"}
    with pool.ledger.begin(pool.actors["keeper"]) as uow:
        assert {each.reason for each in queries.sanctions(uow.connection, [number])} == {None}, "not for keepers"
    with pytest.raises(RuleBroken, match=r"pool\.banned"):
        decisions.renew(pool.ledger, bureau, number)
    for wrong in (Sanction(measure="fine"), Sanction(measure="ban"), Sanction(measure="warning", amount=1)):
        with pytest.raises(InvalidInput, match=r"pool\.sanction"):
            decisions.discipline(pool.ledger, bureau, number, wrong, "x")
    with database.engine("trading_auditor").connect() as conn:
        assert replay(conn, FOLDS, REPLAYED, COMPARES) == []


def test_a_sanction_keeps_a_person_out_for_three_years(pool: PoolMaker, number: str) -> None:
    decisions.discipline(pool.ledger, pool.actors["bureau"], number, Sanction(measure="warning"), "x")
    pool.order(number, "removed", "退出")
    with pytest.raises(RuleBroken) as refused:
        pool.apply(1)
    assert (refused.value.code, refused.value.rule_id) == ("pool.record", "EXP-08")


def test_a_term_that_is_over_ends_by_itself(pool: PoolMaker, number: str, database: Database) -> None:
    class Here:
        ledger = pool.ledger

    upkeep.lapse(Here(), {})  # type: ignore[arg-type]  # it asks for the ledger alone
    assert row(pool, number).state == "admitted", "the control: a term that runs stays"
    with database.connect() as conn:
        conn.exec_driver_sql("SET LOCAL session_replication_role = replica")
        conn.exec_driver_sql("ALTER TABLE record.pool_file DISABLE TRIGGER ALL")
        conn.execute(text("UPDATE record.pool_file SET until = 1"))
        conn.exec_driver_sql("ALTER TABLE record.pool_file ENABLE TRIGGER ALL")
        conn.commit()
    upkeep.lapse(Here(), {})  # type: ignore[arg-type]  # as above
    assert (row(pool, number).state, row(pool, number).rule) == ("ended", "EXP-29")
    with pool.ledger.read() as conn:
        assert experts.lapsed(conn) == {number}
    pool.order(number, "removed", "聘期届满")
    with pool.ledger.read() as conn:
        assert experts.lapsed(conn) == frozenset()
    with pytest.raises(Conflict):
        decisions.renew(pool.ledger, pool.actors["bureau"], number)


def test_trainings_are_noted_by_the_keeper(pool: PoolMaker, number: str) -> None:
    today = day_of(pool.now())
    upkeep.note_training(pool.ledger, pool.actors["keeper"], number, today)
    assert row(pool, number).trained_at is not None
    with pytest.raises(RuleBroken, match=r"pool\.training"):
        upkeep.note_training(pool.ledger, pool.actors["keeper"], number, today + timedelta(days=1))


def test_a_new_tree_holds_for_the_next_application(pool: PoolMaker, database: Database) -> None:
    rows = [{"code": "Z01", "parent": "", "title_zh": "测绘", "title_en": "Surveying"}]
    with pytest.raises(RuleBroken, match=r"pool\.specialty"):
        pool.apply(specialties=("Z01",))
    tree = upkeep.publish_tree(pool.ledger, pool.actors["keeper"], rows, "测试")
    assert tree.version == SEED.version + 1
    pool.apply(specialties=("Z01",))
    with pytest.raises(RuleBroken, match=r"pool\.specialty"):
        pool.apply(2)
    for wrong, code in (
        ([{"code": "Z0101", "parent": "Z9", "title_zh": "x", "title_en": "x"}], "specialty.parent"),
        ([*rows, *rows], "specialty.double"),
        ([{"code": "z", "parent": "", "title_zh": "x", "title_en": "x"}], "specialty.row"),
    ):
        with pytest.raises(RuleBroken) as refused:
            upkeep.publish_tree(pool.ledger, pool.actors["keeper"], wrong, "测试")
        assert refused.value.code == code
    with database.engine("trading_auditor").connect() as conn:
        assert replay(conn, FOLDS, REPLAYED, COMPARES) == []
