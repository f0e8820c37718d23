"""Bulk files: the same bytes twice, the same content three times, nothing that a spreadsheet runs, nothing lost."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import zipfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from tests.build.ocds_cases import whole_tender
from trading.kernel.cells import original
from trading.notices.rules import exact_json
from trading.notices.rules.ocds import release
from trading.opendata import files
from trading.opendata.rules.periods import GRACE_MS, day_of, period_named, year_of
from trading.opendata.rules.sheets import OTHER, SHEETS, Sheet, rows

EVIL = '=HYPERLINK("https://evil.example","x")'


def releases() -> list[dict[str, Any]]:
    """Return every release of a tender that ends well, as it is read back."""
    made = {}
    for _state, tender in whole_tender():
        for case in tender.published_cases():
            told = release(case)
            made[told["id"], told["ocid"], len(case.facts)] = exact_json.loads(exact_json.dumps(told))
    return list(made.values())


def written(kind: str, given: list[dict[str, Any]], folder: Path, name: str = "one") -> bytes:
    target = folder / name
    files.write(kind, lambda: iter([exact_json.dumps(each) for each in given]), target)
    assert [path.name for path in folder.iterdir()] == [name]
    found = target.read_bytes()
    target.unlink()
    return found


@pytest.mark.parametrize("kind", list(files.MEDIA))
def test_the_same_releases_give_the_same_bytes_and_others_do_not(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = releases()
    first = written(kind, given, tmp_path)
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    assert hashlib.sha256(written(kind, given, tmp_path, "two")).digest() == hashlib.sha256(first).digest()
    assert written(kind, given[:-1], tmp_path) != first  # control


def test_json_lines_are_the_published_bytes(tmp_path: Path) -> None:
    given = releases()
    lines = gzip.decompress(written("jsonl", given, tmp_path)).splitlines()
    assert lines == [exact_json.dumps(each) for each in given]


def unpacked_csv(archive: bytes) -> dict[str, list[list[str]]]:
    """The tables of a CSV archive as they were written."""
    with zipfile.ZipFile(io.BytesIO(archive)) as packed:
        texts = {name: packed.read(name).decode("utf-8-sig") for name in packed.namelist()}
    return {name.removesuffix(".csv"): list(csv.reader(io.StringIO(text, newline=""))) for name, text in texts.items()}


def cells_of(given: list[dict[str, Any]]) -> dict[str, list[list[str]]]:
    def text(cell: object) -> str:
        return "" if cell is None else format(cell, "f") if isinstance(cell, Decimal) else str(cell)

    def table(sheet: Sheet) -> list[list[str]]:
        return [list(sheet.columns), *([text(cell) for cell in row] for each in given for row in rows(sheet, each))]

    return {sheet.name: table(sheet) for sheet in SHEETS}


def test_csv_and_xlsx_have_the_same_cells_and_every_one_comes_back(tmp_path: Path) -> None:
    given = releases()
    given[0]["tender"]["title"] = EVIL
    given[0]["tender"]["lots"][0]["title"] = "'already marked"
    given[0]["tender"]["lots"][0]["description"] = "\ttab\x01_x0041_"
    table = unpacked_csv(written("csv", given, tmp_path))
    read = {name: [[original(cell) for cell in row] for row in each] for name, each in table.items()}
    assert read == cells_of(given)
    assert all(len(each) > 1 for each in read.values())  # every table has rows
    book = load_workbook(io.BytesIO(written("xlsx", given, tmp_path)))
    assert book.sheetnames == [sheet.name for sheet in SHEETS]
    for page in book.worksheets:
        cells = [cell for row in page.iter_rows() for cell in row]
        assert {cell.data_type for cell in cells} <= {"s", "n", "inlineStr"}  # no formula, no error, no date
    assert book["tenders"].cell(2, table["tenders"][0].index("tender/title") + 1).value == f"'{EVIL}"


def test_no_cell_begins_as_a_formula_and_without_the_mark_one_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = releases()
    given[0]["tender"]["title"] = EVIL
    assert not list(dangerous(written("csv", given, tmp_path)))
    monkeypatch.setattr(files, "harmless", lambda text: text)
    assert list(dangerous(written("csv", given, tmp_path))) == [EVIL]  # control


def dangerous(archive: bytes) -> Iterator[str]:
    for table in unpacked_csv(archive).values():
        yield from (cell for row in table for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r")))


def test_every_member_of_our_releases_has_a_column() -> None:
    """Nothing of our own falls into the last column; what is foreign does, and is not lost."""
    for sheet in SHEETS:
        assert all(row[-1] is None for each in releases() for row in rows(sheet, each)), sheet.name
    strange = releases()[0] | {"x_new": {"deep": [1, "a"]}}
    (row,) = rows(SHEETS[0], strange)
    assert row[-1] == '{"x_new/deep":"[1,\\"a\\"]"}'
    assert SHEETS[0].columns[-1] == OTHER


def test_nothing_of_bids_before_an_opening() -> None:
    sealed = [each for each in releases() if "bids" not in each]
    assert sealed
    for name in ("bids", "statistics"):
        sheet = next(each for each in SHEETS if each.name == name)
        assert not [row for each in sealed for row in rows(sheet, each)]
        assert [row for each in releases() for row in rows(sheet, each)]  # control: opened ones are there
    tenders = SHEETS[0]
    place = tenders.columns.index("tender/numberOfTenderers")
    assert all(row[place] is None for each in sealed for row in rows(tenders, each))


def test_a_text_longer_than_a_cell_is_cut_and_says_where_the_rest_is() -> None:
    told = files.spreadsheet_text("长" * 40_000)
    assert len(told) == 32_767
    assert told.endswith("…[CSV]")
    assert files.spreadsheet_text("a\x01_x0041_") == "a_x0001__x005F_x0041_"


def test_days_and_years_are_those_of_china_and_meet_without_a_gap() -> None:
    last = 1_798_732_799_999  # 2026-12-31 23:59:59.999 in China
    assert (day_of(last).name, year_of(last).name) == ("2026-12-31", "2026")
    assert (day_of(last + 1).name, year_of(last + 1).name) == ("2027-01-01", "2027")
    assert day_of(last).end == day_of(last + 1).start == year_of(last).end == last + 1
    assert not day_of(last).is_over(last + GRACE_MS)
    assert day_of(last).is_over(last + 1 + GRACE_MS)
    assert period_named("2026-12-31") == day_of(last)
    assert period_named("2026") == year_of(last)
    assert not any(map(period_named, ("2026-13-01", "2026-1-1", "", "../x", "0000", "99999", "9999")))
