"""Moving demonstration time on (P13): over stretches in which nothing is due, with an entry that says so.

The move holds a lock that ``log.platform_time()`` takes in demo mode, so no act sees one clock while the sequencer sees
another: first every act in flight ends, then the entry is logged and witnessed by the old time, then database and file
are shifted, and only then does anybody read a clock again. Dangerous assumption: all processes use the same shift file.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, func, select

from trading.audit import queries, service
from trading.audit.ledger import Ledger
from trading.audit.rules.clocks import DATABASE_HOST
from trading.audit.rules.stamps import PASSED_BY, UPKEEP
from trading.audit.service import LogAccess
from trading.audit.tables import errand, origin
from trading.kernel.errors import Conflict, InvalidInput, RuleBroken
from trading.kernel.events import Event
from trading.kernel.roles import Actor
from trading.storage.durable import replace_file

_DEMO_LOCK: Final = 0x6D62_6A75  # as in log.platform_time() of a demonstration database
_WAIT_S: Final = 10.0
_RELAY_S: Final = 5.0


def jump(access: LogAccess, actor: Actor, to_ms: int, *, shift_file: Path) -> int:
    """Move demonstration time to ``to_ms`` and return the new shift in ms.

    Args:
        access: Ledger, tiles and policy of this process.
        actor: Who asks for it.
        to_ms: The instant at which time goes on; later than now, and nothing may be due before it.
        shift_file: ``DATA_DIR/demo-shift``.

    Raises:
        InvalidInput: ``demo.not_demo``, ``demo.not_forward``.
        RuleBroken: ``demo.past_due``: something becomes due before ``to_ms``; ``due_at`` is among the facts.
        Conflict: The log was not witnessed within 10 s; nothing was moved.
    """
    _await_relay(access)
    with access.ledger.upkeep() as held:
        held.exec_driver_sql("SET LOCAL lock_timeout = '10s'")
        if not held.execute(select(origin.c.demo)).scalar_one():
            raise InvalidInput("demo.not_demo", "time of a production database is never moved")
        held.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (_DEMO_LOCK,))
        _await_rest(access)
        now = service.platform_ms(held)
        _require_nothing_due(held, now, to_ms)
        with access.ledger.begin(actor, at=now) as uow:
            event = Event(kind="clock.jumped", subject="clock:demo", body={"from": now, "to": to_ms})
            recorded = uow.record(event)
        if service.wait_witnessed(access, recorded.h, _WAIT_S) is None:
            raise Conflict("the entry clock.jumped was not witnessed in time; demonstration time stays as it was")
        with access.ledger.upkeep() as conn:
            query = "UPDATE log.demo_shift SET ms = ms + %s RETURNING ms"
            shift: int = conn.exec_driver_sql(query, (to_ms - now,)).scalar_one()
        _write(shift_file, shift)
    record_state(access.ledger, actor)
    return shift


def _require_nothing_due(conn: Connection, now: int, to_ms: int) -> None:
    if to_ms <= now:
        raise InvalidInput("demo.not_forward", f"demonstration time is {now} already")
    waits = errand.c.name.not_in(PASSED_BY) & ~errand.c.name.startswith(UPKEEP)
    open_errand = (errand.c.done_at.is_(None), errand.c.parked_at.is_(None), waits)
    due: int | None = conn.execute(select(func.min(errand.c.due_at)).where(*open_errand)).scalar()
    if due is not None and due < to_ms:
        raise RuleBroken("demo.past_due", "P13", due_at=due, to=to_ms)


def _await_relay(access: LogAccess) -> None:
    """Give the worker time to publish what happened before the move, or it would be published after it.

    Where no relay has ever run there is nothing to wait for; a worker that stands still is not waited for long.
    """
    ends = time.monotonic() + _RELAY_S
    while time.monotonic() < ends:
        with access.ledger.read() as conn:
            if not queries.relay_cursors(conn) or queries.is_relayed(conn):
                return
        time.sleep(0.05)


def _await_rest(access: LogAccess) -> None:
    """Wait until everything is witnessed. No act can begin meanwhile, so the newest entry stays the newest."""
    with access.ledger.read() as conn:
        newest = queries.newest_h(conn)
    if newest is not None and service.wait_witnessed(access, newest, _WAIT_S) is None:
        raise Conflict("the log is not witnessed: are sequencer and witnesses running?")


def record_state(ledger: Ledger, actor: Actor) -> None:
    """Write the ``clock.state`` of a demonstration: one host, in step with itself; the source says what it is worth."""
    body = {
        "dispersion_us": 0,
        "host": DATABASE_HOST,
        "leap": "normal",
        "offset_us": 0,
        "sources": [{"name": "demo", "offset_us": 0, "reach": 255}],
        "stratum": 1,
        "synchronised": True,
    }
    with ledger.begin(actor) as uow:
        uow.record(Event(kind="clock.state", subject=f"host:{DATABASE_HOST}", body=body))


def restore_file(conn: Connection, shift_file: Path) -> int:
    """Write the database's shift to the file, which a crash may have left behind it; before anything else starts."""
    shift: int = conn.exec_driver_sql("SELECT ms FROM log.demo_shift").scalar_one()
    _write(shift_file, shift)
    return shift


def _write(shift_file: Path, shift: int) -> None:
    replace_file(shift_file, str(shift).encode(), durable=True)
    shift_file.chmod(0o644)  # witnesses and agents read it, and they run as other users
