"""Read side of procedures and lots: rows as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, Row, func, select, tuple_

from trading.audit.tables import audit_entry
from trading.kernel.canonical import loads_object
from trading.kernel.errors import NotFound
from trading.procedures.tables import calendar_day, lot, procedure


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcedureRow:
    """One procedure as stored; ``spec`` is the canonical specification, ``published_at`` in ms."""

    id: int
    reference: str
    kind: str
    regime: str
    jurisdiction: str
    edition_id: str
    edition_sha256: str
    phase: str
    version: int
    title_zh: str
    title_en: str
    buyer_code: str
    agency_code: str
    supervisor_code: str
    drafted_by: str
    spec: bytes
    published_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LotRow:
    """One lot and stage as stored; ``close_at`` in ms, ``ceiling`` in minor units of ``currency``."""

    id: int
    procedure_id: int
    number: str
    stage: str
    phase: str
    close_at: int | None
    policy_sha256: str | None
    schedule_sha256: str | None
    ceiling: int | None
    currency: str
    title_zh: str
    title_en: str


def procedure_of(row: Row[*tuple[Any, ...]]) -> ProcedureRow:
    """Return a full row of the procedure table as a value."""
    values = dict(row._mapping)
    del values["entry_id"]
    values["edition_sha256"] = bytes(values["edition_sha256"]).hex()
    values["spec"] = bytes(values["spec"])
    return ProcedureRow(**values)


def lot_of(row: Row[*tuple[Any, ...]]) -> LotRow:
    """Return a full row of the lot table as a value."""
    values = dict(row._mapping)
    del values["entry_id"]
    for name in ("policy_sha256", "schedule_sha256"):
        values[name] = None if values[name] is None else bytes(values[name]).hex()
    return LotRow(**values)


def find(conn: Connection, reference: str) -> ProcedureRow:
    """Return the procedure with this public reference.

    Raises:
        NotFound: There is none.
    """
    row = conn.execute(select(procedure).where(procedure.c.reference == reference)).one_or_none()
    if row is None:
        raise NotFound(reference)
    return procedure_of(row)


def by_id(conn: Connection, procedure_id: int) -> ProcedureRow:
    """Return the procedure with this row id.

    Raises:
        NotFound: There is none.
    """
    row = conn.execute(select(procedure).where(procedure.c.id == procedure_id)).one_or_none()
    if row is None:
        raise NotFound("procedure")
    return procedure_of(row)


def drafters(conn: Connection, procedure_id: int) -> frozenset[str]:
    """Return the accounts that drafted any version of a procedure: such a person never approves it (MB-01)."""
    query = select(audit_entry.c.record).where(
        audit_entry.c.procedure_id == procedure_id, audit_entry.c.kind == "procedure.drafted"
    )
    return frozenset(loads_object(bytes(record))["actor"] for record in conn.execute(query).scalars())


def published(conn: Connection, *, before: tuple[int, str] | None, limit: int) -> list[ProcedureRow]:
    """Return published procedures, newest first.

    Args:
        conn: Where to read.
        before: Instant of publication (ms) and reference after which the page begins; None for the first page.
        limit: Largest number of rows.
    """
    order = (procedure.c.published_at.desc(), procedure.c.reference.desc())
    query = select(procedure).where(procedure.c.published_at.is_not(None)).order_by(*order).limit(limit)
    if before is not None:
        query = query.where(tuple_(procedure.c.published_at, procedure.c.reference) < tuple_(*before))
    return [procedure_of(row) for row in conn.execute(query)]


def lots_of(conn: Connection, procedure_id: int) -> list[LotRow]:
    """Return the lots of a procedure, by number and stage."""
    query = select(lot).where(lot.c.procedure_id == procedure_id).order_by(lot.c.number, lot.c.stage)
    return [lot_of(row) for row in conn.execute(query)]


def open_until(conn: Connection, since: int, until: int) -> list[tuple[str, str, str]]:
    """Return reference, number and stage of the published open lots whose deadline is after ``since``, to ``until``."""
    query = (
        select(procedure.c.reference, lot.c.number, lot.c.stage)
        .join(lot, lot.c.procedure_id == procedure.c.id)
        .where(procedure.c.published_at.is_not(None), lot.c.phase == "open")
        .where(lot.c.close_at > since, lot.c.close_at <= until)
        .order_by(lot.c.close_at, procedure.c.reference, lot.c.number)
    )
    return [(row.reference, row.number, row.stage) for row in conn.execute(query)]


def find_lot(conn: Connection, procedure_id: int, number: str, stage: str) -> LotRow:
    """Return one lot and stage.

    Raises:
        NotFound: There is none.
    """
    query = select(lot).where(lot.c.procedure_id == procedure_id, lot.c.number == number, lot.c.stage == stage)
    row = conn.execute(query).one_or_none()
    if row is None:
        raise NotFound(f"lot {number}")
    return lot_of(row)


def calendar_version(conn: Connection) -> int | None:
    """Return the entry that last changed the calendar, or None for an empty one."""
    newest: int | None = conn.execute(select(func.max(calendar_day.c.entry_id))).scalar_one()
    return newest


def calendar_days(conn: Connection) -> list[tuple[date, bool, str, str]]:
    """Return the working-day calendar: (day, is_workday, name, source), by day."""
    query = select(calendar_day.c.day, calendar_day.c.is_workday, calendar_day.c.name, calendar_day.c.source)
    return [(row.day, row.is_workday, row.name, row.source) for row in conn.execute(query.order_by(calendar_day.c.day))]
