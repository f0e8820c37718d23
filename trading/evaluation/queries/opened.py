"""The files of opened bids as they were inspected, and their pages as they are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from trading.audit.queries import entry_by_id
from trading.evaluation.rules.finding import packed
from trading.evaluation.tables import (
    opened_drawing,
    opened_file,
    opened_page,
)
from trading.inspection.findings import Found, Verdict, verdict_of
from trading.kernel.canonical import loads_object
from trading.kernel.errors import IntegrityFailure


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedFile:
    """One file of an opened bid: its path in the bid, SHA-256 (hex) and size in bytes, and what was found in it."""

    path: str
    sha256: str
    size: int
    kind: str
    findings: tuple[Found, ...]
    preview: str

    @property
    def verdict(self) -> Verdict:
        """Return what may happen with it."""
        return verdict_of(self.findings)


def files_of(conn: Connection, bid: str) -> tuple[OpenedFile, ...] | None:
    """Return the files of an opened bid by path; None while they have not all been inspected."""
    query = select(opened_file).where(opened_file.c.bid_reference == bid).order_by(opened_file.c.path)
    found = tuple(
        OpenedFile(
            path=row.path,
            sha256=bytes(row.sha256).hex(),
            size=row.size,
            kind=row.kind,
            findings=tuple(Found(each) for each in row.findings),
            preview=row.preview,
        )
        for row in conn.execute(query)
    )
    return found or None


def stored_files(conn: Connection) -> set[str]:
    """Return the SHA-256 (hex) of what is stored of opened bids: files that were not kept away, and drawn pages.

    A part without files is told as one empty file, and is not stored in clear.
    """
    columns = (opened_file.c.sha256, opened_file.c.size, opened_file.c.kind, opened_file.c.findings)
    stored = set()
    for row in conn.execute(select(*columns)):
        is_part = row.kind == "empty" and row.size > 0
        if not is_part and verdict_of([Found(each) for each in row.findings]) is not Verdict.QUARANTINED:
            stored.add(bytes(row.sha256).hex())
    for page in conn.execute(select(opened_page.c.large, opened_page.c.small).where(opened_page.c.large.is_not(None))):
        stored |= {bytes(page.large).hex(), bytes(page.small).hex()}
    return stored


def completed_opening(conn: Connection, entry_id: int) -> dict[str, Any]:
    """Return the record ``opening.completed`` of an entry.

    Raises:
        IntegrityFailure: There is none.
    """
    entry = entry_by_id(conn, entry_id)
    if entry is None:
        raise IntegrityFailure(f"entry {entry_id} is gone")
    return loads_object(entry.record)


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnFile:
    """How far the pages of one file are drawn: ``drawn`` of ``pages`` are looked at, ``missing`` could not be drawn."""

    sha256: str
    pages: int
    finished: bool
    drawn: int
    missing: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnPage:
    """One page: its number in its file, SHA-256 (hex) of both sizes or None, pixels of the larger one, and its text."""

    number: int
    large: str | None
    small: str | None
    width: int
    height: int
    text: str


def drawings_of(conn: Connection, bid: str) -> dict[str, DrawnFile]:
    """Return how far the files of a bid are drawn, by the SHA-256 (hex) of the file; those that are not begun lack."""
    counted = (
        select(
            opened_page.c.sha256,
            func.count().label("drawn"),
            func.count().filter(opened_page.c.large.is_(None)).label("missing"),
        )
        .where(opened_page.c.bid_reference == bid)
        .group_by(opened_page.c.sha256)
    )
    pages = {bytes(row.sha256): (row.drawn, row.missing) for row in conn.execute(counted)}
    found = {}
    for row in conn.execute(select(opened_drawing).where(opened_drawing.c.bid_reference == bid)):
        drawn, missing = pages.get(bytes(row.sha256), (0, 0))
        name = bytes(row.sha256).hex()
        found[name] = DrawnFile(sha256=name, pages=row.pages, finished=row.finished, drawn=drawn, missing=missing)
    return found


def drawn_page(conn: Connection, bid: str, sha256: str, number: int) -> DrawnPage | None:
    """Return one page of a file of a bid, None if it has not been looked at."""
    query = select(opened_page).where(
        opened_page.c.bid_reference == bid,
        opened_page.c.sha256 == bytes.fromhex(sha256),
        opened_page.c.number == number,
    )
    row = conn.execute(query).one_or_none()
    if row is None:
        return None
    large, small = (None if each is None else bytes(each).hex() for each in (row.large, row.small))
    return DrawnPage(number=row.number, large=large, small=small, width=row.width, height=row.height, text=row.text)


def pages_with(conn: Connection, bid: str, words: str, most: int) -> list[tuple[str, int, str]]:
    """Return (file, number, text) of at most ``most`` pages of a bid whose text has ``words`` (``rules.finding``)."""
    text = func.regexp_replace(func.lower(opened_page.c.text), r"\s+", "", "g")
    query = (
        select(opened_page.c.sha256, opened_page.c.number, opened_page.c.text)
        .where(opened_page.c.bid_reference == bid, text.contains(packed(words), autoescape=True))
        .order_by(opened_page.c.sha256, opened_page.c.number)
        .limit(most)
    )
    return [(bytes(row.sha256).hex(), row.number, row.text) for row in conn.execute(query)]
