"""The log is the outbox: the relay walks it by position and makes errands of entries (architecture 5 and 8).

Positions are gap-free and in the order of the commits, so a cursor that only grows misses nothing. One transaction
moves a subscriber's cursor and inserts its errands; ``(name, entry_id)`` is unique. A subscriber's errand is marked
done in the transaction of its effect, so that two runs, also at the same time, have one effect. RQ only rings.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects.postgresql import insert

from trading.audit import queries
from trading.audit.errands import Handler, platform_ms
from trading.audit.ledger import UnitOfWork
from trading.audit.queries import EntryRow
from trading.audit.runtime import Runtime
from trading.audit.tables import audit_entry, cursor, errand, log_position
from trading.kernel.errors import IntegrityFailure
from trading.kernel.events import Registry
from trading.kernel.ids import new_row_id
from trading.kernel.roles import Actor

_ACTOR: Final = Actor.system("worker")
_STEP: Final = 2_000  # positions a transaction; a subscriber that replays years takes many

#: The effect of one entry, inside the transaction that marks its errand done.
React: TypeAlias = Callable[[Runtime, UnitOfWork, EntryRow], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A reaction to the entries of some kinds.

    Attributes:
        name: Of its errands and its cursor; never used for another subscriber.
        kinds: Kinds of records. They may belong to a package above the subscriber, which knows them by name alone.
        react: The effect. It takes its locks before it records (rule L) and calls nobody outside the database.
    """

    name: str
    kinds: frozenset[str]
    react: React


def require_known(subscriptions: Iterable[Subscription], registry: Registry) -> None:
    """Refuse, at the start of a process, a subscription to an unknown kind or a name that stands twice.

    Raises:
        ValueError: Which one.
    """
    names: set[str] = set()
    for each in subscriptions:
        for kind in each.kinds:
            registry.get(kind)
        if each.name in names or not each.kinds:
            raise ValueError(f"subscription {each.name} stands twice or names no kind")
        names.add(each.name)


def relay(runtime: Runtime, subscriptions: Collection[Subscription]) -> int:
    """Walk the log for all subscribers at once up to its head; return how many errands were made."""
    made = 0
    while True:
        with runtime.ledger.upkeep() as conn:
            step = _step(conn, {each.name: each for each in subscriptions})
        if step is None:
            return made
        made += step


def _step(conn: Connection, subscriptions: Mapping[str, Subscription]) -> int | None:
    """Move the cursors over one stretch of the log; None when all stand at the head or other relays move them."""
    places = _places(conn, subscriptions)
    head = queries.size(conn)
    first = min(places.values(), default=head)
    if first >= head:
        return None
    last = min(head, first + _STEP)
    walking = {name: subscriptions[name].kinds for name, n in places.items() if n < last}
    now = platform_ms(conn)
    rows = [
        _errand(name, entry_id, now)
        for n, entry_id, kind in _entries(conn, first, last, frozenset().union(*walking.values()))
        for name, kinds in walking.items()
        if kind in kinds and n >= places[name]
    ]
    if rows:
        conn.execute(insert(errand).on_conflict_do_nothing(), rows)
    conn.execute(update(cursor).where(cursor.c.name.in_(walking)).values(n=last))
    return len(rows)


def _places(conn: Connection, names: Collection[str]) -> dict[str, int]:
    """Return where the cursors of these names stand, locked; without those that another relay holds."""
    query = select(cursor.c.name, cursor.c.n).where(cursor.c.name.in_(names)).with_for_update(skip_locked=True)
    found = dict(conn.execute(query).all())
    if len(found) < len(names):
        rows = [{"name": name, "n": 0} for name in sorted(names)]
        conn.execute(insert(cursor).on_conflict_do_nothing(), rows)
        found = dict(conn.execute(query).all())
    return found


def _entries(conn: Connection, first: int, last: int, kinds: Collection[str]) -> list[tuple[int, int, str]]:
    """Return (position, id, kind) of the entries of these kinds at the positions ``first`` to ``last − 1``."""
    query = (
        select(log_position.c.n, log_position.c.entry_id, audit_entry.c.kind)
        .join(audit_entry, audit_entry.c.id == log_position.c.entry_id)
        .where(log_position.c.n >= first, log_position.c.n < last, audit_entry.c.kind.in_(kinds))
        .order_by(log_position.c.n)
    )
    return [(n, entry_id, kind) for n, entry_id, kind in conn.execute(query)]


def _errand(name: str, entry_id: int, now: int) -> dict[str, Any]:
    return {"id": new_row_id(), "name": name, "arg": {"entry": entry_id}, "due_at": now, "entry_id": entry_id}


def handlers(subscriptions: Iterable[Subscription]) -> dict[str, Handler]:
    """Return the errands of the subscriptions."""
    return {each.name: _handler(each) for each in subscriptions}


def _handler(subscription: Subscription) -> Handler:
    def run(runtime: Runtime, arg: Mapping[str, Any]) -> None:
        with runtime.ledger.begin(_ACTOR) as uow:
            mine = (errand.c.name == subscription.name) & (errand.c.entry_id == arg["entry"])
            query = select(errand.c.id).where(mine, errand.c.done_at.is_(None)).with_for_update()
            errand_id = uow.connection.execute(query).scalar_one_or_none()
            if errand_id is None:
                return  # done meanwhile, by whoever held the row
            entry = queries.entry_by_id(uow.connection, arg["entry"])
            if entry is None:
                raise IntegrityFailure(f"errand {errand_id} is about an entry that does not exist")
            subscription.react(runtime, uow, entry)
            done = {"done_at": platform_ms(uow.connection), "last_error": None, "attempts": errand.c.attempts + 1}
            uow.connection.execute(update(errand).where(errand.c.id == errand_id).values(**done))

    return run
