"""Clock states, holds and their end (TE1 T3): what a host reports, what follows from it, and from its silence.

Every report leaves an errand that is due when it would be too old, so that silence is noticed by the worker, not by
whoever fell silent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, select

from trading.audit import queries, service
from trading.audit.ledger import Ledger, UnitOfWork
from trading.audit.model import Recorded
from trading.audit.rules.clocks import DATABASE_HOST, DISAGREE, HOSTS, OWN_REASONS, ClockState, trouble
from trading.audit.runtime import Runtime
from trading.audit.tables import errand
from trading.kernel.errors import InvalidInput
from trading.kernel.events import Event
from trading.kernel.roles import Actor

WATCH: Final = "audit.watch_clock"
RELEASE: Final = "audit.release_clock"
BEHIND_MS: Final = 2_000  # T5 step 3: how far a witness may be behind and ahead of the database clock
AHEAD_MS: Final = 1_000
_HEARTBEAT_MS: Final = 1_000  # witnesses cosign the newest checkpoint again and again, this far apart (AL1 L7.3)
_AGAIN_MS: Final = 1_000
_WORKER: Final = Actor.system("worker")


def report(ledger: Ledger, actor: Actor, host: str, body: Mapping[str, Any]) -> Recorded:
    """Record the state of a host's clock; if it is that of the database and not healthy, hold (TE1 T3).

    Args:
        ledger: Of this process.
        actor: Who reports.
        host: ``database`` or ``sequencer``.
        body: Of ``clock.state``, without the host.

    Raises:
        InvalidInput: ``clock.unknown_host``.
    """
    if host not in HOSTS:
        raise InvalidInput("clock.unknown_host", f"{host} is none of {', '.join(HOSTS)}")
    with ledger.begin(actor) as uow:
        watched = host != DATABASE_HOST or _is_woken(uow.connection, WATCH)
        reason = None if host != DATABASE_HOST else queries.hold_reason(uow.connection, host)
        recorded = uow.record(Event(kind="clock.state", subject=f"host:{host}", body={"host": host, **body}))
        state = ClockState.of({"at": recorded.at, "body": recorded.body})
        found = None if host != DATABASE_HOST else trouble(state, recorded.at)
        if found is not None and reason is None:
            _record(uow, "clock.hold", reason=found)
        if found is None and reason in OWN_REASONS and not _is_woken(uow.connection, RELEASE):
            uow.wake(RELEASE, {}, uow.at)
        if not watched:
            uow.wake(WATCH, {}, state.stale_at)
    return recorded


def watch(runtime: Runtime, _arg: Mapping[str, Any]) -> int | None:
    """Hold when the database host has said nothing for too long; return when to look again (ms)."""
    with runtime.ledger.read() as conn:
        state, now = queries.clock_state(conn, DATABASE_HOST), service.platform_ms(conn)
        reason = queries.hold_reason(conn, DATABASE_HOST)
    if state is None:
        return None  # no host has ever reported: nothing to watch
    if now < state.stale_at:
        return state.stale_at
    if reason is None and trouble(state, now) is not None:
        hold(runtime, trouble(state, now) or "")
    return now + _AGAIN_MS


def release(runtime: Runtime, _arg: Mapping[str, Any]) -> int | None:
    """End the platform's own hold of the database clock when it may end; return when to look again (ms), or None."""
    with runtime.ledger.read() as conn:
        state, now = queries.clock_state(conn, DATABASE_HOST), service.platform_ms(conn)
    if state is not None and trouble(state, now) is not None:
        return None  # the next healthy report asks again
    return None if released(runtime) else now + _AGAIN_MS


def hold(runtime: Runtime, reason: str = DISAGREE) -> None:
    """Record that the database clock is on hold."""
    with runtime.ledger.begin(_WORKER) as uow:
        _record(uow, "clock.hold", reason=reason)


def released(runtime: Runtime) -> bool:
    """End the platform's own hold once the clock is healthy and a quorum agrees with it; return whether none is left.

    Without any report of a host only the witnesses are asked.
    """
    with runtime.ledger.read() as conn:
        reason, before = queries.hold_reason(conn, DATABASE_HOST), service.platform_ms(conn)
        # A demonstration reports its clock once, and moves its time on by hours.
        state = None if runtime.demo else queries.clock_state(conn, DATABASE_HOST)
        if reason is None:
            return not queries.on_hold(conn)
    seen = service.witnessed(runtime)
    with runtime.ledger.read() as conn:
        after = service.platform_ms(conn)
    if reason not in OWN_REASONS or seen is None or (state is not None and trouble(state, after) is not None):
        return False
    if not agree(seen.times, before - _HEARTBEAT_MS, after):
        return False
    with runtime.ledger.begin(_WORKER) as uow:
        _record(uow, "clock.released", size=seen.size)
    with runtime.ledger.read() as conn:
        return not queries.on_hold(conn)


def agree(times: tuple[int, ...], before: int, after: int) -> bool:
    """Whether witnesses' times (s) fit the database clock read before and after them (ms; TE1 T5 step 3)."""
    return all(before - BEHIND_MS <= 1000 * t <= after + AHEAD_MS for t in times)


def _record(uow: UnitOfWork, kind: str, **body: Any) -> None:  # noqa: ANN401 - JSON values
    uow.record(Event(kind=kind, subject=f"host:{DATABASE_HOST}", body={"host": DATABASE_HOST, **body}))


def _is_woken(conn: Connection, name: str) -> bool:
    query = select(errand.c.id).where(errand.c.name == name, errand.c.done_at.is_(None)).limit(1)
    return conn.execute(query).scalar_one_or_none() is not None


ERRANDS: Final = {WATCH: watch, RELEASE: release}
