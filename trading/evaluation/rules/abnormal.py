"""Which bids must explain an abnormally low price (B10.3; 87-60, 财库〔2026〕2号).

A trigger asks for an explanation; it never makes a bid invalid by itself. Quotes are compared as submitted, before any
deduction, and strictly: a quote equal to the limit does not trigger. The shares come from the edition.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from fractions import Fraction

from trading.evaluation.rules.formulas.exact import mean
from trading.procedures.rules.abnormal_shares import AbnormalShares, share_of
from trading.rulebook.keys import Key, Regime
from trading.rulebook.model import Edition


class Trigger(StrEnum):
    """What a quote is far below."""

    MEAN = "mean"
    SECOND_LOWEST = "second_lowest"
    CEILING = "ceiling"


def triggers(
    quotes: Mapping[str, int],
    ceiling: int | None,
    edition: Edition,
    regime: Regime,
    shares: AbnormalShares | None = None,
) -> dict[str, tuple[Trigger, ...]]:
    """Return, for each conforming bid that must explain its price, why.

    Args:
        quotes: Quote of every conforming bid by bid id, in minor units.
        ceiling: Ceiling of the lot, or its budget where there is none; None where neither is known.
        edition: Without the check (before 2026-02-01, or switched off) nobody has to explain.
        regime: Legal track of the procedure.
        shares: What the documents raised the edition's shares to; None: they did not.
    """
    if not edition.has(Key.ABNORMAL_LOW_CHECK, regime) or not edition.flag(Key.ABNORMAL_LOW_CHECK, regime):
        return {}
    bases = _bases(list(quotes.values()), ceiling)
    found = {
        bid: tuple(
            trigger for trigger, base in bases.items() if quote < base * share_of(shares, trigger, edition, regime)
        )
        for bid, quote in sorted(quotes.items())
    }
    return {bid: why for bid, why in found.items() if why}


def _bases(quotes: list[int], ceiling: int | None) -> dict[Trigger, Fraction]:
    bases: dict[Trigger, Fraction] = {}
    if quotes:
        bases[Trigger.MEAN] = mean(quotes)
    if len(quotes) > 1:
        bases[Trigger.SECOND_LOWEST] = Fraction(sorted(quotes)[1])
    if ceiling is not None:
        bases[Trigger.CEILING] = Fraction(ceiling)
    return bases
