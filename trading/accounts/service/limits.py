"""Counting of attempts in PostgreSQL, so that limits hold over all web processes (security 6.1)."""

from __future__ import annotations

import hashlib

from sqlalchemy import Connection, delete, update
from sqlalchemy.dialects.postgresql import insert

from trading.accounts.queries import host_ms
from trading.accounts.rules.limits import KEPT_MS, LIMITS
from trading.accounts.tables import attempts
from trading.audit.ledger import Ledger
from trading.kernel.errors import RuleBroken


def take(ledger: Ledger, kind: str, key: str = "") -> None:
    """Count an attempt before it is made, in a transaction of its own: a failure cannot roll the count back.

    Raises:
        RuleBroken: ``attempts.too_many`` with the seconds to wait.
    """
    with ledger.upkeep() as conn:
        now = host_ms(conn)
        wait = max(_take(conn, kind, _digest(key), limit.count, limit.window_ms, now) for limit in LIMITS[kind])
        conn.execute(delete(attempts).where(attempts.c.kind == kind, attempts.c.starts_at < now - KEPT_MS))
    if wait:
        raise RuleBroken("attempts.too_many", None, seconds=-(-wait // 1000))


def give_back(ledger: Ledger, kind: str, key: str = "") -> None:
    """Take back an attempt that succeeded: only failures count."""
    with ledger.upkeep() as conn:
        now = host_ms(conn)
        for limit in LIMITS[kind]:
            conn.execute(
                update(attempts)
                .where(
                    attempts.c.kind == kind,
                    attempts.c.key == _digest(key),
                    attempts.c.starts_at == now - now % limit.window_ms,
                    attempts.c.window_ms == limit.window_ms,
                    attempts.c.count > 0,
                )
                .values(count=attempts.c.count - 1)
            )


def _take(conn: Connection, kind: str, key: str, count: int, window_ms: int, now: int) -> int:
    """Count one attempt; return the milliseconds until the window ends if it is one too many, else 0."""
    starts_at = now - now % window_ms
    row = {"kind": kind, "key": key, "starts_at": starts_at, "window_ms": window_ms, "count": 1}
    statement = insert(attempts).values(row)
    statement = statement.on_conflict_do_update(
        index_elements=["kind", "key", "starts_at", "window_ms"], set_={"count": attempts.c.count + 1}
    )
    counted: int = conn.execute(statement.returning(attempts.c.count)).scalar_one()
    return starts_at + window_ms - now if counted > count else 0


def _digest(key: str) -> str:
    # Addresses and logins that somebody typed are not kept as such (security 13).
    return hashlib.sha256(key.encode()).hexdigest()[:32]
