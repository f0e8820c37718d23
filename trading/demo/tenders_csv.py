"""Past tenders from a CSV file: one row a bid, with the tender's number, the amount and who won.

Columns: ``Tender``, ``Bid_value``, ``Winner``; where present also ``Competitors`` and an estimate. A malformed row is
named with its line and reason and left out; a file without the columns is refused before anything starts. Amounts with
binary noise are rounded to the minor unit and counted; identical rows are separate bids.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from trading.kernel.errors import InvalidInput
from trading.kernel.money import parse_amount

REQUIRED: Final = ("Tender", "Bid_value", "Winner")
ESTIMATE: Final = "Pre-Tender Estimate (PTE)"
_GZIP: Final = b"\x1f\x8b"
_WON: Final = {"1": True, "1.0": True, "0": False, "0.0": False, "True": True, "False": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class PastBid:
    """One row: its line in the file, the amount in minor units, and whether the file marks it as the winner."""

    line: int
    amount: int
    won: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PastTender:
    """The bids of one tender in the order of the file; ``estimate`` in minor units if the file has one."""

    number: str
    bids: tuple[PastBid, ...]
    estimate: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRow:
    """A row that was left out, and why."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PastTenders:
    """All tenders of a file, the rows that were left out, and how many amounts were rounded."""

    tenders: tuple[PastTender, ...]
    bad_rows: tuple[BadRow, ...]
    rounded: int


def read_tenders(path: Path) -> PastTenders:
    """Read a CSV file, compressed or not.

    Raises:
        InvalidInput: ``csv.unreadable``, ``csv.columns`` or ``csv.empty``: nothing was started.
    """
    try:
        data = path.read_bytes()
        text = (gzip.decompress(data) if data.startswith(_GZIP) else data).decode("utf-8-sig")
        rows = csv.DictReader(io.StringIO(text, newline=""))
        missing = [name for name in REQUIRED if name not in (rows.fieldnames or [])]
        if missing:
            raise InvalidInput("csv.columns", f"{path.name} has no column {', '.join(missing)}")
        past = _collect(rows)
    except (OSError, EOFError, UnicodeDecodeError, zlib.error, csv.Error) as error:
        raise InvalidInput("csv.unreadable", f"{path.name}: {error}") from error
    if not past.tenders:
        raise InvalidInput("csv.empty", f"{path.name} has no row that could be read")
    return past


def _collect(rows: csv.DictReader[str]) -> PastTenders:
    bids: dict[str, list[PastBid]] = {}
    estimates: dict[str, int] = {}
    bad: list[BadRow] = []
    rounded = 0
    for line, row in _numbered(rows):
        try:
            number, bid, noisy = _read_row(line, row)
            estimate = parse_amount(row[ESTIMATE])[0] if row.get(ESTIMATE) else None
        except InvalidInput as error:
            bad.append(BadRow(line=line, reason=error.detail or error.code))
            continue
        rounded += noisy
        bids.setdefault(number, []).append(bid)
        if estimate is not None:
            estimates.setdefault(number, estimate)
    tenders = tuple(
        PastTender(number=number, bids=tuple(found), estimate=estimates.get(number)) for number, found in bids.items()
    )
    return PastTenders(tenders=tenders, bad_rows=tuple(bad), rounded=rounded)


def _numbered(rows: csv.DictReader[str]) -> Iterator[tuple[int, dict[str, str]]]:
    for row in rows:
        yield rows.line_num, row


def _read_row(line: int, row: dict[str, str]) -> tuple[str, PastBid, bool]:
    number = (row["Tender"] or "").strip()
    if not number or None in row.values() or None in row:
        raise InvalidInput("csv.row", "the row has too few or too many fields, or no tender")
    if row["Winner"] not in _WON:
        raise InvalidInput("csv.row", f"Winner is {row['Winner']!r}")
    amount, noisy = parse_amount(row["Bid_value"].strip())
    if amount <= 0:
        raise InvalidInput("csv.row", f"Bid_value is {row['Bid_value']}")
    return number, PastBid(line=line, amount=amount, won=_WON[row["Winner"]]), noisy
