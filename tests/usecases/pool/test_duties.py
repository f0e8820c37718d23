"""Who qualifies experts does not keep the pool, and the reverse: the database says so, whoever asks (A1.16, SEP-02)."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from tests.support.databases import Database
from tests.support.made_pool import BUREAU, CENTRE, PoolMaker, code
from trading.accounts import service as accounts
from trading.kernel.errors import NotPermitted, RuleBroken
from trading.kernel.roles import Actor, Role
from trading.pool.service import decisions, upkeep

KEEPING = (Role.CENTRE, Role.DESK, Role.ADMIN)
SYSTEM = Actor.system("test")


def person_of(pool: PoolMaker, login: str) -> str:
    with pool.ledger.upkeep() as conn:
        query = text("SELECT person FROM desk.account WHERE id = :id")
        return str(conn.execute(query, {"id": pool.actors[login].account}).scalar_one())


@pytest.mark.parametrize("role", KEEPING)
@pytest.mark.parametrize("jurisdiction", ["CN", "demo.replay"])
def test_nobody_holds_both_duties_wherever_he_acts(pool: PoolMaker, role: Role, jurisdiction: str) -> None:
    regulator = pool.actors["bureau"].account
    with pytest.raises(RuleBroken, match="separated"):
        accounts.grant_membership(pool.ledger, SYSTEM, regulator, role, jurisdiction)
    with pytest.raises(RuleBroken, match="separated"):
        accounts.create_account(
            pool.ledger,
            login="second",
            org_code=code(9),
            roles=(role,),
            person_id=person_of(pool, "bureau"),
            jurisdiction=jurisdiction,
        )


@pytest.mark.parametrize("role", KEEPING)
def test_no_organisation_holds_both_duties(pool: PoolMaker, role: Role) -> None:
    with pytest.raises(RuleBroken) as refused:
        accounts.create_account(pool.ledger, login="other", org_code=BUREAU, roles=(role,), jurisdiction="demo.replay")
    assert refused.value.rule_id == "SEP-02"
    with pytest.raises(RuleBroken, match="separated"):
        accounts.create_account(
            pool.ledger, login="third", org_code=CENTRE, roles=(Role.AUTHORITY,), jurisdiction="demo.replay"
        )


def test_after_the_role_has_ended_the_other_duty_is_open(pool: PoolMaker) -> None:
    moved = pool.account("moved", code(7), Role.AUTHORITY)
    accounts.end_membership(pool.ledger, SYSTEM, moved.account, Role.AUTHORITY, reason="moved on")
    accounts.grant_membership(pool.ledger, SYSTEM, moved.account, Role.CENTRE)


def entry(conn: Connection, actor: str) -> int:
    """Write a genuine entry in the name of an account, as the ledger does."""
    conn.execute(text("SELECT set_config('mingbiao.actor', :actor, true)"), {"actor": actor})
    query = text(
        "INSERT INTO log.audit_entry (procedure_id, kind, record, nonce)"
        " VALUES (NULL, 'config.changed', '{}', decode(repeat('00', 32), 'hex')) RETURNING id"
    )
    return int(conn.execute(query).scalar_one())


ACT = text("INSERT INTO record.pool_act (id, entry_id, duty, what, by_account) VALUES (:id, :id, :duty, 'x', :account)")
ADMIT = text("UPDATE record.pool_file SET state = 'admitted', until = 1, entry_id = :id WHERE number = :number")
REFUSE = text("UPDATE record.pool_file SET state = 'refused', entry_id = :id WHERE number = :number")
SANCTION = text(
    "INSERT INTO record.pool_sanction (id, entry_id, number, measure, rule, at)"
    " VALUES (:id, :id, :number, 'warning', 'EXP-25', 1)"
)


@pytest.mark.parametrize("role", ["trading_web", "postgres"])
@pytest.mark.parametrize("statement", [ADMIT, REFUSE, SANCTION], ids=["admit", "refuse", "sanction"])
def test_a_keeper_decides_nothing_even_past_the_services(
    pool: PoolMaker, database: Database, role: str, statement: object
) -> None:
    number, keeper = pool.apply(), pool.actors["keeper"].account
    with database.engine(role).connect() as conn:
        made = entry(conn, keeper)
        conn.execute(ACT, {"id": made, "duty": "keeps", "account": keeper})
        with pytest.raises(IntegrityError, match="only a regulator"):
            conn.execute(statement, {"id": made, "number": number})  # type: ignore[call-overload]
    with database.engine(role).connect() as conn, pytest.raises(IntegrityError, match="does not hold the duty"):
        conn.execute(ACT, {"id": entry(conn, keeper), "duty": "qualifies", "account": keeper})
    regulator = pool.actors["bureau"].account
    with database.engine(role).connect() as conn, pytest.raises(IntegrityError, match="does not hold the duty"):
        conn.execute(ACT, {"id": entry(conn, keeper), "duty": "qualifies", "account": regulator})
    with database.engine(role).connect() as conn:  # the control: a regulator's act lets the same statement through
        made = entry(conn, regulator)
        conn.execute(ACT, {"id": made, "duty": "qualifies", "account": regulator})
        conn.execute(statement, {"id": made, "number": number})  # type: ignore[call-overload]
        conn.rollback()


def test_a_keeper_does_not_change_the_register_past_the_services(pool: PoolMaker, database: Database) -> None:
    number = pool.apply()
    pool.admit(number)
    statement = text("UPDATE record.expert SET state = 'suspended', entry_id = :id WHERE expert_id = :number")
    for login, refused in (("keeper", True), ("desk1", True), ("bureau", False)):
        with database.engine("trading_web").connect() as conn:
            made = entry(conn, pool.actors[login].account)
            if refused:
                with pytest.raises(IntegrityError, match="who keeps the pool"):
                    conn.execute(statement, {"id": made, "number": number})
            else:
                conn.execute(statement, {"id": made, "number": number})
            conn.rollback()


def test_services_refuse_the_other_duty_first(pool: PoolMaker) -> None:
    number = pool.apply()
    keeper, regulator = pool.actors["keeper"], pool.actors["bureau"]
    for attempt in (
        lambda: decisions.refuse(pool.ledger, keeper, number, "EXP-08", "不符"),
        lambda: decisions.draft_admission(pool.ledger, keeper, [number], ["C"]),
        lambda: decisions.discipline(pool.ledger, keeper, number, decisions.Sanction(measure="warning"), "x"),
        lambda: decisions.renew(pool.ledger, keeper, number),
        lambda: decisions.draft_order(pool.ledger, keeper, number, "suspended"),
        lambda: upkeep.publish_tree(pool.ledger, regulator, [], "x"),
    ):
        with pytest.raises(NotPermitted):
            attempt()
