"""Consent, given in advance with the notice, to deadlines that move by rule when the platform fails (TE1 T2, T6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from trading.procedures.rules.fields import Fields
from trading.rulebook.keys import Key, Regime
from trading.rulebook.model import Edition

CAUSES: Final = ("clock", "outage", "refusal")
#: What the platform finds by itself; consent to a trigger that nobody evaluates would be an empty promise.
MEASURED: Final = CAUSES
MIN_EXTENSION_MS: Final = 1_800_000
LONGEST_MS: Final = 7 * 86_400_000  # a bound of the form: a longer one is a decision, not a repair


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtensionRule:
    """By how much a deadline moves, how far back failures count, from which outage on, and for which causes."""

    extend_ms: int
    look_back_ms: int
    min_outage_ms: int
    triggers: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return ``extension_rule`` as specifications and schedules show it."""
        return {
            "extend_ms": self.extend_ms,
            "look_back_ms": self.look_back_ms,
            "min_outage_ms": self.min_outage_ms,
            "triggers": list(self.triggers),
        }


def usual_rule(edition: Edition, regime: Regime, triggers: tuple[str, ...]) -> ExtensionRule:
    """Return the usual consent for these causes (MB-03): what a form offers, and what decides where none was given."""
    return ExtensionRule(
        extend_ms=edition.duration_ms(Key.EXTENSION, regime),
        look_back_ms=edition.duration_ms(Key.EXTENSION_LOOK_BACK, regime),
        min_outage_ms=edition.duration_ms(Key.EXTENSION_MIN_OUTAGE, regime),
        triggers=triggers,
    )


def read_extension_rule(fields: Fields) -> ExtensionRule | None:
    """Read the consent in a specification; null and absent mean that there is none.

    Codes: ``out_of_range`` for a duration; ``not_a_choice`` for a cause that the platform does not evaluate.
    """
    if fields.empty("extension_rule"):
        return None
    child = fields.child("extension_rule")
    return ExtensionRule(
        extend_ms=child.integer("extend_ms", MIN_EXTENSION_MS, LONGEST_MS),
        look_back_ms=child.integer("look_back_ms", 0, LONGEST_MS),
        min_outage_ms=child.integer("min_outage_ms", 0, LONGEST_MS),
        triggers=child.choices("triggers", MEASURED),
    )
