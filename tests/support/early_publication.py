"""A worker that publishes first and commits the mark afterwards: what the checker of the kill campaign must find.

It runs in place of ``worker.py`` and is no part of the product. Relay and errands are the product's own; the effect
goes to a file, outside the transaction that marks the errand done, as an effect in a foreign system would.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from trading.assembly import SUBSCRIPTIONS, open_runtime
from trading.audit import errands
from trading.audit.ledger import UnitOfWork
from trading.audit.queries import EntryRow
from trading.audit.relay import React, Subscription, handlers, relay
from trading.audit.runtime import Runtime
from trading.config import Settings
from trading.notices.queries.publications import is_last_of_act

EFFECTS = "effects.jsonl"


def early(channel: str, target: Path) -> React:
    def react(_runtime: Runtime, uow: UnitOfWork, entry: EntryRow) -> None:
        if not is_last_of_act(uow.connection, entry):
            return
        with target.open("a", encoding="utf-8") as file:
            file.write(json.dumps([entry.h.hex(), channel]) + "\n")
        time.sleep(0.02)  # until the mark is committed

    return react


def main() -> None:
    """Work until killed."""
    target = Path(sys.argv[1]) / EFFECTS
    runtime = open_runtime(Settings.from_env("worker"), pool_size=2)
    subscriptions = [
        Subscription(name=each.name, kinds=each.kinds, react=early(each.name.partition(".")[2], target))
        for each in SUBSCRIPTIONS
    ]
    table = handlers(subscriptions)
    while True:
        relay(runtime, subscriptions)
        with runtime.ledger.read() as conn:
            found = errands.due(conn, errands.platform_ms(conn))
        for each in found:
            if each.name in table:
                errands.run(runtime, table, each.id)
        time.sleep(0.02)


if __name__ == "__main__":
    main()
