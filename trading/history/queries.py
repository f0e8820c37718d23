"""What there is of foreign history: files, their faults, rows and their bytes; and a search over rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, func, select

from trading.history.tables import fault, file, row

PAGE: Final = 50
_BATCH: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file; ``done_at`` (ms) is None while rows are missing. Digests are hex."""

    sha256: str
    name: str
    source: str
    size: int
    content_sha256: str | None
    rows: int
    faults: int
    begun_at: int
    done_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A row in a list: its file (hex) and number, and what it says of itself."""

    file: str
    source: str
    number: int
    kind: str
    ocid: str | None
    release_id: str | None
    date: str | None
    title: str | None
    buyer: str | None
    faults: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """A fault: row, code, path, what was found; in a summary ``row`` is how often, and ``*`` stands for places."""

    row: int
    code: str
    path: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """A row with its bytes and its faults."""

    found: Found
    raw: bytes
    faults: tuple[Wrong, ...]


_FILE: Final = select(
    file.c.sha256,
    file.c.name,
    file.c.source,
    file.c.size,
    file.c.content_sha256,
    file.c.rows,
    file.c.faults,
    file.c.begun_at,
    file.c.done_at,
)
_ROW: Final = select(
    row.c.file_sha256.label("file"),
    file.c.source,
    row.c.number,
    row.c.kind,
    row.c.ocid,
    row.c.release_id,
    row.c.date,
    row.c.title,
    row.c.buyer,
    row.c.faults,
).join(file, file.c.sha256 == row.c.file_sha256)


def files(conn: Connection) -> list[File]:
    """Return all files, the newest first."""
    return [_file(each._mapping) for each in conn.execute(_FILE.order_by(file.c.begun_at.desc(), file.c.sha256))]


def one(conn: Connection, sha256: str) -> File | None:
    """Return a file by its SHA-256 in hex; None if there is none."""
    found = conn.execute(_FILE.where(file.c.sha256 == _bytes(sha256))).one_or_none()
    return None if found is None else _file(found._mapping)


def search(conn: Connection, text: str, *, sha256: str | None = None, page: int = 1) -> tuple[int, list[Found]]:
    """Return how many rows have every word of a text, and one page of them.

    Args:
        conn: Where to read.
        text: Words, in any letters; none finds all.
        sha256: Of a file (hex) that is looked in alone.
        page: From 1.
    """
    wanted = [row.c.words.contains(word, autoescape=True) for word in text.casefold().split()]
    if sha256 is not None:
        wanted.append(row.c.file_sha256 == _bytes(sha256))
    total = conn.execute(select(func.count()).select_from(row).where(*wanted)).scalar_one()
    query = _ROW.where(*wanted).order_by(file.c.begun_at.desc(), row.c.file_sha256, row.c.number)
    rows = conn.execute(query.limit(PAGE).offset((page - 1) * PAGE))
    return total, [_found(each._mapping) for each in rows]


def whole(conn: Connection, sha256: str, number: int) -> Whole | None:
    """Return one row; None if there is none."""
    place = (row.c.file_sha256 == _bytes(sha256)) & (row.c.number == number)
    found = conn.execute(_ROW.add_columns(row.c.raw).where(place)).one_or_none()
    if found is None:
        return None
    told = dict(found._mapping)
    raw = bytes(told.pop("raw"))
    return Whole(found=_found(told), raw=raw, faults=tuple(faults(conn, sha256, number)))


def faults(conn: Connection, sha256: str, number: int | None = None) -> Iterator[Wrong]:
    """Yield the faults of one row, or of all rows of a file in their order."""
    query = select(fault.c.row_number, fault.c.code, fault.c.path, fault.c.detail)
    query = query.where(fault.c.file_sha256 == _bytes(sha256)).order_by(fault.c.row_number, fault.c.number)
    if number is not None:
        query = query.where(fault.c.row_number == number)
    for each in conn.execute(query).yield_per(1_000):
        yield Wrong(row=each.row_number, code=each.code, path=each.path, detail=each.detail)


def summary(conn: Connection, sha256: str, limit: int) -> list[Wrong]:
    """Return the most frequent faults of a file by code and path, places in lists left out."""
    path = func.regexp_replace(fault.c.path, "/[0-9]+", "/*", "g").label("path")
    count = func.count().label("count")
    query = select(fault.c.code, path, count, func.min(fault.c.detail).label("detail"))
    query = query.where(fault.c.file_sha256 == _bytes(sha256)).group_by(fault.c.code, path)
    rows = conn.execute(query.order_by(count.desc(), fault.c.code, path).limit(limit))
    return [Wrong(row=each.count, code=each.code, path=each.path, detail=each.detail) for each in rows]  # type: ignore[arg-type]


def earlier(conn: Connection, keys: list[tuple[str, str]]) -> dict[tuple[str, str], tuple[bytes, bytes, int]]:
    """Return, by (ocid, release id), the SHA-256, file and number of the first row that has both."""
    ids = {ocid for ocid, _release in keys}
    query = select(row.c.ocid, row.c.release_id, row.c.raw_sha256, row.c.file_sha256, row.c.number)
    query = query.join(file, file.c.sha256 == row.c.file_sha256).where(row.c.ocid.in_(ids))
    found: dict[tuple[str, str], tuple[bytes, bytes, int]] = {}
    for each in conn.execute(query.order_by(file.c.begun_at, row.c.file_sha256, row.c.number)):
        place = (bytes(each.raw_sha256), bytes(each.file_sha256), each.number)
        found.setdefault((each.ocid, each.release_id), place)
    return found


def content(conn: Connection, sha256: str) -> Iterator[bytes]:
    """Yield the content of a file from its pieces: byte for byte what was unpacked from it."""
    number = 0
    query = select(row.c.number, row.c.lead, row.c.raw).where(row.c.file_sha256 == _bytes(sha256))
    while found := conn.execute(query.where(row.c.number > number).order_by(row.c.number).limit(_BATCH)).all():
        for each in found:
            yield bytes(each.lead) + bytes(each.raw)
        number = found[-1].number
    tail = conn.execute(select(file.c.tail).where(file.c.sha256 == _bytes(sha256))).scalar_one_or_none()
    yield bytes(tail or b"")


def _bytes(sha256: str) -> bytes:
    try:
        return bytes.fromhex(sha256)
    except ValueError:
        return b""


def _file(told: object) -> File:
    values = dict(told)  # type: ignore[call-overload]
    digest = values.pop("content_sha256")
    return File(**values | {"sha256": bytes(values["sha256"]).hex(), "content_sha256": digest and bytes(digest).hex()})


def _found(told: object) -> Found:
    values = dict(told)  # type: ignore[call-overload]
    return Found(**values | {"file": bytes(values["file"]).hex()})
