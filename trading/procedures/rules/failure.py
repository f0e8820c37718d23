"""When a lot fails for want of bids: at the close (OPN-02), after decryption (OPN-15), after examination (EVL-05)."""

from __future__ import annotations

from dataclasses import dataclass

from trading.rulebook.keys import Key, Regime
from trading.rulebook.model import Edition


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a lot failed: ``reason`` and ``rule`` of the record ``lot.failed``."""

    reason: str
    rule: str


def failure_at_close(edition: Edition, regime: Regime, bids: int) -> Failure | None:
    """Return the failure of a lot that closed with ``bids`` valid bids: fewer than the minimum must not be opened."""
    if edition.allows(Key.BIDDERS_MIN, regime, bids):
        return None
    return Failure(reason="fewer_than_three", rule="OPN-02")


def failure_after_opening(edition: Edition, regime: Regime, *, effective: int, conforming: int) -> Failure | None:
    """Return the failure of an opened lot, or None if it is evaluated.

    Counting the effective bids again after decryption is a switch, because the law is silent (OPN-15). That fewer
    conforming bids than the minimum are never evaluated is law and no switch (EVL-05).
    """
    recount = edition.flag(Key.RECOUNT_AFTER_DECRYPT, regime)
    if recount and not edition.allows(Key.BIDDERS_MIN, regime, effective):
        return Failure(reason="fewer_than_three_after_opening", rule="OPN-15")
    if not edition.allows(Key.BIDDERS_MIN, regime, conforming):
        return Failure(reason="fewer_than_three_after_opening", rule="EVL-05")
    return None
