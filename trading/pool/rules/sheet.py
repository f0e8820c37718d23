"""Rows of an import: columns, how a cell is read, the code of what is wrong with it. No report repeats a value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, TypeAlias

from trading.kernel.canonical import dumps
from trading.kernel.errors import InvalidInput, RuleBroken
from trading.pool.rules.dossier import DOSSIER, Dossier

#: A cell as it was read: text, whole number, date; ``Formula`` for a cell that computes.
Cell: TypeAlias = str | int | float | bool | date | datetime | None
MOST_ROWS: Final = 200_000
MOST_COLUMNS: Final = 60
LONGEST_CELL: Final = 2_000


class Formula(str):
    """The text of a cell that would be computed; never taken."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column with its names in a file."""

    field: str
    zh: str
    en: str
    optional: bool = False


COLUMNS: Final = (
    Column(field="name", zh="姓名", en="name"),
    Column(field="identity_no", zh="证件号码", en="identity number"),
    Column(field="birth", zh="出生日期", en="date of birth"),
    Column(field="phone", zh="手机", en="phone"),
    Column(field="mail", zh="邮箱", en="mail"),
    Column(field="employer", zh="单位代码", en="employer code"),
    Column(field="employer_name", zh="单位名称", en="employer"),
    Column(field="employers", zh="近三年任职单位代码", en="employers of three years", optional=True),
    Column(field="relatives", zh="应回避单位代码", en="organisations to recuse from", optional=True),
    Column(field="title", zh="职称级别", en="rank of title"),
    Column(field="title_name", zh="职称", en="title"),
    Column(field="years", zh="从业年限", en="years"),
    Column(field="region", zh="行政区划代码", en="region"),
    Column(field="specialties", zh="专业代码", en="specialties"),
    Column(field="trained", zh="最近培训日期", en="trained on", optional=True),
)
_RANKS: Final = {
    **dict.fromkeys(("1", "初级", "junior"), 1),
    **dict.fromkeys(("2", "中级", "middle"), 2),
    **dict.fromkeys(("3", "高级", "副高级", "正高级", "senior"), 3),
}
_LISTS: Final = ("employers", "relatives", "specialties")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong in a row: ``column`` is a field, or empty for the row as a whole; ``code`` has words."""

    row: int
    column: str
    code: str


def header(cells: list[Cell]) -> Mapping[int, Column]:
    """Return which place holds which column; names in Chinese or English, in any order, others are ignored.

    Raises:
        RuleBroken: ``sheet.columns``: one that is needed is missing or stands twice.
    """
    known = {name: column for column in COLUMNS for name in (column.zh, column.en, column.field)}
    found: dict[int, Column] = {}
    for place, cell in enumerate(cells):
        column = known.get(str(cell or "").strip().lower())
        if column is not None:
            if column in found.values():
                raise RuleBroken("sheet.columns", "EXP-27", column=column.zh)
            found[place] = column
    missing = [column for column in COLUMNS if not column.optional and column not in found.values()]
    if missing:
        raise RuleBroken("sheet.columns", "EXP-27", column=missing[0].zh)
    return found


def active(cell: Cell) -> bool:
    """Whether a spreadsheet would compute the cell: a formula, or text that becomes one when a report is opened."""
    if isinstance(cell, Formula):
        return True
    if not isinstance(cell, str):
        return False
    text = cell.lstrip()
    return text[:1] in {"=", "@", "\t", "\r"} or (text[:1] in {"+", "-"} and not text[1:2].isdigit())


def read_row(number: int, cells: list[Cell], columns: Mapping[int, Column]) -> Dossier | list[Fault]:
    """Return the dossier of a row, or everything that is wrong with it."""
    faults: list[Fault] = []
    body: dict[str, Any] = {"account": None, "available": True, "employers": [], "relatives": [], "trained": None}
    for place, column in columns.items():
        cell = cells[place] if place < len(cells) else None
        if active(cell):
            faults.append(Fault(row=number, column=column.field, code="sheet.formula"))
            continue
        try:
            body[column.field] = _value(column, cell)
            if not (column.optional and cell in {None, ""}):
                _check(column.field, body[column.field])
        except (ValueError, InvalidInput):
            code = "sheet.missing" if cell in {None, ""} else "sheet.wrong"
            faults.append(Fault(row=number, column=column.field, code=code))
    if faults:
        return faults
    # Written as it came and checked once, when it is read: a hundred thousand rows wait for this.
    return Dossier.decode(dumps({**body, "typ": DOSSIER.typ, "v": 1}).decode())


def _check(field: str, value: object) -> None:
    DOSSIER.fields[field](value)


def _value(column: Column, cell: Cell) -> object:
    text = _text(cell)
    if column.field in _LISTS:
        return _listed(text)
    reader = _READERS.get(column.field)
    return text if reader is None else reader(text)


def _text(cell: Cell) -> str:
    match cell:
        case None:
            return ""
        case bool():
            raise ValueError("neither text nor number")
        case datetime():
            return cell.date().isoformat()
        case date():
            return cell.isoformat()
        case float():
            # A spreadsheet keeps 15 digits of a number: a longer one has lost the others, so that it must be text.
            if not cell.is_integer() or abs(cell) >= 1e15:  # noqa: PLR2004 - as said
                raise ValueError("a number that is not exact")
            return str(int(cell))
        case int():
            return str(cell)
        case _:
            if len(cell) > LONGEST_CELL:
                raise ValueError("too long")
            return cell.strip()


def _listed(text: str) -> list[str]:
    for separator in ("；", "、", "，", ",", "\n", " "):
        text = text.replace(separator, ";")
    return sorted({part.strip() for part in text.split(";") if part.strip()})


def _day(text: str) -> str:
    return date.fromisoformat(text.replace("/", "-").replace(".", "-")).isoformat()


def _optional_day(text: str) -> str | None:
    return _day(text) if text else None


def _rank(text: str) -> int:
    if text.lower() not in _RANKS:
        raise ValueError("no rank")
    return _RANKS[text.lower()]


_READERS: Final[Mapping[str, Callable[[str], object]]] = {
    "birth": _day,
    "trained": _optional_day,
    "title": _rank,
    "years": int,
    "identity_no": str.upper,
}
