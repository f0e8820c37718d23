"""Imports: whole, once, resumed, told row by row, apart from the record; and the pages that show them."""

from __future__ import annotations

import csv
import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from tests.build.dummy_envelopes import MemoryStore
from tests.support.databases import Database
from tests.support.ocds_schema import DATA, require_data
from trading.app import create_app
from trading.assembly import REGISTRY
from trading.audit.ledger import Ledger
from trading.audit.runtime import Runtime
from trading.commands.importing import write_report
from trading.config import Process, Settings
from trading.history import queries, service
from trading.kernel.cells import original
from trading.kernel.clock import FixedClock
from trading.kernel.errors import InvalidInput

SOURCE = "Somebody, example.org"


@pytest.fixture
def ledger(database: Database) -> Ledger:
    return Ledger(database.engine("trading_worker"), registry=REGISTRY)


@pytest.fixture
def client(database: Database, tmp_path: Path) -> FlaskClient:
    web = Ledger(database.engine("trading_web"), registry=REGISTRY, reader=database.engine("trading_reader"))
    runtime = Runtime(
        ledger=web,
        objects=MemoryStore(),
        log_dir=tmp_path,
        origin=database.origin,
        demo=database.demo,
        clock=FixedClock(1_778_551_200_000),
    )
    settings = Settings(
        process=Process.WEB,
        demo=database.demo,
        data_dir=tmp_path,
        database_url=database.url("trading_web"),
        log_origin=database.origin,
        jurisdiction="CN",
    )
    return create_app(settings, runtime).test_client()


def release(number: int, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {
        "ocid": f"ocds-abc123-{number}",
        "id": "1",
        "date": "2020-01-01T00:00:00Z",
        "tag": ["tender"],
        "initiationType": "tender",
        "tender": {"id": "t", "title": f"=Ambulance {number} 100%"},
        **changes,
    }


def package(folder: Path, rows: list[dict[str, Any]], name: str = "p.json") -> Path:
    path = folder / name
    raw = json.dumps({"uri": "x", "releases": rows}, indent=1, ensure_ascii=False).encode()
    path.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    return path


def everything(ledger: Ledger) -> list[tuple[Any, ...]]:
    with ledger.upkeep() as conn:
        tables = ("history.file", "history.row", "history.fault")
        queries_of = [text(f"SELECT * FROM {table} ORDER BY 1, 2, 3") for table in tables]  # noqa: S608 - ours
        return [tuple(row) for query in queries_of for row in conn.execute(query)]


def codes(ledger: Ledger, sha256: str) -> list[tuple[int, str]]:
    with ledger.upkeep() as conn:
        return [(each.row, each.code) for each in queries.faults(conn, sha256)]


def test_the_same_file_twice_changes_nothing(ledger: Ledger, tmp_path: Path) -> None:
    path = package(tmp_path, [release(1), release(2, fecha=1), release(1), release(1, id="1", language="es")])
    first = service.import_file(ledger, path, SOURCE)
    assert (first.rows, first.added, first.was_done) == (4, 4, False)
    assert codes(ledger, first.sha256) == [(2, "member.unknown"), (3, "duplicate.same"), (4, "duplicate.other")]
    before = everything(ledger)
    second = service.import_file(ledger, path, "another name")
    assert (second.rows, second.added, second.was_done) == (4, 0, True)
    assert everything(ledger) == before
    assert service.is_whole(ledger, first.sha256)
    other = service.import_file(ledger, package(tmp_path, [release(2, fecha=1)], "q.json.gz"), SOURCE)  # control
    assert codes(ledger, other.sha256) == [(1, "member.unknown"), (1, "duplicate.same")]


def test_an_import_that_broke_off_goes_on_and_ends_as_if_it_had_not(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "_BATCH_ROWS", 10)
    path = package(tmp_path, [release(number, fecha=number) for number in range(35)])

    class PowerCutError(Exception):
        pass

    def cut(_size: int, rows: int) -> None:
        if rows == 20:
            raise PowerCutError

    with pytest.raises(PowerCutError):
        service.import_file(ledger, path, SOURCE, cut)
    with ledger.upkeep() as conn:
        (found,) = queries.files(conn)
    assert (found.rows, found.done_at) == (20, None)
    told: list[int] = []
    done = service.import_file(ledger, path, SOURCE, lambda _size, rows: told.append(rows))
    assert (done.rows, done.faults, done.added) == (35, 35, 15)
    assert told == [30, 35]
    assert service.is_whole(ledger, done.sha256)


def test_a_broken_archive_keeps_what_could_be_read(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "_BATCH_ROWS", 1)
    monkeypatch.setattr(service, "_CHUNK", 100)
    path = package(tmp_path, [release(number) for number in range(200)], "p.json.gz")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InvalidInput, match="archive"):
        service.import_file(ledger, path, SOURCE)
    with ledger.upkeep() as conn:
        (found,) = queries.files(conn)
    assert found.rows > 0
    assert found.done_at is None


def test_lines_with_rubbish_are_all_kept(ledger: Ledger, tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"ocid": \xff}\n' + json.dumps(release(1)).encode() + b'\n{"ocid": "a\n\n[1]\n"\\u0000"\n')
    done = service.import_file(ledger, path, SOURCE)
    assert codes(ledger, done.sha256) == [
        (1, "json.encoding"),
        (3, "json.broken"),
        (4, "json.no_object"),
        (5, "json.no_object"),
    ]
    assert service.is_whole(ledger, done.sha256)


def test_a_report_has_no_cell_that_runs(ledger: Ledger, tmp_path: Path) -> None:
    path = package(tmp_path, [release(1, **{"=cmd|' /C calc'!A0": 1}, date="=1+1")])
    done = service.import_file(ledger, path, SOURCE)
    report = tmp_path / "faults.csv"
    assert write_report(ledger, [done.sha256], report) == 2
    with report.open(encoding="utf-8-sig", newline="") as opened:
        rows = list(csv.reader(opened))
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@"))]
    assert {original(cell) for row in rows for cell in row} >= {"=cmd|' /C calc'!A0", "=1+1"}


def test_pages_show_and_search_and_say_that_it_is_foreign(ledger: Ledger, client: FlaskClient, tmp_path: Path) -> None:
    assert "has been imported" in client.get("/history?lang=en").get_data(as_text=True)
    rows = [release(number) for number in range(60)] + [
        release(99, tender={"id": "t", "title": "<script>alert(1)</script>"})
    ]
    done = service.import_file(ledger, package(tmp_path, rows), SOURCE)
    pages = [
        "/history?q=ambulance+7",
        f"/history/{done.sha256}",
        f"/history/{done.sha256}/8",
        f"/history/{done.sha256}/61",
    ]
    shown = [client.get(f"{path}{'&' if '?' in path else '?'}lang=en").get_data(as_text=True) for path in pages]
    assert all("Not of this platform." in each for each in shown)
    assert "Ambulance 7 100%" in shown[0]
    assert "Ambulance 8 " not in shown[0]
    assert "page=2" in shown[1]
    assert "<script>alert" not in shown[3]
    raw = client.get(f"/history/{done.sha256}/8.json")
    assert json.loads(raw.data) == rows[7]
    assert raw.headers["Content-Disposition"].startswith("attachment")
    # A sign of LIKE is a letter like others, and what is not there is not found.
    assert "0 rows" in client.get("/history?q=%25%25&lang=en").get_data(as_text=True)
    for path in (
        "/history/zz",
        f"/history/{'0' * 64}",
        f"/history/{done.sha256}/62",
        f"/history/{done.sha256}/{1 << 70}",
    ):
        assert client.get(path).status_code == 404
    assert client.get("/history?q=x&page=9999999999").status_code == 200


def test_the_web_cannot_change_history_and_history_cannot_point_into_the_record(
    ledger: Ledger, database: Database, tmp_path: Path
) -> None:
    service.import_file(ledger, package(tmp_path, [release(1)]), SOURCE)
    web = Ledger(database.engine("trading_web"), registry=REGISTRY)
    for statement in ("DELETE FROM history.row", "UPDATE history.row SET title = 'x'", "DELETE FROM history.file"):
        for role in (web, ledger):
            with pytest.raises(ProgrammingError, match="permission denied"), role.upkeep() as conn:
                conn.execute(text(statement))
    across = """SELECT conrelid::regclass::text FROM pg_constraint WHERE contype = 'f' AND
        (connamespace = 'history'::regnamespace) <> (confrelid IN
            (SELECT oid FROM pg_class WHERE relnamespace = 'history'::regnamespace))"""
    with ledger.upkeep() as conn:
        assert conn.execute(text(across)).all() == []
        assert conn.execute(text("SELECT count(*) FROM log.audit_entry WHERE kind LIKE '%history%'")).scalar_one() == 0


def real_files() -> list[Path]:
    require_data()
    found = sorted((DATA / "real").rglob("*.json"))
    if not found:
        pytest.skip("no real files in ../shared/data/ocds/real")
    return found


def test_the_real_files_go_in_with_a_report_and_nothing_is_lost(ledger: Ledger, tmp_path: Path) -> None:
    done = {path: service.import_file(ledger, path, path.parent.name) for path in real_files()}
    counted = {path.name[:8]: each.rows for path, each in done.items()}
    assert counted["colombia"] == 100
    assert sum(each.rows for path, each in done.items() if path.parent.name == "armenia") == 100
    assert sum(each.rows for path, each in done.items() if path.parent.name == "ukraine") == 11
    assert all(service.is_whole(ledger, each.sha256) for each in done.values())
    for path, each in done.items():
        with ledger.upkeep() as conn:
            assert b"".join(queries.content(conn, each.sha256)) == path.read_bytes()
    wrong = Counter(code for each in done.values() for _row, code in codes(ledger, each.sha256))
    assert wrong["money.negative"] > 0  # Armenia says so
    assert wrong["member.unknown"] > 0
    assert write_report(ledger, [each.sha256 for each in done.values()], tmp_path / "r.csv") == sum(wrong.values())
    before = everything(ledger)
    assert all(service.import_file(ledger, path, "again").was_done for path in real_files())
    assert everything(ledger) == before
