"""Imports from workbooks and CSV: row-wise faults, all or the good ones, hostile files (EXP-27)."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pytest
from openpyxl import Workbook
from sqlalchemy import text

from tests.support.databases import Database
from tests.support.made_pool import EMPLOYER, PoolMaker, identity_no
from trading.assembly import REGISTRY
from trading.audit.ledger import Ledger
from trading.audit.replay import replay
from trading.commands.folds import COMPARES, FOLDS, REPLAYED
from trading.kernel.errors import NotPermitted, RuleBroken
from trading.pool import files, queries
from trading.pool.queries import ImportRow
from trading.pool.rules.sheet import COLUMNS, Fault
from trading.pool.service import imports

HEADER = [column.zh for column in COLUMNS]


def line(number: int, **changes: object) -> list[object]:
    values: dict[str, object] = {
        "name": f"专家{number:06d}",
        "identity_no": identity_no(number, f"{19600101 + number // 1000}"),
        "birth": "1970-01-01",
        "phone": "13800000000",
        "mail": f"e{number}@example.org",
        "employer": EMPLOYER,
        "employer_name": "江北省设计院",
        "employers": EMPLOYER,
        "relatives": "",
        "title": "高级",
        "title_name": "高级工程师",
        "years": 12,
        "region": "110101",
        "specialties": "A0201；C1601",
        "trained": "2025/3/1".replace("/3/1", "/03/01"),
    }
    return [{**values, **changes}[column.field] for column in COLUMNS]


def workbook(rows: Iterable[Sequence[object]], header: Sequence[object] = HEADER) -> bytes:
    book = Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.append(list(header))
    for row in rows:
        sheet.append(list(row))
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def as_csv(rows: Iterable[Sequence[object]], encoding: str = "utf-8-sig") -> bytes:
    out = io.StringIO()
    csv.writer(out).writerows([HEADER, *rows])
    return out.getvalue().encode(encoding)


@dataclass
class Worker:
    """What an errand asks of its process."""

    ledger: Ledger


@pytest.fixture
def worker(database: Database) -> Worker:
    return Worker(
        Ledger(database.engine("trading_worker"), registry=REGISTRY, reader=database.engine("trading_reader"))
    )


def bring(pool: PoolMaker, worker: Worker, raw: bytes, mode: str = "good") -> tuple[ImportRow, list[Fault]]:
    batch = imports.begin(pool.ledger, pool.actors["keeper"], raw, regime_name="GP", mode=mode)
    imports.run(worker, {"batch": batch})  # type: ignore[arg-type]  # it asks for the ledger alone
    with pool.ledger.upkeep() as conn:
        row, report = queries.own_import(conn, batch, pool.actors["keeper"].account)
    return row, imports.read_report(report)


def waiting(pool: PoolMaker) -> int:
    with pool.ledger.read() as conn:
        return len(queries.inbox(conn, size=5000).rows)


@pytest.mark.parametrize("make", [workbook, as_csv, lambda rows: as_csv(rows, "gb18030")])
def test_good_rows_wait_for_a_regulator(pool: PoolMaker, worker: Worker, database: Database, make: object) -> None:
    row, faults = bring(pool, worker, make([line(1), line(2), line(3)]))  # type: ignore[operator]
    assert (row.state, row.rows_read, row.rows_good, row.rows_taken, faults) == ("done", 3, 3, 3, [])
    with pool.ledger.read() as conn:
        numbers = [each.number for each in queries.inbox(conn).rows]
    pool.admit(*numbers)
    with database.engine("trading_auditor").connect() as conn:
        assert replay(conn, FOLDS, REPLAYED, COMPARES) == []
        assert conn.execute(text("SELECT DISTINCT via FROM record.pool_file")).scalars().all() == ["import"]


WRONG = [
    line(1),
    line(2, years="many"),
    line(3, title="初级"),
    line(4, mail="=HYPERLINK(1)"),
    line(5, specialties="X9999"),
    line(1),
    line(6, name=""),
]
FAULTS = [
    Fault(row=3, column="years", code="sheet.wrong"),
    Fault(row=4, column="", code="pool.title"),
    Fault(row=5, column="mail", code="sheet.formula"),
    Fault(row=6, column="", code="pool.specialty"),
    Fault(row=7, column="", code="pool.known"),
    Fault(row=8, column="name", code="sheet.missing"),
]


def test_wrong_rows_are_named_and_the_good_ones_taken_or_none(pool: PoolMaker, worker: Worker) -> None:
    row, faults = bring(pool, worker, workbook(WRONG), "all")
    assert (row.state, row.rows_taken, faults) == ("refused", 0, FAULTS)
    assert waiting(pool) == 0
    row, faults = bring(pool, worker, workbook(WRONG), "good")
    assert (row.state, row.rows_taken, faults) == ("done", 1, FAULTS)
    assert waiting(pool) == 1
    row, faults = bring(pool, worker, workbook([line(1), line(7)]), "all")
    assert faults == [Fault(row=2, column="", code="pool.known")], "he waits already"


def test_a_number_that_lost_digits_is_refused(pool: PoolMaker, worker: Worker) -> None:
    _row, faults = bring(pool, worker, workbook([line(1, identity_no=float(110101197001010019))]))
    assert faults == [Fault(row=2, column="identity_no", code="sheet.wrong")]


def test_work_that_was_cut_goes_on_where_it_was(
    pool: PoolMaker, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "_AT_ONCE", 2)
    entered = imports._enter
    calls = []

    def dies(*args: object) -> int:
        calls.append(1)
        if len(calls) == 2:
            raise OSError
        return entered(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(imports, "_enter", dies)
    raw = workbook(line(number) for number in range(1, 6))
    batch = imports.begin(pool.ledger, pool.actors["keeper"], raw, regime_name="GP", mode="good")
    with pytest.raises(OSError):  # noqa: PT011 - the planted one
        imports.run(worker, {"batch": batch})  # type: ignore[arg-type]  # as above
    assert waiting(pool) == 2
    imports.run(worker, {"batch": batch})  # type: ignore[arg-type]  # as above
    imports.run(worker, {"batch": batch})  # type: ignore[arg-type]  # as above
    assert waiting(pool) == 5


def packed(members: dict[str, bytes]) -> bytes:
    """A workbook of one good row with further or other members."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(workbook([line(1)]))) as good,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as bad,
    ):
        for name in good.namelist():
            if name not in members:
                bad.writestr(name, good.read(name))
        for name, data in members.items():
            bad.writestr(name, data)
    return out.getvalue()


SHEET = "xl/worksheets/sheet1.xml"
ENTITY = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa">]><worksheet>&a;</worksheet>'
HOSTILE = {
    "bomb": (packed({"xl/media/x.xml": b" " * 50_000_000}), "sheet.bomb"),
    "members": (packed({f"xl/m{number}.xml": b"x" for number in range(300)}), "sheet.bomb"),
    "macro": (packed({"xl/vbaProject.bin": b"x"}), "sheet.active"),
    "outside": (packed({"xl/externalLinks/externalLink1.xml": b"<x/>"}), "sheet.active"),
    "entities": (packed({SHEET: ENTITY}), "sheet.entities"),
    "wide": (packed({SHEET: ENTITY.decode().encode("utf-16")}), "sheet.entities"),
    "path": (packed({"../x.xml": b"<x/>"}), "sheet.archive"),
    "not xml": (packed({SHEET: b"<worksheet><sheetData>"}), "sheet.archive"),
    "cut": (workbook([line(1)])[:-200], "sheet.archive"),
    "wide rows": (workbook([["x"] * 100]), "sheet.too_many_rows"),
    "columns": (workbook([line(1)], HEADER[1:]), "sheet.columns"),
    "twice": (workbook([line(1)], [*HEADER, "姓名"]), "sheet.columns"),
    "nothing": (b"", "sheet.empty"),
    "binary": (b"\x00\x01\x02", "sheet.encoding"),
    "no rows": (workbook([]), "sheet.empty"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_as_a_whole(pool: PoolMaker, worker: Worker, name: str) -> None:
    raw, code = HOSTILE[name]
    row, faults = bring(pool, worker, raw)
    assert (row.state, [fault.code for fault in faults][:1]) == ("refused", [code])
    assert waiting(pool) == 0


def test_the_control_of_the_hostile_files_is_taken(pool: PoolMaker, worker: Worker) -> None:
    assert bring(pool, worker, packed({}))[0].state == "done"


def test_formula_cells_are_refused(pool: PoolMaker, worker: Worker) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(HEADER)
    sheet.append(line(1))
    sheet["L2"] = "=6+6"
    out = io.BytesIO()
    book.save(out)
    _row, faults = bring(pool, worker, out.getvalue())
    assert faults == [Fault(row=2, column="years", code="sheet.formula")]


def test_size_and_rows_have_limits(pool: PoolMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RuleBroken, match=r"sheet\.too_large"):
        imports.begin(pool.ledger, pool.actors["keeper"], b"x" * (files.MOST_BYTES + 1), regime_name="GP", mode="good")
    monkeypatch.setattr(files, "MOST_ROWS", 2)
    assert len(list(files.rows(as_csv([line(1), line(2)]), "csv"))) == 3
    with pytest.raises(RuleBroken, match=r"sheet\.too_many_rows"):
        list(files.rows(as_csv([line(1), line(2), line(3)]), "csv"))


def test_only_keepers_import(pool: PoolMaker) -> None:
    with pytest.raises(NotPermitted):
        imports.begin(pool.ledger, pool.actors["bureau"], b"x", regime_name="GP", mode="good")
