"""``mingbiao clock``: rings for every errand that is due, again every 30 s until it is done. It writes nothing.

Lengthy ones a worker looks for by itself: a job would hold up all that is rung for after it. It
also rings for the relay when the log has grown past a subscriber's cursor.
"""

from __future__ import annotations

import time
from typing import Final

import click
from sqlalchemy.exc import DBAPIError

from trading.audit import errands
from trading.audit.queries import unrelayed_head
from trading.config import Settings
from trading.db import open_engine
from trading.doorbell import Doorbell

INTERVAL_S: Final = 0.25
RING_AGAIN_S: Final = 30.0


@click.command("clock")
def clock() -> None:
    """Ring for errands that are due, until stopped."""
    settings = Settings.from_env("clock")
    engine = open_engine(settings.database_url, pool_size=1, application="clock")
    bell = Doorbell(settings.redis_url or "")
    rung: dict[tuple[int, int], float] = {}
    relayed, relayed_at = 0, 0.0
    while True:
        try:
            with engine.connect() as conn:
                found = errands.due(conn, errands.platform_ms(conn), lane=errands.SWIFT)
                head = unrelayed_head(conn)
        except DBAPIError:  # the database is away for a moment; nothing is lost, the rows stay due
            time.sleep(1.0)
            continue
        now = time.monotonic()
        if head is not None and (head != relayed or now - relayed_at >= RING_AGAIN_S) and bell.ring_relay(head):
            relayed, relayed_at = head, now
        due = {(errand.id, errand.due_at) for errand in found}
        rung = {key: at for key, at in rung.items() if key in due}
        for key in sorted(due, key=lambda item: item[1]):
            if now - rung.get(key, -RING_AGAIN_S) >= RING_AGAIN_S and bell.ring(*key):
                rung[key] = now
        time.sleep(INTERVAL_S)
