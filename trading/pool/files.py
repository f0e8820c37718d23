"""Files of an import, read row by row. A file is hostile until it has shown otherwise: sizes, archives, active content.

A workbook is a zip archive of XML. Before anything parses it, the archive is walked: how many members, how large they
become, how strongly they are packed, that nothing is encrypted, computes or points outside, and that no part declares
entities. The declared sizes are not believed; what is unpacked is counted.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator
from datetime import date
from typing import Final

from trading.kernel.errors import RuleBroken
from trading.pool.rules.sheet import LONGEST_CELL, MOST_COLUMNS, MOST_ROWS, Cell, Formula

MOST_BYTES: Final = 32 * 2**20
MOST_MEMBERS: Final = 200
MOST_UNPACKED: Final = 512 * 2**20
MOST_RATIO: Final = 200
_BLOCK: Final = 2**20
_RATIO_FROM: Final = 2**20  # below this nothing is worth a bomb
_RULE: Final = "EXP-27"
_ACTIVE: Final = ("vbaproject", "activex", "externallink", "embeddings", "connections.xml", "querytables", "customui")
_DECLARATIONS: Final = (b"<!DOCTYPE", b"<!ENTITY")
#: UTF-16 and UTF-32 begin so; expat reads both, and the declarations above would hide in them.
_WIDE: Final = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00", b"<\x00")


def rows(raw: bytes, form: str) -> Iterator[tuple[int, list[Cell]]]:
    """Yield (number of the row, cells), the header first; numbers as a spreadsheet shows them.

    Raises:
        RuleBroken: ``sheet.too_large``, ``sheet.archive``, ``sheet.bomb``, ``sheet.active``, ``sheet.entities``,
            ``sheet.too_many_rows``, ``sheet.encoding``, ``sheet.empty``; also while it is read.
    """
    if len(raw) > MOST_BYTES:
        raise RuleBroken("sheet.too_large", _RULE)
    read = _csv_rows(raw) if form == "csv" else _xlsx_rows(raw)
    empty = True
    for number, cells in read:
        if number > MOST_ROWS + 1 or len(cells) > MOST_COLUMNS:
            raise RuleBroken("sheet.too_many_rows", _RULE)
        empty = False
        if number == 1 or any(cell not in {None, ""} for cell in cells):
            yield number, cells
    if empty:
        raise RuleBroken("sheet.empty", _RULE)


def form_of(raw: bytes) -> str:
    """Return ``xlsx`` or ``csv`` by the content, never by the name."""
    return "xlsx" if raw[:4] == b"PK\x03\x04" else "csv"


def _csv_rows(raw: bytes) -> Iterator[tuple[int, list[Cell]]]:
    if b"\x00" in raw:
        raise RuleBroken("sheet.encoding", _RULE)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        try:
            text = raw.decode("gb18030")
        except UnicodeDecodeError as error:
            raise RuleBroken("sheet.encoding", _RULE) from error
    csv.field_size_limit(LONGEST_CELL * 2)
    try:
        for number, cells in enumerate(csv.reader(io.StringIO(text, newline=""), strict=True), 1):
            yield number, list(cells)
    except csv.Error as error:
        raise RuleBroken("sheet.encoding", _RULE) from error


def require_harmless(raw: bytes) -> None:
    """Walk the archive of a workbook.

    Raises:
        RuleBroken: ``sheet.archive``, ``sheet.bomb``, ``sheet.active``, ``sheet.entities``.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            members = archive.infolist()
            if len(members) > MOST_MEMBERS or len({each.filename for each in members}) < len(members):
                raise RuleBroken("sheet.bomb", _RULE)
            left = MOST_UNPACKED
            for member in members:
                left = _walk(archive, member, left)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, EOFError, OSError) as error:
        raise RuleBroken("sheet.archive", _RULE) from error


def _walk(archive: zipfile.ZipFile, member: zipfile.ZipInfo, left: int) -> int:
    """Unpack a member and forget it; return how much more may come."""
    name = member.filename.lower()
    if any(part in name for part in _ACTIVE):
        raise RuleBroken("sheet.active", _RULE)
    if member.flag_bits & 1 or name.startswith("/") or ".." in name or "\\" in name:
        raise RuleBroken("sheet.archive", _RULE)
    size, tail, first = 0, b"", True
    with archive.open(member) as part:
        while block := part.read(_BLOCK):
            size += len(block)
            if size > left or (size > _RATIO_FROM and size > MOST_RATIO * max(member.compress_size, 1)):
                raise RuleBroken("sheet.bomb", _RULE)
            wide = first and block.startswith(_WIDE)
            if (wide and name.endswith((".xml", ".rels"))) or any(each in tail + block for each in _DECLARATIONS):
                raise RuleBroken("sheet.entities", _RULE)
            tail, first = block[-16:], False
    return left - size


def _xlsx_rows(raw: bytes) -> Iterator[tuple[int, list[Cell]]]:
    require_harmless(raw)
    from openpyxl import load_workbook  # noqa: PLC0415 - large, and for imports alone
    from openpyxl.utils.exceptions import InvalidFileException  # noqa: PLC0415 - as above

    try:
        book = load_workbook(io.BytesIO(raw), read_only=True, data_only=False, keep_links=False)
        sheet = book.worksheets[0]
        sheet.reset_dimensions()  # what a file says of its size is not believed
        for number, cells in enumerate(sheet.iter_rows(max_col=MOST_COLUMNS + 1), 1):
            read = [_cell(each) for each in cells]
            while read and read[-1] is None:
                read.pop()  # the reader fills every row up
            yield number, read
    except RuleBroken:
        raise
    except (InvalidFileException, KeyError, IndexError, ValueError, TypeError, AttributeError, SyntaxError) as error:
        # Whatever openpyxl says of a damaged file; ``ParseError`` of XML is a SyntaxError.
        raise RuleBroken("sheet.archive", _RULE) from error


def _cell(cell: object) -> Cell:
    value = getattr(cell, "value", None)
    if getattr(cell, "data_type", "") == "f" or not isinstance(value, str | int | float | bool | type(None)):
        return value if isinstance(value, date) else Formula(str(value))
    return value
