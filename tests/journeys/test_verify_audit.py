"""``mingbiao verify-audit`` finds whatever somebody with the database's keys changes behind the platform's back.

The tender is played once; afterwards each test damages a copy of its database, or damages it and rolls back.
"""

# ruff: noqa: S608 - the names are those of tables and columns in this file

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click import Command
from click.testing import CliRunner, Result
from sqlalchemy import Connection, Table

from tests.support.columns import APART, FLIPPED, HOUR, audited, missed_columns, owner_of, unnamed
from tests.support.databases import Database, Server, clone, copied
from tests.support.row_mutations import ROUNDS, RowMutations
from tests.support.small_tender import small_tender
from trading.audit.replay import Mismatch, State, replay
from trading.commands.audits import verify_audit
from trading.commands.folds import COMPARES, FOLDS, REPLAYED
from trading.config import Process, Settings
from trading.db import metadata
from trading.demo.tamper import tamper
from trading.kernel.ids import new_row_id


@dataclass
class Archive:
    """The database of a concluded tender, of which every test takes a copy, and its bids by bidder."""

    database: Database
    bids: dict[str, str]


@pytest.fixture(scope="module")
def archive(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    with clone(server, demo=True) as database:
        with small_tender(database, tmp_path_factory.mktemp("archive")) as played:
            bids = {key: bidder.bid for key, bidder in played.tender.bidders.items()}
        database.dispose()
        yield Archive(database, bids)


def run(database: Database, directory: Path, command: Command, *words: str) -> Result:
    """Run a command as the auditor's machine is set up."""
    policy = directory / "policy"
    policy.write_text("")
    environment = {
        "DATABASE_URL": database.url("trading_auditor"),
        "LOG_DIR": str(directory),
        "LOG_ORIGIN": "log.test/audit",
        "OBJECT_STORE_URL": f"file://{directory}",
        "WITNESS_POLICY": str(policy),
    }
    return CliRunner().invoke(command, words, env=environment)


def found_by(database: Database, directory: Path) -> tuple[int, list[tuple[str, int | None, str]]]:
    """Return exit code and (table, id, column) of everything that ``verify-audit`` reports."""
    result = run(database, directory, verify_audit, "--json")
    return result.exit_code, [(each["table"], each["id"], each["column"]) for each in json.loads(result.stdout)]


def row_id(database: Database, table: str, where: str) -> int:
    with database.connect() as conn:
        found: int = conn.exec_driver_sql(f"SELECT id FROM record.{table} WHERE {where}").scalar_one()
    return found


def damage(database: Database, table: str, statement: str) -> None:
    """Do what only an owner who switches the guard off could do, and switch it on again."""
    with database.connect() as superuser:
        superuser.exec_driver_sql(f"ALTER TABLE record.{table} DISABLE TRIGGER ALL")
        assert superuser.exec_driver_sql(statement).rowcount >= 1
        superuser.exec_driver_sql(f"ALTER TABLE record.{table} ENABLE TRIGGER ALL")


def test_an_untouched_database_is_the_fold_of_its_history(archive: Archive, tmp_path: Path) -> None:
    assert found_by(archive.database, tmp_path) == (0, [])
    assert "fold of its history" in run(archive.database, tmp_path, verify_audit).stdout


# The tampering that the demonstration offers.


@pytest.mark.parametrize(("what", "table", "column"), [("bid", "bid", "received_at"), ("price", "opened_bid", "price")])
def test_tampering_of_the_demonstration_is_found_row_by_row(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, table: str, column: str
) -> None:
    with copied(archive.database) as database:
        tamper_with(what, database, tmp_path, monkeypatch)
        code, found = found_by(database, tmp_path)
        assert (code, [(each[0], each[2]) for each in found]) == (1, [(table, column)] * len(archive.bids))
        told = run(database, tmp_path, verify_audit).stdout
        assert all(f"FAIL {table} {each[1]} {column}: stored " in told for each in found)


def test_a_tampered_ranking_is_found(archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with copied(archive.database) as database:
        tamper_with("ranking", database, tmp_path, monkeypatch)
        assert found_by(database, tmp_path) == (1, [("ranking", row_id(database, "ranking", "true"), "items")])


def tamper_with(what: str, database: Database, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(
        process=Process.RELEASE,
        demo=True,
        data_dir=directory,
        database_url=database.url("postgres"),
        log_origin=database.origin,
        jurisdiction="CN",
    )
    with monkeypatch.context() as patched:
        patched.setattr(Settings, "from_env", lambda _process: settings)
        result = CliRunner().invoke(tamper, [what])
    assert (result.exit_code, " 0 rows" in result.output) == (0, False), result.output


# One change at a time, each named by table, row and column.

QINGHE = "reference = '{qinghe}'"
CHANGES = [
    ("bid", QINGHE, "received_at", "received_at - 60000"),
    ("bid", QINGHE, "seq", "3"),
    ("bid", QINGHE, "head_sha256", "(SELECT head_sha256 FROM record.bid WHERE reference = '{bolin}')"),
    ("ranking", "true", "items", "convert_to(replace(convert_from(items, 'UTF8'), '12645000', '12645001'), 'UTF8')"),
    ("ranking", "true", "tie", "'{{}}'::bytea"),
    ("lot", "true", "close_at", f"close_at + {HOUR}"),
    ("lot", "true", "ceiling", "ceiling + 1"),
    ("notice", "number = 1", "bytes", "convert_to(replace(convert_from(bytes, 'UTF8'), 'chair', 'table'), 'UTF8')"),
    ("notice", "number = 1", "sigs", "(SELECT sigs FROM record.notice WHERE number = 2)"),
    ("award", "true", "bid_reference", "'{yunfan}'"),
    ("award", "true", "price", "price + 1"),
    ("bid_factor", "id = (SELECT max(id) FROM record.bid_factor)", "s_b", FLIPPED.format("s_b")),
    ("bid_factor", "id = (SELECT max(id) FROM record.bid_factor)", "received_at", "received_at + 1"),
    ("document", "typ = 'sb1.policy'", "bytes", FLIPPED.format("bytes")),
    ("document", "typ = 'sb1.open-order'", "sigs", "'[]'::bytea"),
    ("signing_key", "role = 'supervisor'", "spki", FLIPPED.format("spki")),
    ("signing_key", "role = 'supervisor'", "status", "'revoked'"),
]


@pytest.mark.parametrize(("table", "where", "column", "value"), CHANGES, ids=[f"{row[0]}.{row[2]}" for row in CHANGES])
def test_a_changed_value_is_named(
    archive: Archive, tmp_path: Path, table: str, where: str, column: str, value: str
) -> None:
    where, value = where.format(**archive.bids), value.format(**archive.bids)
    with copied(archive.database) as database:
        changed = row_id(database, table, where)
        damage(database, table, f"UPDATE record.{table} SET {column} = {value} WHERE id = {changed}")
        code, found = found_by(database, tmp_path)
        assert code == 1
        assert (table, changed, column) in found


def test_the_entry_is_named_with_both_values(archive: Archive, tmp_path: Path) -> None:
    with copied(archive.database) as database:
        changed = row_id(database, "bid", QINGHE.format(**archive.bids))
        damage(database, "bid", f"UPDATE record.bid SET received_at = received_at + 7 WHERE id = {changed}")
        with database.connect() as conn:
            found = conn.exec_driver_sql(
                "SELECT b.received_at, p.n FROM record.bid b JOIN log.log_position p USING (entry_id)"
                f" WHERE b.id = {changed}"
            ).one()
        told = run(database, tmp_path, verify_audit).stdout
    stored, expected = found.received_at, found.received_at - 7
    assert told == f"FAIL bid {changed} received_at: stored {stored}, expected {expected}, by entry {found.n}\n"


def test_a_deleted_enrolment_is_missed_and_an_invented_document_is_named(archive: Archive, tmp_path: Path) -> None:
    with copied(archive.database) as database:
        damage(database, "document", "DELETE FROM record.document WHERE typ = 'mb.key-enrol'")
        with database.connect() as conn:
            keys = conn.exec_driver_sql(
                "SELECT count(*) FROM log.audit_entry WHERE kind = 'key.registered'"
                " AND convert_from(record, 'UTF8') LIKE '%%enrol_sha256%%'"
            ).scalar_one()
        assert keys > 0
        assert found_by(database, tmp_path) == (1, [("document", None, "*")] * keys)
    with copied(archive.database) as database:
        new, columns = new_row_id(), "entry_id, sha256, typ, bytes, sigs"
        copy = f"SELECT {new}, {columns} FROM record.document WHERE typ = 'mb.edition'"  # outside its procedure
        damage(database, "document", f"INSERT INTO record.document (id, {columns}) {copy}")
        code, found = found_by(database, tmp_path)
        assert (code, ("document", new, "*") in found) == (1, True)


def test_a_comparison_that_breaks_down_is_a_finding(archive: Archive) -> None:
    def broken(_conn: Connection, state: State) -> Iterator[Mismatch]:
        yield state.facts["none"]

    with archive.database.connect("trading_auditor") as conn:
        found = replay(conn, FOLDS, REPLAYED, (broken, *COMPARES))
    assert {(each.table, each.column, each.stored) for each in found} == {("procedure", "*", "KeyError('none')")}


def test_a_deleted_version_is_missed(archive: Archive, tmp_path: Path) -> None:
    with copied(archive.database) as database:
        bid = row_id(database, "bid", QINGHE.format(**archive.bids))
        damage(database, "bid_version", f"DELETE FROM record.bid_version WHERE bid_id = {bid} AND seq = 1")
        assert found_by(database, tmp_path) == (1, [("bid_version", None, "*")])


@pytest.mark.parametrize(("table", "missing"), [("bid_factor", 3), ("document", 1), ("opened_bid", 3), ("lot", 1)])
def test_deleted_rows_are_missed(archive: Archive, tmp_path: Path, table: str, missing: int) -> None:
    where = "typ = 'sb1.factor-list'" if table == "document" else "true"
    with copied(archive.database) as database:
        damage(database, table, f"DELETE FROM record.{table} WHERE {where}")
        assert found_by(database, tmp_path) == (1, [(table, None, "*")] * missing)


def test_an_inserted_bid_has_no_history(archive: Archive, tmp_path: Path) -> None:
    with copied(archive.database) as database:
        columns = [column.name for column in metadata.tables["record.bid"].c]
        new = new_row_id()
        values = {"id": str(new), "reference": "'b-0000000000000000'", "bidder_code": "'91110108MA0DEM999X'"}
        chosen = ", ".join(values.get(column, column) for column in columns)
        source = f"SELECT {chosen} FROM record.bid WHERE {QINGHE.format(**archive.bids)}"
        damage(database, "bid", f"INSERT INTO record.bid ({', '.join(columns)}) {source}")
        code, found = found_by(database, tmp_path)
        assert (code, ("bid", new, "*") in found) == (1, True)


# Every column and every row of every table of the record, without exemption. Of some tables this archive has no rows: a
# test of their package asks the same.


def tables() -> list[Table]:
    every = [each for each in metadata.tables.values() if each.schema == "record" and each not in APART]
    return sorted(every, key=lambda each: each.name)


@pytest.fixture(scope="module")
def owner(archive: Archive) -> Iterator[Connection]:
    with owner_of(archive.database, tables()) as conn:
        yield conn


@pytest.mark.parametrize("table", tables(), ids=lambda table: table.name)
def test_every_column_is_covered(owner: Connection, table: Table) -> None:
    assert missed_columns(owner, table) == unnamed(table)


def test_random_mutations_of_rows_are_found_and_named(owner: Connection) -> None:
    assert RowMutations(owner, tables()).missed(ROUNDS) == []


@pytest.mark.parametrize("kind", ["bid.received", "factor.revealed", "award.determined"])
def test_control_without_its_fold_a_change_is_not_explained(owner: Connection, kind: str) -> None:
    """A replay that skips a kind no longer agrees with an untouched database: every fold carries weight."""
    less = {name: fold for name, fold in FOLDS.items() if name != kind}
    assert replay(owner, less, REPLAYED, COMPARES) != []


def test_control_without_the_comparison_a_swapped_factor_is_missed(owner: Connection) -> None:
    undo = owner.begin_nested()
    owner.exec_driver_sql(f"UPDATE record.bid_factor SET s_b = {FLIPPED.format('s_b')}")
    assert {each.table for each in audited(owner)} == {"bid_factor"}
    others = tuple(each for each in COMPARES if each.__name__ != "compare_factors")
    assert replay(owner, FOLDS, REPLAYED, others) == []
    undo.rollback()


def test_control_without_its_table_random_mutations_are_missed(
    owner: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "tests.support.columns.REPLAYED", tuple(each for each in REPLAYED if each.table != "bid_version")
    )
    versions = [each for each in tables() if each.name == "bid_version"]
    assert RowMutations(owner, versions).missed(3) != []


def test_control_without_its_table_a_changed_bid_is_missed(owner: Connection) -> None:
    undo = owner.begin_nested()
    owner.exec_driver_sql("UPDATE record.bid SET received_at = received_at + 1")
    assert {(each.table, each.column) for each in audited(owner)} == {("bid", "received_at")}
    others = tuple(each for each in REPLAYED if each.table != "bid")
    assert replay(owner, FOLDS, others, COMPARES) == []
    undo.rollback()
