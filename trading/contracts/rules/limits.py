"""The time limits around a contract, each with its rule: to sign (CON-01), to publish (CON-02), to file (CON-03)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from trading.kernel.calendar import WorkCalendar
from trading.rulebook.keys import Key, Regime
from trading.rulebook.model import Edition


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One limit: an act is in time if it happens before ``ends_at`` (ms); ``done_at`` when it happened, or None."""

    name: str
    rule: str
    starts_at: int
    ends_at: int
    done_at: int | None

    def kept(self, now: int) -> bool:
        """Say whether the limit is kept as of ``now`` (ms)."""
        return (self.done_at if self.done_at is not None else now) < self.ends_at


_FROM_RESULT: Final = (("sign", Key.CONTRACT_SIGN_WITHIN, "CON-01"),)
_FROM_SIGNING: Final = (
    ("publish", Key.CONTRACT_PUBLISH_WITHIN, "CON-02"),
    ("file", Key.CONTRACT_FILE_WITHIN, "CON-03"),
)


def contract_limits(
    edition: Edition,
    regime: Regime,
    calendar: WorkCalendar,
    *,
    concluded_at: int,
    signed_at: int | None,
    published_at: int | None,
    filed_at: int | None,
) -> tuple[Limit, ...]:
    """Return the limits that run for a lot whose result was published at ``concluded_at`` (ms).

    The award letter goes out with the result notice (AWD-11), so the time to sign runs from there.

    Raises:
        RuleBroken: ``calendar.missing`` (TIM-07).
    """
    done = {"sign": signed_at, "publish": published_at, "file": filed_at}
    rows = [(*row, concluded_at) for row in _FROM_RESULT]
    if signed_at is not None:
        rows += [(*row, signed_at) for row in _FROM_SIGNING]
    return tuple(
        Limit(
            name=name,
            rule=rule,
            starts_at=start,
            ends_at=calendar.end_of_period(start, edition.days(key, regime)),
            done_at=done[name],
        )
        for name, key, rule, start in rows
        if edition.has(key, regime)
    )
