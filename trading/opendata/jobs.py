"""The round that makes bulk files, among those that nobody waits for: a year of releases takes its time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from trading.audit import errands
from trading.audit.errands import Handler
from trading.audit.rules.stamps import UPKEEP
from trading.audit.runtime import Runtime
from trading.opendata import service

BULK: Final = f"{UPKEEP}open-data"
_ROUND_MS: Final = 15 * 60_000


def arm(runtime: Runtime) -> int:
    """Give the installation its round, unless it has one; return how many were new."""
    return errands.arm(runtime, BULK, [{}]) if runtime.bulk is not None else 0


def _round(runtime: Runtime, _arg: Mapping[str, Any]) -> int:
    """Make what is missing and come back in a quarter of an hour."""
    service.catch_up(runtime)
    with runtime.ledger.read() as conn:
        return errands.platform_ms(conn) + _ROUND_MS


ERRANDS: Final[Mapping[str, Handler]] = {BULK: _round}
