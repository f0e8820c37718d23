"""The unit of work: one transaction, its entry, its refusals (AL1 L4, architecture 7)."""

from __future__ import annotations

import json
import threading

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from tests.support.databases import Database
from trading.audit.ledger import Ledger
from trading.audit.model import EVENTS
from trading.audit.rules.chain import record_commitment
from trading.audit.rules.record import parse_record
from trading.kernel.errors import RuleBroken
from trading.kernel.events import Event, Registry
from trading.kernel.roles import Actor, Role

ACTOR = Actor(account="a-1", roles=frozenset({Role.DESK}), organisation="91310000MA1K35XXXX")
CHANGED = Event(kind="config.changed", subject="setting:x", body={"what": "x"})


def test_record_is_canonical_and_hashes_to_h(ledger: Ledger) -> None:
    with ledger.begin(ACTOR, request="r-1") as uow:
        recorded = uow.record(CHANGED)
        at = uow.at
    with ledger.read() as connection:
        row = connection.exec_driver_sql("SELECT * FROM log.audit_entry").one()
    record = parse_record(row.record)
    assert record["body"] == {"what": "x"}
    assert (record["actor"], record["on_behalf_of"], record["request"]) == ("a-1", ACTOR.organisation, "r-1")
    assert record["at"] == at == recorded.at
    assert row.id == recorded.entry_id
    assert row.h == recorded.h == record_commitment(row.nonce, row.record)


def test_an_exception_rolls_everything_back(ledger: Ledger) -> None:
    with pytest.raises(ZeroDivisionError), ledger.begin(ACTOR) as uow:  # noqa: PT012 - the block is the act
        uow.record(CHANGED)
        uow.wake("nothing", {}, 0)
        raise ZeroDivisionError
    assert count(ledger, "log.audit_entry") == 0
    assert count(ledger, "desk.errand") == 0


def test_unknown_kind_or_body_is_a_bug(ledger: Ledger) -> None:
    for event in (Event(kind="no.such", subject="x", body={}), Event(kind="config.changed", subject="x", body={})):
        with pytest.raises(ValueError, match=r"not registered|missing"), ledger.begin(ACTOR) as uow:
            uow.record(event)


def test_errand_is_part_of_the_transaction(ledger: Ledger) -> None:
    with ledger.begin(ACTOR) as uow:
        uow.record(CHANGED)
        uow.wake("procedures.advance", {"procedure": 7}, 1_700_000_000_123)
    with ledger.read() as connection:
        row = connection.exec_driver_sql("SELECT * FROM desk.errand").one()
    assert (row.name, row.arg, row.done_at) == ("procedures.advance", {"procedure": 7}, None)
    assert int(row.due_at.timestamp() * 1000) == 1_700_000_000_123


def test_rule_l_refuses_a_lock_after_the_first_entry(ledger: Ledger) -> None:
    locking = (
        "SELECT id FROM record.procedure FOR UPDATE",
        "SELECT id FROM record.procedure\n FOR NO KEY UPDATE",
        "SELECT id FROM record.procedure for share",
        "SELECT id FROM record.procedure FOR KEY SHARE",
        "SELECT * FROM log.act_begin(1, '1', 'all')",
        "INSERT INTO desk.cursor VALUES ('x', 1) ON CONFLICT DO NOTHING",
    )
    for statement in locking:
        with ledger.begin(ACTOR) as uow:
            uow.connection.exec_driver_sql(statement)  # before the entry it is what every act does
        with pytest.raises(AssertionError, match="rule L"):
            record_then(ledger, statement)


def test_reading_cannot_write(ledger: Ledger, database: Database) -> None:
    alone = Ledger(database.engine(), registry=Registry(EVENTS))  # without a reading role the transaction refuses
    for each in (ledger, alone):
        with pytest.raises(DBAPIError, match=r"read-only|permission"), each.read() as connection:
            connection.exec_driver_sql("DELETE FROM desk.errand")
        with each.upkeep() as connection:
            connection.exec_driver_sql("DELETE FROM desk.errand")


def test_row_policies_can_read_the_actor(ledger: Ledger) -> None:
    query = "SELECT current_setting('mingbiao.actor'), current_setting('mingbiao.organisation')"
    with ledger.begin(ACTOR) as uow:
        assert tuple(uow.connection.exec_driver_sql(query).one()) == (ACTOR.account, ACTOR.organisation)
    with ledger.upkeep() as connection:
        row = connection.exec_driver_sql("SELECT current_setting('mingbiao.actor', true)").scalar_one()
    assert not row


def test_no_connection_in_time_is_the_refusal_busy(database: Database, registry: Registry) -> None:
    ledger = Ledger(database.engine(pool_size=1, acquire_s=0.05), registry=registry)
    with ledger.begin(ACTOR), pytest.raises(RuleBroken) as caught, ledger.begin(ACTOR):
        pass
    assert caught.value.code == "busy"


def test_no_lock_in_time_is_the_refusal_busy(ledger: Ledger) -> None:
    with ledger.upkeep() as connection:
        connection.exec_driver_sql("INSERT INTO desk.cursor VALUES ('x', 1)")
    holding, done = threading.Event(), threading.Event()

    def hold() -> None:
        with ledger.upkeep() as connection:
            connection.exec_driver_sql("SELECT * FROM desk.cursor FOR UPDATE")
            holding.set()
            done.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    assert holding.wait(10)
    with pytest.raises(RuleBroken) as caught:
        take_lock_within_20_ms(ledger)
    done.set()
    holder.join()
    assert caught.value.code == "busy"
    recorded = ledger.refuse(ACTOR, CHANGED, at=5)
    assert recorded.at == 5


def test_all_locks_of_an_act_share_one_budget(ledger: Ledger) -> None:
    with ledger.begin(ACTOR) as uow:
        assert lock_timeout(uow.connection) == "4s"
        uow.connection.exec_driver_sql("SELECT pg_sleep(0.1)")  # stands for a wait: any slow statement counts
        left = lock_timeout(uow.connection)
        assert left.endswith("ms")
        assert 3000 < int(left.removesuffix("ms")) <= 3900
    with ledger.begin(ACTOR) as uow:
        assert lock_timeout(uow.connection) == "4s"


def test_the_closer_waits_without_limit(ledger: Ledger) -> None:
    with ledger.begin(ACTOR, patient=True) as uow:
        uow.connection.exec_driver_sql("SELECT pg_sleep(0.1)")
        assert lock_timeout(uow.connection) == "0"


def test_a_connection_that_the_server_closed_is_replaced(ledger: Ledger, database: Database) -> None:
    with ledger.begin(ACTOR):
        pass
    with database.connect() as superuser:
        superuser.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid()"
        )
    with ledger.begin(ACTOR) as uow:
        uow.record(CHANGED)
    assert count(ledger, "log.audit_entry") == 1


def test_nonces_differ_and_records_carry_no_trace_of_them(ledger: Ledger) -> None:
    with ledger.begin(ACTOR) as uow:
        first, second = uow.record(CHANGED), uow.record(CHANGED)
    assert first.h != second.h
    with ledger.read() as connection:
        rows = connection.exec_driver_sql("SELECT record, nonce FROM log.audit_entry").all()
    assert len({row.nonce for row in rows}) == 2
    assert all(row.nonce.hex() not in json.dumps(row.record.decode()) for row in rows)


def record_then(ledger: Ledger, statement: str) -> None:
    with ledger.begin(ACTOR) as uow:
        uow.record(CHANGED)
        uow.connection.exec_driver_sql(statement)


def take_lock_within_20_ms(ledger: Ledger) -> None:
    with ledger.begin(ACTOR) as uow:
        uow.connection.exec_driver_sql("SET LOCAL lock_timeout = 20")
        uow.connection.exec_driver_sql("SELECT * FROM desk.cursor FOR UPDATE")


def count(ledger: Ledger, table: str) -> int:
    with ledger.read() as connection:
        result: int = connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one()  # noqa: S608
    return result


def lock_timeout(connection: Connection) -> str:
    result: str = connection.exec_driver_sql("SHOW lock_timeout").scalar_one()
    return result
