"""Errands: things that become due. A row says what and when; Redis only rings (architecture 5).

Every handler may run twice and at the same time as itself: it works in its own units of work, looks at what has been
recorded, and does only what is still missing. It returns the instant (ms) at which to look again, or None when done.
An errand of a subscriber (``audit.relay``) that fails ``MOST_ATTEMPTS`` times is parked: the operator sees it and tries
it again. What the law makes due is never parked.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from sqlalchemy import ColumnElement, Connection, Row, func, insert, select, update

from trading.audit.rules.stamps import UPKEEP
from trading.audit.runtime import Runtime
from trading.audit.tables import errand
from trading.db import to_ms
from trading.kernel.ids import new_row_id

Handler: TypeAlias = Callable[[Runtime, Mapping[str, Any]], int | None]

MOST_ATTEMPTS: Final = 12  # with the delays below, a little more than five minutes
_LONGEST_DELAY_MS: Final = 60_000
_FIRST_DELAY_MS: Final = 1_000
_LONGEST_ERROR: Final = 500
#: So begin the names of errands that may take hours, because they read or move whole stores, bids or logs. A worker
#: runs each of these kinds apart: nothing that has its instant waits behind them, nor do they wait for each other.
LENGTHY: Final = (UPKEEP, "evaluation.inspect", "evaluation.draw", "audit.verify", "pool.import")
SWIFT: Final = ""  # all others
_ARMING: Final = 0x6D62_7272  # workers start together; each round is there once


class Postponed(Exception):
    """What an errand needs from outside is away: nothing is lost, the operator sees why, and it looks again later.

    Args:
        until: When to look again, ms.
        why: For the operator.
    """

    def __init__(self, until: int, why: str) -> None:
        super().__init__(why)
        self.until = until


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """One open errand; ``due_at`` in ms of the platform's clock."""

    id: int
    name: str
    arg: Mapping[str, Any]
    due_at: int


_OPEN: Final = (errand.c.done_at.is_(None), errand.c.parked_at.is_(None))
_STATE: Final = select(
    errand.c.id,
    errand.c.name,
    errand.c.arg,
    errand.c.due_at,
    errand.c.done_at,
    errand.c.parked_at,
    errand.c.entry_id,
    errand.c.attempts,
)


def platform_ms(conn: Connection) -> int:
    """Return ``log.platform_time()`` in ms."""
    return to_ms(conn.exec_driver_sql("SELECT log.platform_time()").scalar_one())


def due(conn: Connection, at: int, limit: int = 200, *, lane: str | None = None) -> list[Errand]:
    """Return the open errands that are due at ``at``, the longest due first.

    ``lane`` is one of ``LENGTHY``, or ``SWIFT``; None for all.
    """
    query = (
        select(errand.c.id, errand.c.name, errand.c.arg, errand.c.due_at)
        .where(*_OPEN, errand.c.due_at <= at, *_in_lane(lane))
        .order_by(errand.c.due_at)
        .limit(limit)
    )
    return [Errand(id=row.id, name=row.name, arg=row.arg, due_at=row.due_at) for row in conn.execute(query)]


def _in_lane(lane: str | None) -> list[ColumnElement[bool]]:
    if lane is None:
        return []
    lanes = [lane] if lane else LENGTHY
    beginnings = [errand.c.name.startswith(beginning, autoescape=True) for beginning in lanes]
    return beginnings if lane else [~beginning for beginning in beginnings]


def arm(runtime: Runtime, name: str, wanted: Collection[Mapping[str, Any]]) -> int:
    """Give every argument of ``wanted`` an open errand ``name``, unless it has one; return how many were new.

    For rounds that come back for ever. An errand that an operator or a restored copy took away is made anew.
    """
    with runtime.ledger.upkeep() as conn:
        conn.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (_ARMING,))
        now = platform_ms(conn)
        open_rounds = select(errand.c.arg).where(errand.c.name == name, errand.c.done_at.is_(None))
        going = list(conn.execute(open_rounds).scalars())
        missing = [dict(arg) for arg in wanted if arg not in going]
        for arg in missing:
            conn.execute(insert(errand).values(id=new_row_id(), name=name, arg=arg, due_at=now))
    return len(missing)


def next_due_after(conn: Connection, at: int) -> int | None:
    """Return the earliest due instant of an open errand after ``at``, or None."""
    query = select(errand.c.due_at).where(*_OPEN, errand.c.due_at > at).order_by(errand.c.due_at)
    return conn.execute(query.limit(1)).scalar_one_or_none()


def run(runtime: Runtime, handlers: Mapping[str, Handler], errand_id: int) -> bool:
    """Run one errand if it is open and due; return whether it is done now."""
    with runtime.ledger.upkeep() as conn:
        row = conn.execute(_STATE.where(errand.c.id == errand_id)).one_or_none()
        now = platform_ms(conn)
    if row is None or row.done_at is not None or row.parked_at is not None or row.due_at > now:
        return row is None or row.done_at is not None
    try:
        again = handlers[row.name](runtime, row.arg)
    except Postponed as error:
        _settle(runtime, errand_id, row.due_at, due_at=error.until, last_error=str(error)[:_LONGEST_ERROR])
        return False
    except Exception as error:
        _settle(runtime, errand_id, row.due_at, last_error=repr(error)[:_LONGEST_ERROR], **_after_failure(row, now))
        raise
    if again is None:
        _settle(runtime, errand_id, row.due_at, done_at=now, last_error=None)
    else:
        _settle(runtime, errand_id, row.due_at, due_at=again, last_error=None)
    return again is None


def _after_failure(row: Row[*tuple[Any, ...]], now: int) -> dict[str, int]:
    """Return when to try again; a subscriber's errand waits twice as long each time and is parked in the end."""
    if row.entry_id is None:
        # What the law makes due: 1 s at first, growing with the time that it is overdue to at most a minute.
        return {"due_at": now + min(_LONGEST_DELAY_MS, max(_FIRST_DELAY_MS, (now - row.due_at) // 2))}
    if row.attempts + 1 >= MOST_ATTEMPTS:
        return {"parked_at": now}
    return {"due_at": now + min(_LONGEST_DELAY_MS, _FIRST_DELAY_MS << row.attempts)}


def _settle(runtime: Runtime, errand_id: int, seen_due_at: int, **values: Any) -> None:  # noqa: ANN401 - column values
    # Two runs of one errand end alike; the second finds another due instant, or the errand done, and changes nothing.
    with runtime.ledger.upkeep() as conn:
        conn.execute(
            update(errand)
            .where(errand.c.id == errand_id, errand.c.done_at.is_(None), errand.c.due_at == seen_due_at)
            .values(attempts=errand.c.attempts + 1, **values)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """One open errand that failed; ``parked`` says that nobody tries it again by himself."""

    id: int
    name: str
    entry_id: int | None
    attempts: int
    parked: bool
    last_error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What waits: errands of later, errands that are due, the age (ms) of the oldest due one, and what failed."""

    later: int
    due: int
    oldest_ms: int
    troubles: tuple[Trouble, ...]


def backlog(conn: Connection, at: int) -> Backlog:
    """Return what waits at ``at`` (ms), for the operator."""
    is_due = errand.c.due_at <= at
    counted = select(
        func.count().filter(~is_due).label("later"),
        func.count().filter(is_due).label("due"),
        func.min(errand.c.due_at).label("oldest"),
    )
    row = conn.execute(counted.where(*_OPEN)).one()
    failed = select(errand).where(errand.c.done_at.is_(None), errand.c.last_error.is_not(None))
    troubles = tuple(_trouble(each) for each in conn.execute(failed.order_by(errand.c.due_at)))
    oldest = 0 if row.oldest is None else max(0, at - row.oldest)
    return Backlog(later=row.later, due=row.due, oldest_ms=oldest, troubles=troubles)


def _trouble(row: Row[*tuple[Any, ...]]) -> Trouble:
    return Trouble(
        id=row.id,
        name=row.name,
        entry_id=row.entry_id,
        attempts=row.attempts,
        parked=row.parked_at is not None,
        last_error=row.last_error,
    )


def unpark(runtime: Runtime, errand_ids: Collection[int] | None) -> int:
    """Make parked errands due now with all their attempts; None takes every one. Return how many there were."""
    parked = [errand.c.parked_at.is_not(None), errand.c.done_at.is_(None)]
    if errand_ids is not None:
        parked.append(errand.c.id.in_(errand_ids))
    with runtime.ledger.upkeep() as conn:
        changed = {"parked_at": None, "attempts": 0, "due_at": platform_ms(conn)}
        return conn.execute(update(errand).where(*parked).values(**changed)).rowcount
