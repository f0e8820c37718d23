"""How many members the law wants in a committee, of whom, and under which rule (EXP-01 to EXP-05, EXP-11, EXP-12).

The body that evaluates is fixed by the kind of procedure, the regime by the procedure, the traits by the plan. Every
number is a row of the edition; what stands here is only which row is asked, and which rule a refusal names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from trading.procedures.rules.policies import PanelBody
from trading.rulebook.keys import Key, Regime
from trading.rulebook.model import Edition


class Trait(StrEnum):
    """What the buyer declares in the plan because no number tells it; ``large`` is a field of its own there."""

    ABOVE_LIMIT = "above_limit"  # at or above the limit from which tenders are public (74-7)
    LEGAL_EXPERT = "legal_expert"  # technically complex or highly specialised: one expert in law (74-7, 214号 14)
    WATER_WORKS = "water_works"  # 水利工程


_GROUPS: Final = frozenset({PanelBody.NEGOTIATION, PanelBody.INQUIRY, PanelBody.CONSULTATION})
_BASIC: Final[Mapping[tuple[Regime, PanelBody], tuple[Key, str]]] = {
    (Regime.TL, PanelBody.TENDER): (Key.COMMITTEE_MIN_TL, "EXP-01"),
    (Regime.GP, PanelBody.TENDER): (Key.COMMITTEE_MIN, "EXP-03"),
    **{(Regime.GP, body): (Key.GROUP_MIN, "EXP-05") for body in _GROUPS},
}
#: The plan's place is not the only one: the lead of a draw is then free (198号 14).
_FREE_LEAD: Final = frozenset({PanelBody.NEGOTIATION, PanelBody.CONSULTATION})


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What a committee is measured by. ``budget`` of the whole procedure in minor units, None if no lot names one.

    ``remote``: some members sit at another site than the others (远程异地评标).
    """

    regime: Regime
    body: PanelBody
    budget: int | None
    large: bool = False
    traits: frozenset[Trait] = frozenset()
    remote: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """Which row gives the smallest size, which rule a wrong size names, and which a wrong share names.

    ``legal``: how many experts in law it takes at least.
    """

    minimum: Key
    size_rule: str
    share_rule: str
    legal: int


def requirement_of(basis: Basis, edition: Edition) -> Requirement:
    """Return what the law wants of a committee.

    Raises:
        ValueError: No law of this edition knows such a committee: the kind should not have asked for one. A bug.
    """
    found = _BASIC.get((basis.regime, basis.body))
    if found is None:
        raise ValueError(f"no committee of {basis.body} under {basis.regime}")
    basic, rule = found
    minimum, size_rule = _larger(basis, edition) or found
    return Requirement(
        minimum=minimum if edition.has(minimum, basis.regime) else basic,
        size_rule=size_rule,
        share_rule=rule,
        legal=_legal(basis, edition),
    )


def is_large(basis: Basis, edition: Edition) -> bool:
    """Say whether plan or budget ask for the larger committee of a tender (EXP-04)."""
    limit = edition.money(Key.COMMITTEE_LARGE_BUDGET, basis.regime).minor
    return basis.large or (basis.budget is not None and basis.budget >= limit)


def _larger(basis: Basis, edition: Edition) -> tuple[Key, str] | None:
    match basis.regime, basis.body:
        case Regime.GP, PanelBody.TENDER if is_large(basis, edition):
            return Key.COMMITTEE_MIN_LARGE, "EXP-04"
        case Regime.TL, PanelBody.TENDER if Trait.WATER_WORKS in basis.traits:
            return Key.COMMITTEE_MIN_WATER, "EXP-02"
        case Regime.GP, PanelBody.NEGOTIATION | PanelBody.INQUIRY if Trait.ABOVE_LIMIT in basis.traits:
            return Key.GROUP_MIN_LARGE, "EXP-05"
        case _:
            return None


def _legal(basis: Basis, edition: Edition) -> int:
    asked = Trait.LEGAL_EXPERT in basis.traits and basis.body in {PanelBody.NEGOTIATION, PanelBody.CONSULTATION}
    return edition.count(Key.GROUP_LEGAL_MIN, basis.regime) if asked else 0


def has_lead(basis: Basis) -> bool:
    """Say whether the draw may begin only shortly before the evaluation (EXP-11: not for these, nor at several sites).

    The law of tenders (TL) has no such number (EXP-12): it wants the draw as late as practicable.
    """
    return basis.regime is Regime.GP and basis.body not in _FREE_LEAD and not basis.remote
