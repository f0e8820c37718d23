"""What watchers read: procedures with their acts, and the log as far as it may be told now."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, or_, select

from trading.audit.tables import audit_entry, log_position
from trading.kernel.errors import NotFound
from trading.openings.tables import opening
from trading.parties.tables import organisation
from trading.procedures.queries import ProcedureRow, procedure_of
from trading.procedures.tables import lot, procedure
from trading.supervision.rules.lamps import WATCHED, Act
from trading.supervision.rules.visibility import (
    AT_ONCE,
    OF_BID,
    OF_BIDS,
    OF_CEREMONY,
    PERIODIC,
    LotSecrecy,
    Secrecy,
    may_tell,
    secrecy,
)

MOST_PROCEDURES: Final = 500
PAGE: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Whose procedures somebody watches: those that one organisation supervises; None for all of them."""

    supervisor: str | None

    def condition(self) -> ColumnElement[bool]:
        """Return the condition on published procedures."""
        published = procedure.c.published_at.is_not(None)
        return published if self.supervisor is None else and_(published, procedure.c.supervisor_code == self.supervisor)


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedLot:
    """One lot as stored, with the step of its ceremony."""

    number: str
    title_zh: str
    title_en: str
    phase: str
    close_at: int | None
    step: str | None

    @property
    def secrecy(self) -> LotSecrecy:
        """Return what decides about its records."""
        return LotSecrecy(number=self.number, phase=self.phase, step=self.step)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """One published procedure with its lots and the recorded acts of the kinds that lamps look at."""

    row: ProcedureRow
    buyer_zh: str
    buyer_en: str
    lots: tuple[WatchedLot, ...]
    acts: tuple[Act, ...]

    @property
    def secrecy(self) -> Secrecy:
        """Return how far its sealed stage has come."""
        return secrecy([each.secrecy for each in self.lots])


def watched(conn: Connection, scope: Scope, reference: str | None = None) -> list[Watched]:
    """Return the procedures of a scope, the newest publication first; with ``reference`` that one alone, if any."""
    query = (
        select(procedure, organisation.c.name_zh, organisation.c.name_en)
        .outerjoin(organisation, organisation.c.code == procedure.c.buyer_code)
        .where(scope.condition())
        .order_by(procedure.c.published_at.desc(), procedure.c.reference)
        .limit(MOST_PROCEDURES)
    )
    if reference is not None:
        query = query.where(procedure.c.reference == reference)
    rows = conn.execute(query).all()
    ids = [row.id for row in rows]
    lots, acts = _lots(conn, ids), _acts(conn, ids)
    return [
        Watched(
            row=_procedure(row),
            buyer_zh=row.name_zh or row.buyer_code,
            buyer_en=row.name_en or row.buyer_code,
            lots=tuple(lots.get(row.id, ())),
            acts=tuple(acts.get(row.id, ())),
        )
        for row in rows
    ]


class _OnlyProcedure:
    """A row with the columns of the procedure alone."""

    def __init__(self, row: Row[*tuple[Any, ...]]) -> None:
        self._mapping = {column.name: row._mapping[column] for column in procedure.c}


def _procedure(row: Row[*tuple[Any, ...]]) -> ProcedureRow:
    return procedure_of(_OnlyProcedure(row))  # type: ignore[arg-type]  # it reads the mapping alone


def _lots(conn: Connection, ids: Sequence[int]) -> dict[int, list[WatchedLot]]:
    of_lot = and_(
        opening.c.procedure_id == lot.c.procedure_id, opening.c.lot == lot.c.number, opening.c.stage == lot.c.stage
    )
    query = (
        select(
            lot.c.procedure_id, lot.c.number, lot.c.title_zh, lot.c.title_en, lot.c.phase, lot.c.close_at,
            opening.c.step,
        )
        .outerjoin(opening, of_lot)
        .where(lot.c.procedure_id.in_(ids))
        .order_by(func.length(lot.c.number), lot.c.number, lot.c.stage)
    )  # fmt: skip
    found: dict[int, list[WatchedLot]] = {}
    for row in conn.execute(query):
        values = dict(row._mapping)
        found.setdefault(values.pop("procedure_id"), []).append(WatchedLot(**values))
    return found


def _acts(conn: Connection, ids: Sequence[int]) -> dict[int, list[Act]]:
    query = (
        select(audit_entry.c.procedure_id, audit_entry.c.kind, audit_entry.c.record, audit_entry.c.h)
        .where(audit_entry.c.procedure_id.in_(ids), audit_entry.c.kind.in_(sorted(WATCHED)))
        .order_by(audit_entry.c.id)
    )
    found: dict[int, list[Act]] = {}
    for row in conn.execute(query):
        content = json.loads(row.record)
        found.setdefault(row.procedure_id, []).append(
            Act(
                kind=row.kind,
                # A notice of the whole procedure names its first lot; what it says holds for all of them.
                lot=None if row.kind == "tender.published" else content["body"].get("lot"),
                at=content["at"],
                h=bytes(row.h).hex(),
                about=content["body"].get("question"),
            )
        )
    return found


# ------------------------------------------------------------------ the log


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One record that may be told: commitment, kind, procedure, lot, instant (ms), what acted, under which article."""

    h: str
    kind: str
    reference: str | None
    lot: str | None
    at: int
    actor: str
    article: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody looks for in the log; ``before`` is the commitment after which an older page begins."""

    reference: str | None = None
    kind: str | None = None
    before: str | None = None


def is_sealed_anywhere(conn: Connection) -> bool:
    """Whether any published lot of the platform still holds sealed bids, or could."""
    of_lot = and_(
        opening.c.procedure_id == lot.c.procedure_id, opening.c.lot == lot.c.number, opening.c.stage == lot.c.stage
    )
    query = (
        select(lot.c.id)
        .join(procedure, procedure.c.id == lot.c.procedure_id)
        .outerjoin(opening, of_lot)
        .where(
            procedure.c.published_at.is_not(None),
            lot.c.phase.not_in(("failed", "cancelled")),
            opening.c.step.is_distinct_from("completed"),
        )
        .limit(1)
    )
    return conn.execute(query).first() is not None


def general_page(conn: Connection, limit: int = PAGE) -> list[Told]:
    """Return the newest records of no procedure (keys, calendar, clocks, releases), the newest first.

    Their places in the log would count everything that was logged between them, so they are told only while nothing is
    sealed anywhere (AL1 L6).
    """
    if is_sealed_anywhere(conn):
        return []
    query = (
        select(audit_entry.c.procedure_id, audit_entry.c.kind, audit_entry.c.record, audit_entry.c.h)
        .join(log_position, log_position.c.entry_id == audit_entry.c.id)
        .where(audit_entry.c.procedure_id.is_(None), audit_entry.c.kind.not_in(sorted(PERIODIC)))
        .order_by(log_position.c.n.desc())
        .limit(limit)
    )
    return [_told(row, {}) for row in conn.execute(query)]


def one_record(conn: Connection, scope: Scope, h: str) -> tuple[Told, dict[str, Any], bool]:
    """Return a record that may be told, its content, and whether its place in the log may be told as well.

    Raises:
        NotFound: There is none, it may not be told now, or it is of others.
    """
    try:
        query = (
            select(
                audit_entry.c.procedure_id, audit_entry.c.kind, audit_entry.c.record, audit_entry.c.h,
                procedure.c.reference,
            )
            .outerjoin(procedure, procedure.c.id == audit_entry.c.procedure_id)
            .where(audit_entry.c.h == bytes.fromhex(h))
        )  # fmt: skip
    except ValueError as error:
        raise NotFound(h) from error
    row = conn.execute(query).one_or_none()
    if row is None:
        raise NotFound(h)
    if row.procedure_id is None:
        if is_sealed_anywhere(conn):
            raise NotFound(h)
        return _told(row, {}), json.loads(row.record), True
    found = watched(conn, scope, row.reference)
    told = _told(row, {row.procedure_id: row.reference})
    if not found or not may_tell(told.kind, told.lot, [each.secrecy for each in found[0].lots]):
        raise NotFound(h)
    return told, json.loads(row.record), found[0].secrecy is Secrecy.OVER


def log_page(conn: Connection, scope: Scope, wish: Wish, limit: int = PAGE) -> list[Told]:
    """Return the newest records that may be told, the newest first; only what the sequencer has logged.

    A record that may not be told takes no place in the page: how many there are must show nowhere.
    """
    procedures = watched(conn, scope, wish.reference)
    by_id = {each.row.id: [lot.secrecy for lot in each.lots] for each in procedures}
    references = {each.row.id: each.row.reference for each in procedures}
    query = _told_query(by_id).order_by(log_position.c.n.desc())
    if wish.kind is not None:
        query = query.where(audit_entry.c.kind == wish.kind)
    if wish.before is not None and (place := _position(conn, wish.before)) is not None:
        query = query.where(log_position.c.n < place)
    found: list[Told] = []
    for row in conn.execution_options(stream_results=False).execute(query):
        told = _told(row, references)
        if may_tell(told.kind, told.lot, by_id[row.procedure_id]):
            found.append(told)
            if len(found) == limit:
                break
    return found


def kinds_told(conn: Connection, scope: Scope) -> list[str]:
    """Return the kinds that the log of a scope has to tell now, by name."""
    return sorted({each.kind for each in log_page(conn, scope, Wish(), limit=10_000)})


def _told_query(by_id: Mapping[int, Sequence[LotSecrecy]]) -> Select[Any]:
    """Return the records that can be told at all; what depends on the lot is decided one by one."""
    over = [each for each, lots in by_id.items() if secrecy(lots) is Secrecy.OVER]
    begun = [each for each, lots in by_id.items() if any(lot.ordered for lot in lots)]
    of = audit_entry.c.procedure_id
    return (
        select(audit_entry.c.procedure_id, audit_entry.c.kind, audit_entry.c.record, audit_entry.c.h)
        .join(log_position, log_position.c.entry_id == audit_entry.c.id)
        .where(
            or_(
                and_(of.in_(list(by_id)), audit_entry.c.kind.in_(sorted(AT_ONCE))),
                and_(of.in_(begun), audit_entry.c.kind.in_(sorted(OF_CEREMONY))),
                and_(
                    of.in_(over),
                    audit_entry.c.kind.not_in(sorted(OF_BIDS)),
                    audit_entry.c.kind.not_like(f"{OF_BID}%"),
                ),
            )
        )
    )


def _told(row: Row[*tuple[Any, ...]], references: Mapping[int, str]) -> Told:
    content = json.loads(row.record)
    return Told(
        h=bytes(row.h).hex(),
        kind=row.kind,
        reference=references.get(row.procedure_id),
        lot=content["body"].get("lot"),
        at=content["at"],
        actor=_actor(content["actor"]),
        article=content["article"],
    )


def _actor(account: str) -> str:
    """Return what kind of actor it was; an account is nobody's business in a list."""
    kind, _, rest = account.partition(":")
    return kind if rest else "person"


def _position(conn: Connection, h: str) -> int | None:
    try:
        commitment = bytes.fromhex(h)
    except ValueError:
        return None
    query = (
        select(log_position.c.n)
        .join(audit_entry, audit_entry.c.id == log_position.c.entry_id)
        .where(audit_entry.c.h == commitment)
    )
    found: int | None = conn.execute(query).scalar()
    return found


def newer(found: Iterable[Told], seen: str) -> list[Told]:
    """Return the records of a page (newest first) after the one with commitment ``seen``, oldest first."""
    fresh: list[Told] = []
    for each in found:
        if each.h == seen:
            break
        fresh.append(each)
    return fresh[::-1]
