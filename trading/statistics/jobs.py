"""The round that makes bulletins of months that are over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from trading.audit import errands
from trading.audit.errands import Handler
from trading.audit.rules.stamps import UPKEEP
from trading.audit.runtime import Runtime
from trading.statistics import service

BULLETINS: Final = f"{UPKEEP}bulletins"
_ROUND_MS: Final = 60 * 60_000


def arm(runtime: Runtime) -> int:
    """Give the installation its round, unless it has one; return how many were new."""
    return errands.arm(runtime, BULLETINS, [{}])


def _round(runtime: Runtime, _arg: Mapping[str, Any]) -> int:
    """Make what is missing and come back in an hour."""
    service.catch_up(runtime)
    with runtime.ledger.read() as conn:
        return errands.platform_ms(conn) + _ROUND_MS


ERRANDS: Final[Mapping[str, Handler]] = {BULLETINS: _round}
