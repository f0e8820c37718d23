"""Errands of the log itself: time stamps over its checkpoints (TE1 T8), and the watch over clocks (T3).

One round for every authority, for ever, and one errand a moment and authority: what one authority does or does not do
is nothing to the other. No request waits for any of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from trading.audit import clocks, errands
from trading.audit.authorities import Authority
from trading.audit.errands import Handler, Postponed, platform_ms
from trading.audit.ledger import UnitOfWork
from trading.audit.queries import EntryRow
from trading.audit.relay import Subscription
from trading.audit.rules.stamps import MOMENT, MOMENTS, ROUND, ROUND_MS
from trading.audit.runtime import Runtime
from trading.audit.stamping import StampRefused, stamp_moment, stamp_newest
from trading.kernel.errors import IntegrityFailure

ARM_AGAIN_S: Final = 3600.0  # a round has no end; what an operator or a restored copy took away is back within an hour
_AGAIN_MS: Final = 1_000  # the checkpoint of a moment is witnessed within a second or two
_RETRY_MS: Final = 10_000  # an authority that did not stamp a moment is asked again a few times before it is missed


def arm(runtime: Runtime) -> int:
    """Give every configured authority its round, unless it has one; return how many were new."""
    return errands.arm(runtime, ROUND, [{"tsa": authority.name} for authority in runtime.authorities])


class Arming:
    """When a worker arms: as soon as it can, then once an hour. A failure is tried again at the next call.

    Args:
        arms: Each makes what is missing, such as rounds, and returns how much.
        now_s: Seconds that only grow.
    """

    def __init__(self, *arms: Callable[[Runtime], int], now_s: Callable[[], float] = time.monotonic) -> None:
        self._arms = arms
        self._now_s = now_s
        self._next_s = now_s()

    def arm(self, runtime: Runtime) -> int:
        """Arm if it is time to; return how many rounds were new."""
        now = self._now_s()
        if now < self._next_s:
            return 0
        made = sum([each(runtime) for each in self._arms])
        self._next_s = now + ARM_AGAIN_S
        return made


def _round(runtime: Runtime, arg: Mapping[str, Any]) -> int | None:
    """Stamp the newest checkpoint and come back in a minute; the round of an authority that was taken away ends."""
    authority = _named(runtime, arg)
    if authority is None:
        return None
    _or_later(runtime, lambda: stamp_newest(runtime, authority), ROUND_MS)
    return _now(runtime) + ROUND_MS


def _moment(runtime: Runtime, arg: Mapping[str, Any]) -> int | None:
    """Stamp the checkpoint that first contains an entry, as soon as it is witnessed."""
    authority = _named(runtime, arg)
    if authority is None:
        return None
    done = _or_later(runtime, lambda: stamp_moment(runtime, authority, arg["n"]), _RETRY_MS)
    return None if done else _now(runtime) + _AGAIN_MS


def _or_later(runtime: Runtime, stamp: Callable[[], bool], delay_ms: int) -> bool:
    try:
        return stamp()
    except StampRefused as error:
        raise Postponed(_now(runtime) + delay_ms, str(error)) from error


def _named(runtime: Runtime, arg: Mapping[str, Any]) -> Authority | None:
    return next((each for each in runtime.authorities if each.name == arg["tsa"]), None)


def _now(runtime: Runtime) -> int:
    with runtime.ledger.read() as conn:
        return platform_ms(conn)


def _on_moment(runtime: Runtime, uow: UnitOfWork, entry: EntryRow) -> None:
    if entry.position is None:
        raise IntegrityFailure(f"entry {entry.id} was relayed without a position")
    for authority in runtime.authorities:
        uow.wake(MOMENT, {"n": entry.position.n, "tsa": authority.name}, uow.at)


SUBSCRIPTIONS: Final = (Subscription(name="stamps", kinds=MOMENTS, react=_on_moment),)
ERRANDS: Final[Mapping[str, Handler]] = {ROUND: _round, MOMENT: _moment, **clocks.ERRANDS}
