"""How often somebody may try (security 6.1). Only failures count: what succeeds gives its attempt back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_MINUTE_MS: Final = 60_000
_HOUR_MS: Final = 60 * _MINUTE_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """At most ``count`` failures in a window of ``window_ms``."""

    count: int
    window_ms: int


#: What is counted → its windows. The key beside the kind is a user, an address, or nothing.
LIMITS: Final = {
    "password_user": (Limit(count=10, window_ms=5 * _MINUTE_MS),),
    "password_address": (Limit(count=10, window_ms=5 * _MINUTE_MS),),
    "password_all": (Limit(count=1000, window_ms=5 * _MINUTE_MS),),
    "factor": (
        Limit(count=5, window_ms=5 * _MINUTE_MS),
        Limit(count=20, window_ms=_HOUR_MS),
        Limit(count=50, window_ms=24 * _HOUR_MS),
    ),
    "disclosure": (Limit(count=5, window_ms=_HOUR_MS), Limit(count=20, window_ms=24 * _HOUR_MS)),
    "register": (Limit(count=5, window_ms=_HOUR_MS), Limit(count=20, window_ms=24 * _HOUR_MS)),
}
KEPT_MS: Final = 48 * _HOUR_MS
