"""Errands: things that become due. A row says what and when; Redis only rings (architecture 5).

Every handler may run twice and at the same time as itself: it works in its own units of work, looks at what has been
recorded, and does only what is still missing. It returns the instant (ms) at which to look again, or None when done.
An errand of a subscriber (``audit.relay``) that fails ``MOST_ATTEMPTS`` times is parked: the operator sees it and tries
it again. What the law makes due is never parked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, Row, select, update

from trading.audit.runtime import Runtime
from trading.audit.tables import errand
from trading.db import to_ms

Handler: TypeAlias = Callable[[Runtime, Mapping[str, Any]], int | None]

MOST_ATTEMPTS: Final = 12  # with the delays below, a little more than five minutes
_LONGEST_DELAY_MS: Final = 60_000
_FIRST_DELAY_MS: Final = 1_000


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


def due(conn: Connection, at: int, limit: int = 200) -> list[Errand]:
    """Return the open errands that are due at ``at``, the longest due first."""
    query = (
        select(errand.c.id, errand.c.name, errand.c.arg, errand.c.due_at)
        .where(*_OPEN, errand.c.due_at <= at)
        .order_by(errand.c.due_at)
        .limit(limit)
    )
    return [Errand(id=row.id, name=row.name, arg=row.arg, due_at=row.due_at) for row in conn.execute(query)]


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
    except Exception as error:
        _settle(runtime, errand_id, row.due_at, last_error=repr(error)[:500], **_after_failure(row, now))
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
