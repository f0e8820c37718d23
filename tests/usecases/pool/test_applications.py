"""An application from its beginning to a place in the register, and what the edition refuses (EXP-07, 08, 27, 29)."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import text

from tests.support.databases import Database
from tests.support.made_pool import PoolMaker
from trading.audit.replay import replay
from trading.commands.folds import COMPARES, FOLDS, REPLAYED
from trading.experts import queries as experts
from trading.kernel.errors import Conflict, InvalidInput, NotFound, NotPermitted, RuleBroken
from trading.pool import queries
from trading.pool.rules.admission import after_years
from trading.pool.service import applications, decisions
from trading.pool.service.applications import day_of, instant_of


def state_of(pool: PoolMaker, number: str) -> queries.FileRow:
    with pool.ledger.read() as conn:
        return queries.find(conn, number)


def test_an_expert_applies_is_recommended_and_admitted(pool: PoolMaker, database: Database) -> None:
    lin = pool.actors["lin"]
    number = applications.apply(pool.ledger, lin, "TL", pool.dossier(account=lin.account))
    assert state_of(pool, number).state == "asked", "a tender expert needs his employer's word (EXP-27)"
    (asked,) = applications.staff(pool.ledger, pool.actors["unit"])
    applications.recommend(pool.ledger, pool.actors["unit"], asked.row.number)
    pool.admit(number, levels=("C", "P"))
    found = state_of(pool, number)
    assert (found.state, found.standing) == ("admitted", "active")
    assert found.until == instant_of(after_years(day_of(pool.now()), 3) + timedelta(days=1))
    with pool.ledger.read() as conn:
        item = experts.register(conn, [number]).experts[number]
    assert item.strata == ("A0201-C", "A0201-P", "C1601-C", "C1601-P")
    (mine,) = applications.own(pool.ledger, lin)
    assert mine.dossier.name == "林一鸣"
    with database.engine("trading_auditor").connect() as conn:
        assert replay(conn, FOLDS, REPLAYED, COMPARES) == []


def test_no_record_names_a_person(pool: PoolMaker, database: Database) -> None:
    pool.admit(pool.apply())
    with database.connect() as conn:
        records = b"".join(bytes(row[0]) for row in conn.execute(text("SELECT record FROM log.audit_entry")))
        documents = b"".join(bytes(row[0]) for row in conn.execute(text("SELECT bytes FROM record.document")))
    planted = pool.dossier()
    for secret in (planted.name, planted.identity_no, planted.mail, planted.phone, planted.birth):
        assert secret.encode() not in records + documents
        assert secret in planted.encode(), "the control: it stands in the dossier"


def test_a_person_reads_his_own_file_alone(pool: PoolMaker) -> None:
    lin, zhou = pool.actors["lin"], pool.actors["zhou"]
    number = applications.apply(pool.ledger, lin, "GP", pool.dossier(account=lin.account))
    assert applications.own(pool.ledger, zhou) == []
    for reader in ("zhou", "keeper"):
        with pool.ledger.begin(pool.actors[reader]) as uow:
            assert queries.dossier(uow.connection, number) is None
        with pytest.raises(NotPermitted):
            applications.look(pool.ledger, pool.actors[reader], number)
    with pytest.raises(NotFound):
        applications.withdraw(pool.ledger, zhou, number)
    assert applications.look(pool.ledger, pool.actors["bureau"], number).dossier.name == "林一鸣"
    assert applications.search(pool.ledger, pool.actors["bureau"], "林") == [("林一鸣", number)]
    applications.withdraw(pool.ledger, lin, number)
    with pytest.raises(Conflict):
        applications.withdraw(pool.ledger, lin, number)


@pytest.mark.parametrize(
    ("regime", "changes", "code", "rule"),
    [
        ("TL", {"years": 7}, "pool.years", "EXP-07"),
        ("TL", {"title": 2}, "pool.title", "EXP-07"),
        ("GP", {"title": 2, "years": 7}, "pool.years", "EXP-08"),
        ("GP", {"title": 1, "years": 30}, "pool.title", "EXP-08"),
        ("GP", {"birth": "1950-01-01"}, "pool.age", "EXP-08"),
    ],
)
def test_the_edition_refuses_by_rule(
    pool: PoolMaker, regime: str, changes: dict[str, object], code: str, rule: str
) -> None:
    with pytest.raises(RuleBroken) as refused:
        pool.apply(1, regime, **changes)
    assert (refused.value.code, refused.value.rule_id) == (code, rule)


@pytest.mark.parametrize(
    ("regime", "changes"),
    [
        ("TL", {"years": 8}),
        ("TL", {"birth": "1950-01-01"}),  # no national age limit for tenders
        ("GP", {"title": 2, "years": 8}),
        ("GP", {"title": 3, "years": 0}),
    ],
)
def test_the_edition_lets_in_at_its_limits(pool: PoolMaker, regime: str, changes: dict[str, object]) -> None:
    assert state_of(pool, pool.apply(1, regime, **changes)).state == "waiting"


def test_a_term_ends_before_the_age_limit(pool: PoolMaker) -> None:
    today = day_of(pool.now())
    birth = date(today.year - 69, today.month, 1)
    number = pool.apply(birth=birth.isoformat())
    pool.admit(number)
    assert state_of(pool, number).until == instant_of(after_years(birth, 70))


def test_nobody_is_entered_twice(pool: PoolMaker) -> None:
    first = pool.apply(1)
    with pytest.raises(RuleBroken, match=r"pool\.known"):
        pool.apply(1)
    decisions.refuse(pool.ledger, pool.actors["bureau"], first, "EXP-08", "材料不齐")
    assert (state_of(pool, first).state, state_of(pool, first).rule) == ("refused", "EXP-08")
    pool.apply(1)


def test_a_document_that_says_more_than_the_application_is_refused(pool: PoolMaker) -> None:
    number = pool.apply()
    bureau = pool.actors["bureau"]
    doc = decisions.draft_admission(pool.ledger, bureau, [number], ["C"])
    forged = pool.sign(doc.replace(b"A0201-C", b"A0203-C"))
    with pytest.raises(RuleBroken, match=r"pool\.mismatch"):
        decisions.qualify(pool.ledger, bureau, forged)
    with pytest.raises(RuleBroken, match=r"sig\."):
        decisions.qualify(pool.ledger, bureau, type(forged)(doc))
    assert state_of(pool, number).state == "waiting"


def test_amending_keeps_the_number_and_seals_anew(pool: PoolMaker, database: Database) -> None:
    lin = pool.actors["lin"]
    number = applications.apply(pool.ledger, lin, "GP", pool.dossier(account=lin.account))
    pool.admit(number)
    applications.amend(pool.ledger, lin, number, phone="13900000000", available=False)
    (mine,) = applications.own(pool.ledger, lin)
    assert (mine.dossier.phone, mine.dossier.available) == ("13900000000", False)
    with pytest.raises(InvalidInput, match=r"pool\.not_amendable"):
        applications.amend(pool.ledger, lin, number, title=3)
    with pytest.raises(InvalidInput):
        applications.amend(pool.ledger, lin, number, mail="nowhere")
    with database.connect() as conn:
        assert conn.execute(text("SELECT count(*) FROM record.expert_identity")).scalar_one() == 2
