"""Making the bulletin of each month that is over, once and for all; its record and its row are one transaction.

Bulletins are made from published releases alone, which tell nothing of bids before an opening. Releases are read from
the primary: a replica that lags would leave out the last hour.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import func, select

from trading.audit.runtime import Runtime
from trading.kernel.digests import sha256_hex
from trading.kernel.events import Event
from trading.kernel.roles import Actor
from trading.statistics import queries, store
from trading.statistics.model import PUBLISHED
from trading.statistics.rules.bulletin import bulletin
from trading.statistics.rules.months import Month, month_at, month_named

_ACTOR: Final = Actor.system("statistics")
_LOCK: Final = 32_006


def catch_up(runtime: Runtime) -> int:
    """Make the bulletin of every month that is over, from that of the first release on; return how many were made."""
    with runtime.ledger.upkeep() as conn:
        now, first = runtime.ledger.platform_time(conn), queries.first_publication(conn)
        there = queries.bulletins(conn, limit=1)
    if first is None:
        return 0
    last = month_named(there[0].month) if there else None
    month, made = month_at(first) if last is None else last.next, 0
    while month.is_over(now):
        made += build(runtime, month)
        month = month.next
    return made


def build(runtime: Runtime, month: Month) -> bool:
    """Make the bulletin of a month and have the log name it; False if it was there."""
    with runtime.ledger.upkeep() as conn:
        if queries.one(conn, month.name) is not None:
            return False
        raw = bulletin(month, queries.releases_in(conn, month))
    with runtime.ledger.begin(_ACTOR) as uow:
        uow.connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
        if queries.one(uow.connection, month.name) is not None:
            return False
        body = {"bulletin_sha256": sha256_hex(raw), "month": month.name}
        event = Event(kind=PUBLISHED, subject=f"month:{month.name}", body=body, article="政府信息公开条例 19")
        store.add(uow.connection, month, raw, at=uow.at, h=uow.record(event).h)
    return True
