"""No entry, no change: every way round the guard that AL1 L3 lists, as web role and as superuser; and legal paths."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import LiteralString

import psycopg
import pytest
from psycopg import Connection
from sqlalchemy import make_url

from tests.support.databases import Database
from tests.support.trial_tables import make_trial_tables
from trading.audit.rules.chain import record_commitment
from trading.release import faults

ROLES = ("trading_web", "trading_worker", "postgres")
GUARDED = psycopg.errors.IntegrityConstraintViolation
DENIED = psycopg.errors.InsufficientPrivilege
Sql = Callable[[Connection], object]


@pytest.fixture(params=ROLES)
def conn(database: Database, request: pytest.FixtureRequest) -> Iterator[Connection]:
    """A connection of the role under test to a database with one procedure, one bid and one setting, committed."""
    make_trial_tables(database)
    with connect(database, "postgres") as superuser:
        fill(superuser)
    with connect(database, request.param) as connection:
        yield connection


@contextmanager
def connect(database: Database, role: str) -> Iterator[Connection]:
    url = make_url(database.url(role)).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as connection:
        yield connection


def entry(conn: Connection, procedure: int | None) -> int:
    row = conn.execute(
        "INSERT INTO log.audit_entry (procedure_id, kind, record, nonce) VALUES (%s, 'config.changed', '{}', %s)"
        " RETURNING id",
        (procedure, secrets.token_bytes(32)),
    ).fetchone()
    assert row is not None
    return int(row[0])


def fill(conn: Connection) -> None:
    for procedure in (1, 2):
        conn.execute("INSERT INTO record.trial_procedure VALUES (%s, %s, 'open')", (procedure, entry(conn, procedure)))
    conn.execute("INSERT INTO record.trial_bid VALUES (10, %s, 1, 'a')", (entry(conn, 1),))
    conn.execute("INSERT INTO record.trial_setting VALUES (20, %s, 'a')", (entry(conn, None),))
    conn.commit()


def refused(conn: Connection, act: LiteralString | Sql, *errors: type[psycopg.Error]) -> None:
    """Run a statement or an act and require that it fails, at the latest at commit, and that nothing of it stays."""

    def attempt() -> None:
        if callable(act):
            act(conn)
        else:
            conn.execute(act)
        conn.commit()

    before = snapshot(conn)
    with pytest.raises(errors or GUARDED):
        attempt()
    conn.rollback()
    assert snapshot(conn) == before


def snapshot(conn: Connection) -> list[tuple[object, ...]]:
    rows = conn.execute("SELECT * FROM record.trial_procedure ORDER BY id").fetchall()
    rows += conn.execute("SELECT * FROM record.trial_bid ORDER BY id").fetchall()
    rows += conn.execute("SELECT * FROM record.trial_setting ORDER BY id").fetchall()
    rows += conn.execute("SELECT id, kind, record, nonce, h FROM log.audit_entry ORDER BY id").fetchall()
    conn.rollback()
    return rows


def test_insert_without_any_entry(conn: Connection) -> None:
    refused(
        conn,
        "INSERT INTO record.trial_setting VALUES (21, NULL, 'x')",
        GUARDED,
        psycopg.errors.NotNullViolation,
    )
    refused(conn, "INSERT INTO record.trial_setting VALUES (21, 999999, 'x')")
    refused(conn, "INSERT INTO record.trial_bid VALUES (11, -1, 1, 'x')")


def test_raw_and_bulk_update(conn: Connection) -> None:
    refused(conn, "UPDATE record.trial_bid SET head = 'x' WHERE id = 10")
    refused(conn, "UPDATE record.trial_procedure SET phase = 'closed'")
    refused(conn, "UPDATE record.trial_setting SET value = 'x'")


def test_own_earlier_entry(conn: Connection) -> None:
    earlier = entry(conn, 1)
    conn.commit()
    refused(conn, lambda c: c.execute("UPDATE record.trial_bid SET head = 'x', entry_id = %s", (earlier,)))


def test_entry_of_another_transaction_running_or_committed(conn: Connection, database: Database) -> None:
    ready, done, found = threading.Event(), threading.Event(), []

    def other() -> None:
        with connect(database, "trading_web") as running:
            found.append(entry(running, 1))
            ready.set()
            done.wait(30)
            running.commit()

    thread = threading.Thread(target=other)
    thread.start()
    assert ready.wait(10)
    conn.execute("SET lock_timeout = '1s'")  # the foreign key would wait for an entry that may still disappear
    conn.commit()
    update = "UPDATE record.trial_bid SET head = 'x', entry_id = %s"
    refused(conn, lambda c: c.execute(update, (found[0],)), GUARDED, psycopg.errors.LockNotAvailable)
    done.set()
    thread.join()
    refused(conn, lambda c: c.execute(update, (found[0],)))


def test_entry_of_another_procedure(conn: Connection) -> None:
    refused(conn, lambda c: c.execute("UPDATE record.trial_bid SET head = 'x', entry_id = %s", (entry(c, 2),)))
    refused(conn, lambda c: c.execute("UPDATE record.trial_bid SET head = 'x', entry_id = %s", (entry(c, None),)))
    refused(conn, lambda c: c.execute("UPDATE record.trial_setting SET value = 'x', entry_id = %s", (entry(c, 1),)))
    refused(conn, lambda c: c.execute("INSERT INTO record.trial_procedure VALUES (3, %s, 'x')", (entry(c, 1),)))


def test_move_of_a_row_and_change_of_its_id(conn: Connection) -> None:
    move: LiteralString = "UPDATE record.trial_bid SET procedure_id = 2, entry_id = %s"
    refused(conn, lambda c: c.execute(move, (entry(c, 1),)))
    refused(conn, lambda c: c.execute(move, (entry(c, 2),)))
    refused(conn, lambda c: c.execute("UPDATE record.trial_bid SET id = 11, entry_id = %s", (entry(c, 1),)))
    refused(
        conn,
        lambda c: c.execute("UPDATE record.trial_procedure SET id = 3, entry_id = %s WHERE id = 2", (entry(c, 3),)),
    )


def test_entry_of_a_savepoint_that_was_rolled_back(conn: Connection) -> None:
    def act(c: Connection) -> None:
        c.execute("SAVEPOINT s")
        gone = entry(c, 1)
        c.execute("ROLLBACK TO s")
        c.execute("UPDATE record.trial_bid SET head = 'x', entry_id = %s", (gone,))

    refused(conn, act)


def test_entry_that_has_left_the_queue(conn: Connection, database: Database) -> None:
    """After a logical restore the transaction counter starts again: a stamp can repeat, a queued entry cannot."""
    old = entry(conn, 1)
    conn.commit()
    with connect(database, "postgres") as superuser:
        superuser.execute("DELETE FROM log.audit_queue")
        superuser.commit()
        superuser.execute("ALTER TABLE log.audit_entry DISABLE TRIGGER c_frozen")
        superuser.commit()

        def act(c: Connection) -> None:
            c.execute("UPDATE log.audit_entry SET xact = pg_current_xact_id() WHERE id = %s", (old,))
            c.execute("UPDATE record.trial_bid SET head = 'x', entry_id = %s", (old,))

        refused(superuser, act)


FORGED: tuple[LiteralString, ...] = (
    "INSERT INTO log.audit_entry (id, kind, record, nonce) VALUES (77777, 'x', '{}', %s)",
    "INSERT INTO log.audit_entry (xact, kind, record, nonce) VALUES ('1', 'x', '{}', %s)",
    "INSERT INTO log.audit_entry (h, kind, record, nonce) VALUES (decode(repeat('11', 32), 'hex'), 'x', '{}', %s)",
)


@pytest.mark.parametrize("statement", FORGED)
def test_forged_id_xact_and_h(conn: Connection, statement: LiteralString) -> None:
    def forge(c: Connection) -> None:
        c.execute(statement, (bytes(32),))

    if conn.info.user != "postgres":
        refused(conn, forge, DENIED)
        return
    forge(conn)  # a superuser may name the columns, but it is the trigger that writes them
    row = conn.execute("SELECT id, xact = pg_current_xact_id(), h FROM log.audit_entry ORDER BY id DESC LIMIT 1")
    found = row.fetchone()
    assert found is not None
    assert found[0] < 77777
    assert found[1]
    assert found[2] == record_commitment(bytes(32), b"{}")


def test_delete_and_truncate_of_business_rows(conn: Connection) -> None:
    for statement in (
        "DELETE FROM record.trial_bid",
        "DELETE FROM record.trial_bid WHERE false",
        "DELETE FROM record.trial_procedure",
        "DELETE FROM record.trial_setting",
        "TRUNCATE record.trial_bid",
        "TRUNCATE record.trial_procedure CASCADE",
        "TRUNCATE record.trial_setting CASCADE",
    ):
        refused(conn, statement, GUARDED, DENIED)


def test_update_delete_and_truncate_of_the_log(conn: Connection) -> None:
    for statement in (
        "UPDATE log.audit_entry SET record = '{\"x\":1}'",
        "UPDATE log.audit_entry SET procedure_id = 2",
        "DELETE FROM log.audit_entry",
        "TRUNCATE log.audit_entry CASCADE",
        "UPDATE log.log_position SET t = 0",
        "DELETE FROM log.log_position",
        "TRUNCATE log.log_position",
    ):
        refused(conn, statement, GUARDED, DENIED)


def test_replica_role_switches_no_trigger_off(conn: Connection) -> None:
    replica = "SET session_replication_role = replica"
    if conn.info.user != "postgres":
        refused(conn, lambda c: c.execute(replica), DENIED)
        return
    conn.execute(replica)
    conn.commit()
    refused(conn, "UPDATE record.trial_bid SET head = 'x'")
    refused(conn, "DELETE FROM record.trial_bid")
    refused(conn, "DELETE FROM log.audit_entry")
    entry(conn, 1)
    conn.commit()
    row = conn.execute("SELECT count(*) FROM log.audit_entry e JOIN log.audit_queue q ON q.entry_id = e.id").fetchone()
    assert row == (5,)  # stamped and queued all the same


def test_what_the_serving_roles_have_no_right_to(conn: Connection) -> None:
    if conn.info.user == "postgres":
        return  # a superuser has every right; that no serving role is one is checked by the release
    for statement in (
        "ALTER TABLE record.trial_bid DISABLE TRIGGER a_guard",
        "DROP TRIGGER a_guard ON record.trial_bid",
        "CREATE OR REPLACE FUNCTION log.guard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "DROP FUNCTION log.guard() CASCADE",
        "SELECT nextval('log.audit_entry_id')",
        "SELECT setval('log.audit_entry_id', 1)",
        "INSERT INTO log.audit_queue VALUES (1)",
        "DELETE FROM log.audit_queue",
        "SELECT * FROM log.audit_queue",
        "INSERT INTO log.log_position VALUES (0, 1, decode(repeat('00', 32), 'hex'), 0)",
        "UPDATE log.sequencer_barrier SET beat = 0",
        "UPDATE log.origin SET demo = true",
        "SET ROLE trading_owner",
        "CREATE TABLE record.mine (id int)",
        "CREATE TABLE public.mine (id int)",
        "CREATE TEMP TABLE mine (id int)",
        "CREATE SCHEMA mine",
        "ALTER TABLE record.trial_bid OWNER TO CURRENT_USER",
        "LOCK TABLE log.audit_entry IN ACCESS EXCLUSIVE MODE",
    ):
        refused(conn, statement, DENIED)
    conn.execute("GRANT DELETE ON record.trial_bid TO CURRENT_USER")  # PostgreSQL only warns, and grants nothing
    conn.commit()
    refused(conn, "DELETE FROM record.trial_bid", DENIED)


def test_legal_paths(conn: Connection) -> None:
    conn.execute("INSERT INTO record.trial_procedure VALUES (3, %s, 'open')", (entry(conn, 3),))
    conn.commit()
    conn.execute("UPDATE record.trial_procedure SET phase = 'closed', entry_id = %s WHERE id = 3", (entry(conn, 3),))
    conn.execute("UPDATE record.trial_setting SET value = 'b', entry_id = %s", (entry(conn, None),))
    conn.commit()
    one = entry(conn, 1)  # one act, one entry, as many rows as it touches
    conn.execute("INSERT INTO record.trial_bid VALUES (11, %s, 1, 'b'), (12, %s, 1, 'c')", (one, one))
    conn.execute("UPDATE record.trial_bid SET head = 'd', entry_id = %s", (one,))
    conn.commit()
    conn.execute("SAVEPOINT s")
    inside = entry(conn, 1)
    conn.execute("RELEASE s")
    conn.execute("UPDATE record.trial_bid SET head = 'e', entry_id = %s WHERE id = 10", (inside,))
    conn.commit()
    heads = conn.execute("SELECT head FROM record.trial_bid ORDER BY id").fetchall()
    assert heads == [("e",), ("d",), ("d",)]


def test_the_guard_is_what_refuses(conn: Connection, database: Database) -> None:
    """Control: with the trigger off, the same statement changes the row."""
    with connect(database, "postgres") as superuser:
        superuser.execute("ALTER TABLE record.trial_bid DISABLE TRIGGER a_guard")
    conn.execute("UPDATE record.trial_bid SET head = 'x'")
    conn.commit()
    assert conn.execute("SELECT head FROM record.trial_bid").fetchone() == ("x",)


def test_reader_and_sequencer_change_nothing(database: Database) -> None:
    make_trial_tables(database)
    with connect(database, "postgres") as superuser:
        fill(superuser)
    with connect(database, "trading_reader") as reader:
        for statement in ("INSERT INTO desk.cursor VALUES ('x', 1)", "UPDATE record.trial_bid SET head = 'x'"):
            with pytest.raises((DENIED, psycopg.errors.ReadOnlySqlTransaction)):
                reader.execute(statement)
            reader.rollback()
    with connect(database, "trading_sequencer") as sequencer:
        for statement in ("SELECT * FROM record.trial_bid", "SELECT * FROM desk.errand"):
            with pytest.raises(DENIED):
                sequencer.execute(statement)
            sequencer.rollback()


def test_every_table_of_the_release_is_guarded(database: Database) -> None:
    with database.connect() as superuser:
        assert faults(superuser) == []
