"""Reading the log in the database: entries, positions, histories of procedures, holds of the clock."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Select, TextClause, func, or_, select, text
from sqlalchemy.dialects.postgresql import JSONB

from trading.audit.model import ClosedLog, CurrentLog, Recorded
from trading.audit.rules.clocks import DATABASE_HOST, ClockState
from trading.audit.tables import audit_entry, closed_log, cursor, errand, log_position, origin

SEQUENCER_LOCK: Final = 0x6D62_7371  # whoever holds it is alone: a sequencer, or the closing of its log
_HOSTS: Final = 8  # more than the hosts that report their clocks
_NEWEST_ANCHORS: Final = 500  # more than two authorities leave in an hour
_IS_ANCHOR: Final = text("audit_entry.kind = 'tst.anchored'")  # written as in the partial index audit_entry_tst


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Place ``n`` of an entry, sequencer's clock ``t`` in ms, ``p`` of the entry.

    A place counts through all logs of the database: index in its log plus the final sizes of the logs before (L13).
    """

    n: int
    t: int
    p: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRow:
    """One stored record with what opens its commitment; ``position`` is None until the sequencer has logged it."""

    id: int
    procedure_id: int | None
    kind: str
    record: bytes
    nonce: bytes
    h: bytes
    position: Position | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedRecord:
    """One record of a procedure that stands in the log at place ``n`` (``Position``); ``t`` in ms."""

    n: int
    t: int
    p: bytes
    entry_id: int
    procedure_id: int | None
    kind: str
    record: bytes
    nonce: bytes
    h: bytes

    @property
    def data(self) -> dict[str, Any]:
        """Return the record as data; its bytes stay what was hashed."""
        value: dict[str, Any] = json.loads(self.record)
        return value


_ENTRY = select(
    audit_entry.c.id,
    audit_entry.c.procedure_id,
    audit_entry.c.kind,
    audit_entry.c.record,
    audit_entry.c.nonce,
    audit_entry.c.h,
    log_position.c.n,
    log_position.c.t.label("t_ms"),  # a row's own attribute "t" would hide a column of that name
    log_position.c.p,
)
_WITH_POSITION = _ENTRY.outerjoin_from(audit_entry, log_position, log_position.c.entry_id == audit_entry.c.id)
_LOGGED = _ENTRY.join_from(audit_entry, log_position, log_position.c.entry_id == audit_entry.c.id)
_HOLDS: Final = text("audit_entry.kind IN ('clock.hold', 'clock.released')")  # as in the index audit_entry_hold
#: Written as in the partial index audit_entry_watch, which keeps readers of these kinds from reading the whole log.
IS_WATCHED: Final = text("audit_entry.kind IN ('admin.read', 'witness.missed', 'log.delayed', 'tst.anchored')")
_UNLOGGED: Final = ~select(log_position.c.n).where(log_position.c.entry_id == audit_entry.c.id).exists()

_QUEUE_FAULTS = """
    SELECT e.id FROM log.audit_entry e
      LEFT JOIN log.audit_queue q ON q.entry_id = e.id
      LEFT JOIN log.log_position p ON p.entry_id = e.id
     WHERE (q.entry_id IS NULL) = (p.entry_id IS NULL)
     ORDER BY e.id LIMIT 100
"""


def entry_by_h(conn: Connection, h: bytes) -> EntryRow | None:
    """Return the entry with commitment ``h``, logged or not; None if there is none."""
    return _entry(conn, _WITH_POSITION.where(audit_entry.c.h == h))


def entry_by_id(conn: Connection, entry_id: int) -> EntryRow | None:
    """Return the entry with this row id, logged or not; None if there is none."""
    return _entry(conn, _WITH_POSITION.where(audit_entry.c.id == entry_id))


def recorded_by_id(conn: Connection, entry_id: int) -> Recorded:
    """Return what ``UnitOfWork.record`` returned for an entry of the past, for answers that are repeated."""
    query = select(audit_entry.c.kind, audit_entry.c.record, audit_entry.c.h).where(audit_entry.c.id == entry_id)
    row = conn.execute(query).one()
    record = json.loads(row.record)
    return Recorded(entry_id=entry_id, h=bytes(row.h), kind=row.kind, at=record["at"], body=record["body"])


def records_of(conn: Connection, procedure_id: int | None, kinds: Collection[str] | None = None) -> list[LoggedRecord]:
    """Return the logged records of one procedure, or of none of them (None), in log order; of these kinds alone."""
    query = _LOGGED.where(audit_entry.c.procedure_id.is_not_distinct_from(procedure_id))
    if kinds is not None:
        query = query.where(audit_entry.c.kind.in_(kinds))
    return [_logged(row) for row in conn.execute(query.order_by(log_position.c.n))]


def logged(
    conn: Connection, condition: ColumnElement[bool] | TextClause, limit: int | None = None, *, newest: bool = False
) -> list[LoggedRecord]:
    """Return the first ``limit`` logged records that meet a condition on entries and positions, in log order.

    With ``newest`` the last ones, the newest first.
    """
    order = log_position.c.n.desc() if newest else log_position.c.n
    return [_logged(row) for row in conn.execute(_LOGGED.where(condition).order_by(order).limit(limit))]


def logged_records(conn: Connection, first: int, last: int) -> list[LoggedRecord]:
    """Return the records at indices ``first`` to ``last − 1``, in log order."""
    return logged(conn, (log_position.c.n >= first) & (log_position.c.n < last))


def records_of_keys(conn: Connection, kids: Collection[str]) -> list[LoggedRecord]:
    """Return the logged registrations and revocations of keys, in log order (P6.2)."""
    kid = func.convert_from(audit_entry.c.record, "UTF8").cast(JSONB)[("body", "kid")].astext
    # The kinds stand here as in the partial index audit_entry_key, which keeps this from reading the whole log.
    query = _LOGGED.where(text("audit_entry.kind IN ('key.registered', 'key.revoked')"), kid.in_(list(kids)))
    return [_logged(row) for row in conn.execute(query.order_by(log_position.c.n))]


def records_of_draw(conn: Connection, draw: str) -> list[LoggedRecord]:
    """Return the logged records of a draw of experts, in log order; they name no procedure (ED1 D5)."""
    name = func.convert_from(audit_entry.c.record, "UTF8").cast(JSONB)[("body", "draw")].astext
    # The kinds stand here as in the partial index audit_entry_draw, which keeps this from reading the whole log.
    query = _LOGGED.where(text("audit_entry.kind LIKE 'draw.%'"), name == draw)
    return [_logged(row) for row in conn.execute(query.order_by(log_position.c.n))]


def current_log(conn: Connection) -> CurrentLog:
    """Return the log that the database belongs to."""
    closed = select(closed_log.c.origin).where(closed_log.c.origin == origin.c.origin).exists()
    row = conn.execute(select(origin.c.origin, origin.c.base, closed.label("is_closed"))).one()
    return CurrentLog(origin=row.origin, base=row.base, is_closed=row.is_closed)


def closed_logs(conn: Connection) -> list[ClosedLog]:
    """Return the closed logs, the oldest first; nearly always there is none."""
    columns = (closed_log.c.base, closed_log.c.origin, closed_log.c.size, closed_log.c.checkpoint, closed_log.c.reason)
    return [
        ClosedLog(base=row.base, origin=row.origin, size=row.size, checkpoint=bytes(row.checkpoint), reason=row.reason)
        for row in conn.execute(select(*columns).order_by(closed_log.c.base))
    ]


def size(conn: Connection) -> int:
    """Return the place after the last one: the number of positions that the database knows."""
    last: int | None = conn.execute(select(log_position.c.n).order_by(log_position.c.n.desc()).limit(1)).scalar()
    return 0 if last is None else last + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """One look at what is not public: who (account, organisation), what, when (ms), and the record that tells it."""

    h: str
    at: int
    account: str
    organisation: str | None
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessWish:
    """A part of account or organisation, a part of what was looked at; older than the record ``before``."""

    who: str | None = None
    what: str | None = None
    before: str | None = None

    def fits(self, access: Access) -> bool:
        """Whether an access is looked for; upper and lower case are the same."""
        who = f"{access.account} {access.organisation or ''}".casefold()
        return (self.who or "").casefold() in who and (self.what or "").casefold() in access.what.casefold()


def accesses(
    conn: Connection, wish: AccessWish, limit: int, shown: Callable[[Access], bool] = lambda _access: True
) -> list[Access]:
    """Return the newest ``admin.read`` that fit and are ``shown``, the newest first, also those not logged yet."""
    query = select(audit_entry.c.id, audit_entry.c.record, audit_entry.c.h).where(IS_WATCHED)
    query = query.where(audit_entry.c.kind == "admin.read").order_by(audit_entry.c.id.desc())
    found: list[Access] = []
    skipping = wish.before is not None
    for row in conn.execute(query):
        access = _access(row)
        if not skipping and wish.fits(access) and shown(access):
            found.append(access)
            if len(found) == limit:
                break
        skipping = skipping and access.h != wish.before
    return found


def _access(row: Row[*tuple[Any, ...]]) -> Access:
    content = json.loads(row.record)
    return Access(
        h=bytes(row.h).hex(),
        at=content["at"],
        account=content["actor"],
        organisation=content["on_behalf_of"],
        what=content["body"]["what"],
    )


def newest_h(conn: Connection) -> bytes | None:
    """Return the commitment of the newest entry, logged or not."""
    query = select(audit_entry.c.h).order_by(audit_entry.c.id.desc()).limit(1)
    found: bytes | None = conn.execute(query).scalar()
    return found


def unlogged(conn: Connection, limit: int = 1000) -> list[tuple[int, bytes]]:
    """Return id and record of the oldest entries that have no position yet."""
    query = select(audit_entry.c.id, audit_entry.c.record).where(_UNLOGGED).order_by(audit_entry.c.id).limit(limit)
    return [(row.id, bytes(row.record)) for row in conn.execute(query)]


def holds_besides(conn: Connection, first: int, last: int, kind: str) -> bool:
    """Whether an entry of another kind stands at a position from ``first`` to ``last − 1``."""
    span = (log_position.c.n >= first) & (log_position.c.n < last)
    other = select(log_position.c.n).join(audit_entry, audit_entry.c.id == log_position.c.entry_id)
    return bool(conn.execute(select(other.where(span, audit_entry.c.kind != kind).exists())).scalar_one())


def is_anchored(conn: Connection, token_sha256: str) -> bool:
    """Whether one of the newest ``tst.anchored`` names this token."""
    return any(body["token_sha256"] == token_sha256 for body in _anchors(conn, _NEWEST_ANCHORS))


def anchored_tokens(conn: Connection) -> dict[tuple[str, int, int], str]:
    """Return the SHA-256 of every token that a ``tst.anchored`` names, by authority, size of checkpoint and genTime."""
    return {(body["tsa"], body["size"], body["gen_time"]): body["token_sha256"] for body in _anchors(conn, None)}


def anchors_of(conn: Connection, size: int, *, base: int = 0) -> list[LoggedRecord]:
    """Return the logged ``tst.anchored`` of tokens over the checkpoint of a size, in log order.

    They were written after the last entry of that checkpoint, and soon, so few rows are looked at. ``base`` is the
    place of the first entry of the log that the checkpoint is of.
    """
    last = select(log_position.c.entry_id).where(log_position.c.n == base + size - 1).scalar_subquery()
    later = _LOGGED.where(_IS_ANCHOR, audit_entry.c.id > last).order_by(audit_entry.c.id).limit(_NEWEST_ANCHORS)
    found = [_logged(row) for row in conn.execute(later)]
    return sorted((each for each in found if each.data["body"]["size"] == size), key=lambda each: each.n)


def _anchors(conn: Connection, limit: int | None) -> Iterator[dict[str, Any]]:
    query = select(audit_entry.c.record).where(_IS_ANCHOR).order_by(audit_entry.c.id.desc()).limit(limit)
    return (json.loads(record)["body"] for record in conn.execute(query).scalars())


def relay_cursors(conn: Connection) -> dict[str, int]:
    """Return up to which position the relay has walked for each subscriber, by name."""
    return {row.name: row.n for row in conn.execute(select(cursor.c.name, cursor.c.n).order_by(cursor.c.name))}


def unrelayed_head(conn: Connection) -> int | None:
    """Return the size of the log if a subscriber has not come to it, otherwise None: whether to ring for the relay.

    A subscriber without a cursor is new; the worker's own sweep finds it.
    """
    head = size(conn)
    slowest: int | None = conn.execute(select(func.min(cursor.c.n))).scalar_one()
    return head if slowest is not None and slowest < head else None


def is_relayed(conn: Connection) -> bool:
    """Whether every entry is logged and every subscriber has done what it can: what is parked is the operator's.

    One statement, one snapshot: work moves from the queue over the cursors to the errands, and three statements in a
    row could each look where it has just been.
    """
    waiting = errand.c.entry_id.is_not(None) & errand.c.done_at.is_(None) & errand.c.parked_at.is_(None)
    end = select(func.coalesce(func.max(log_position.c.n) + 1, 0)).scalar_subquery()
    left = or_(
        select(audit_entry.c.id).where(_UNLOGGED).exists(),
        select(cursor.c.name).where(cursor.c.n < end).exists(),
        select(errand.c.id).where(waiting).exists(),
    )
    return not conn.execute(select(left)).scalar_one()


def queue_faults(conn: Connection) -> list[int]:
    """Return the ids of entries that are both queued and logged, or neither; one statement, one snapshot."""
    return list(conn.exec_driver_sql(_QUEUE_FAULTS).scalars())


def clock_states(conn: Connection) -> dict[str, ClockState]:
    """Return the newest state that each host reported of its clock of late (TE1 T3)."""
    newest = text("audit_entry.kind = 'clock.state'")  # written as in the partial index audit_entry_clock
    query = select(audit_entry.c.record).where(newest).order_by(audit_entry.c.id.desc()).limit(_HOSTS)
    told = map(json.loads, reversed(conn.execute(query).scalars().all()))
    return {each["body"]["host"]: ClockState.of(each) for each in told}


def clock_state(conn: Connection, host: str) -> ClockState | None:
    """Return the newest state that a host reported of its clock; None if it reported none of late."""
    return clock_states(conn).get(host)


def clock_uncertainty_ms(conn: Connection, host: str = DATABASE_HOST) -> int | None:
    """Return how far the clock of a host may be from UTC, in ms, rounded up; None if nobody says so (TE1 T3)."""
    state = clock_state(conn, host)
    return None if state is None else -(-state.error_us // 1000)


def on_hold(conn: Connection) -> bool:
    """Return whether the clock of some host is on hold (TE1 T3)."""
    held: bool = conn.exec_driver_sql("SELECT log.on_hold()").scalar_one()
    return held


def clock_holds(conn: Connection) -> Iterator[dict[str, Any]]:
    """Yield every ``clock.hold`` and ``clock.released`` as ``placed`` does."""
    return placed(conn, _HOLDS)


def placed(conn: Connection, *conditions: ColumnElement[bool] | TextClause) -> Iterator[dict[str, Any]]:
    """Yield the records of these entries in log order, each with ``h`` (hex) and its position ``n``.

    One that is not in the log yet comes last; its ``n`` is None.
    """
    query = (
        select(audit_entry.c.record, audit_entry.c.h, log_position.c.n)
        .outerjoin_from(audit_entry, log_position, log_position.c.entry_id == audit_entry.c.id)
        .where(*conditions)
        .order_by(log_position.c.n, audit_entry.c.id)
    )
    for row in conn.execute(query):
        yield {**json.loads(row.record), "h": bytes(row.h).hex(), "n": row.n}


def hold_reason(conn: Connection, host: str) -> str | None:
    """Return why the clock of a host is on hold; None if its newest record is no hold."""
    query = select(audit_entry.c.record).where(_HOLDS).order_by(audit_entry.c.id.desc())
    for record in map(json.loads, conn.execute(query).scalars()):
        if record["body"]["host"] == host:
            return str(record["body"]["reason"]) if record["kind"] == "clock.hold" else None
    return None


def _entry(conn: Connection, query: Select[*tuple[Any, ...]]) -> EntryRow | None:
    row = conn.execute(query).one_or_none()
    if row is None:
        return None
    return EntryRow(
        id=row.id,
        procedure_id=row.procedure_id,
        kind=row.kind,
        record=bytes(row.record),
        nonce=bytes(row.nonce),
        h=bytes(row.h),
        position=None if row.n is None else Position(n=row.n, t=row.t_ms, p=bytes(row.p)),
    )


def _logged(row: Row[*tuple[Any, ...]]) -> LoggedRecord:
    return LoggedRecord(
        n=row.n,
        t=row.t_ms,
        p=bytes(row.p),
        entry_id=row.id,
        procedure_id=row.procedure_id,
        kind=row.kind,
        record=bytes(row.record),
        nonce=bytes(row.nonce),
        h=bytes(row.h),
    )
