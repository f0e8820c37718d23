"""Writes bulk files: JSON Lines, CSV and XLSX of the same releases; the same input gives the same bytes.

What a file says of its making (names, times, systems in archives) is fixed, so that only releases make a difference.
Cells are made harmless by ``kernel.cells`` in both tables. Compression is that of zlib: another build of it may pack
the same content into other bytes, so digests are compared with the published ones, not with files made elsewhere.
"""

from __future__ import annotations

import csv
import gzip
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from shutil import copyfileobj
from typing import Any, Final

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell

from trading.kernel.cells import harmless
from trading.notices.rules import exact_json
from trading.opendata.rules.sheets import SHEETS, Cell, Sheet, rows

Releases = Callable[[], Iterable[bytes]]

MEDIA: Final = {
    "jsonl": ("jsonl.gz", "application/gzip"),
    "csv": ("csv.zip", "application/zip"),
    "xlsx": ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
}
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_FIXED: Final = b"1980-01-01T00:00:00Z"
_WRITTEN: Final = re.compile(rb"(<dcterms:(?:created|modified)[^>]*>)[^<]*(<)")
_ROWS: Final = 1_000_000  # of one worksheet; the format ends at 1 048 576
_LONGEST: Final = 32_767  # characters of one cell, as the format has it
_CUT: Final = "…[CSV]"
_DIGITS: Final = 15  # a spreadsheet keeps no more of a number
_ESCAPED: Final = re.compile(r"_x[0-9A-Fa-f]{4}_")
_CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]")


def write(kind: str, releases: Releases, target: Path) -> None:
    """Write one file.

    Args:
        kind: ``jsonl``, ``csv`` or ``xlsx``.
        releases: Gives the releases as they were published, in order; called once for each file.
        target: File to write; whatever else is needed meanwhile lies beside it.
    """
    {"jsonl": _jsonl, "csv": _csv, "xlsx": _xlsx}[kind](releases, target)


def _jsonl(releases: Releases, target: Path) -> None:
    with target.open("wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
        for raw in releases():
            packed.write(raw + b"\n")


def _csv(releases: Releases, target: Path) -> None:
    """One file a table, in an archive: RFC 4180 with CR LF, UTF-8 with the mark by which spreadsheets know it."""
    parts = {sheet: target.with_name(f"{target.name}.{sheet.name}") for sheet in SHEETS}
    with ExitStack() as stack:
        files = {
            sheet: stack.enter_context(path.open("w", encoding="utf-8-sig", newline=""))
            for sheet, path in parts.items()
        }
        writers = {sheet: csv.writer(file, quoting=csv.QUOTE_ALL) for sheet, file in files.items()}
        for sheet, writer in writers.items():
            writer.writerow(map(harmless, sheet.columns))
        for sheet, cells in _rows(releases):
            writers[sheet].writerow([_text(cell) for cell in cells])
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for sheet, path in parts.items():
            with path.open("rb") as source, archive.open(_member(f"{sheet.name}.csv"), "w", force_zip64=True) as member:
                copyfileobj(source, member)
            path.unlink()


def _xlsx(releases: Releases, target: Path) -> None:
    """A sheet a table; a table that is too long goes on in another sheet."""
    book = Workbook(write_only=True)
    sheets = {sheet: _Pages(book, sheet) for sheet in SHEETS}
    for sheet, cells in _rows(releases):
        sheets[sheet].append(cells)
    made = target.with_name(f"{target.name}.made")
    book.save(made)
    with (
        zipfile.ZipFile(made) as source,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive,
    ):
        for name in sorted(source.namelist(), key=lambda name: (name != "[Content_Types].xml", name)):
            with source.open(name) as old, archive.open(_member(name), "w", force_zip64=True) as new:
                if name == "docProps/core.xml":
                    new.write(_WRITTEN.sub(rb"\g<1>" + _FIXED + rb"\g<2>", old.read()))
                    continue
                copyfileobj(old, new)
    made.unlink()


class _Pages:
    """One table of a workbook, over as many worksheets as it needs."""

    def __init__(self, book: Any, sheet: Sheet) -> None:  # noqa: ANN401 - openpyxl has no types
        self._book, self._sheet, self._count, self._number = book, sheet, 0, 0
        self._begin()

    def _begin(self) -> None:
        self._number += 1
        suffix = "" if self._number == 1 else f" ({self._number})"
        self._page = self._book.create_sheet(f"{self._sheet.name}{suffix}")
        self._page.freeze_panes = "B2"
        self._page.append([self._cell(name) for name in self._sheet.columns])

    def append(self, cells: Iterable[Cell]) -> None:
        if self._count and self._count % _ROWS == 0:
            self._begin()
        self._count += 1
        self._page.append([self._cell(cell) for cell in cells])

    def _cell(self, value: Cell) -> Any:  # noqa: ANN401 - as above
        if value is None:
            return None
        if isinstance(value, int | Decimal) and len(Decimal(value).as_tuple().digits) <= _DIGITS:
            return value
        cell = WriteOnlyCell(self._page, "")
        # Past the setter, which would take a text for a formula, an error or a date.
        cell._value, cell.data_type = spreadsheet_text(_text(value)), "s"  # noqa: SLF001
        return cell


def spreadsheet_text(text: str) -> str:
    """Return a text as the format can hold it: control characters as ``_x0000_``, and not longer than a cell."""
    told = _ESCAPED.sub(lambda found: f"_x005F{found[0]}", text)
    told = _CONTROL.sub(lambda found: f"_x{ord(found[0]):04X}_", told)
    return told if len(told) <= _LONGEST else told[: _LONGEST - len(_CUT)] + _CUT


def _rows(releases: Releases) -> Iterator[tuple[Sheet, list[Cell]]]:
    for raw in releases():
        release = exact_json.loads(raw)
        for sheet in SHEETS:
            for cells in rows(sheet, release):
                yield sheet, cells


def _text(cell: Cell) -> str:
    if cell is None:
        return ""
    return harmless(format(cell, "f") if isinstance(cell, Decimal) else str(cell))


def _member(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.compress_type, info.create_system, info.external_attr = zipfile.ZIP_DEFLATED, 3, 0o644 << 16
    return info
