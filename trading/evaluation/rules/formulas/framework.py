"""How many suppliers a framework agreement admits (MET-07; 110-25, 27): by price ascending or by quality descending."""

from __future__ import annotations

from fractions import Fraction

from trading.kernel.money import Rounding, round_exact


def left_out(suppliers: int, share: Fraction, least: int) -> int:
    """Return how many of ``suppliers`` are left out: the share of them, rounded up, and never fewer than ``least``.

    The share is a minimum ("no lower than"), so a part of a supplier counts as one: of 6 with 20 % two are left out.

    Args:
        suppliers: Suppliers whose responses conform.
        share: Share of the documents, as a fraction of one.
        least: Fewest that are left out, by the edition.
    """
    return min(suppliers, max(round_exact(suppliers * share, Rounding.UP), least))


def admitted(suppliers: int, share: Fraction, least: int) -> int:
    """Return how many of ``suppliers`` are admitted."""
    return suppliers - left_out(suppliers, share, least)
