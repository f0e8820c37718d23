"""When the buyer's silence awards a lot to the first of the ranking (AWD-09, 政府采购法实施条例 43)."""

from __future__ import annotations

from trading.kernel.calendar import WorkCalendar
from trading.kernel.errors import RuleBroken
from trading.rulebook.keys import Key, Regime
from trading.rulebook.model import Edition


def silence_ends(ranked_at: int, edition: Edition, regime: Regime, calendar: WorkCalendar) -> int | None:
    """Return the instant (ms) from which the buyer counts as having chosen the first.

    The buyer's days begin when the agency's days to send the report are over: nobody is taken to be silent earlier.
    None where no such rule is in force, or the calendar does not reach so far (TIM-07): then somebody must decide.
    """
    if not edition.has(Key.AWARD_DECIDE_WITHIN, regime):
        return None
    try:
        sent = calendar.end_of_period(ranked_at, edition.days(Key.AWARD_REPORT_WITHIN, regime))
        return calendar.end_of_period(sent - 1, edition.days(Key.AWARD_DECIDE_WITHIN, regime))
    except RuleBroken:
        return None
