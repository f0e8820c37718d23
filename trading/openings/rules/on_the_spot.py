"""Objections at the opening, after everything is read out: made on the spot, answered on the spot (87-42, OPN-11).

They are about how the opening went. That a bid is missing from the list is another claim, made with a receipt before
anything is opened (SB1 S9.2). Instants are ms; the window is half-open and begins with the result of the last bid.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from trading.kernel.errors import RuleBroken

RULE: Final = "OPN-11"
SHORTEST: Final = 5  # characters, blank ones not counted: less says nothing
LONGEST: Final = 1_000
MOST: Final = 20  # of one bidder at one opening: a technical bound, not a rule of law


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """When bidders may object on the spot; ``begins_at`` is the instant of the last result, None before it."""

    begins_at: int | None
    length_ms: int

    @property
    def ends_at(self) -> int | None:
        """Return the first instant that is too late; None before everything is read out."""
        return None if self.begins_at is None else self.begins_at + self.length_ms

    def is_open(self, at: int) -> bool:
        """Whether an objection counts at this instant."""
        return self.begins_at is not None and self.begins_at <= at < self.begins_at + self.length_ms


def require_open(window: Window, at: int) -> None:
    """Refuse an objection outside its window.

    Raises:
        RuleBroken: ``opening.objection_early``: not every bid has its result; ``opening.objection_late``.
    """
    if window.ends_at is None:
        raise RuleBroken("opening.objection_early", RULE)
    if at >= window.ends_at:
        raise RuleBroken("opening.objection_late", RULE, ended_at=window.ends_at)


def require_text(text: str) -> str:
    """Return an objection or an answer without blank ends.

    Raises:
        RuleBroken: ``opening.text_length``: shorter than 5 characters without blanks, or longer than 1,000.
    """
    kept = text.strip()
    if len("".join(kept.split())) < SHORTEST or len(kept) > LONGEST:
        raise RuleBroken("opening.text_length", RULE, least=SHORTEST, most=LONGEST, count=len(kept))
    return kept
