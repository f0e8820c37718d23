"""What examination found about a bid, and the evaluated price that follows from it (B10.1, B10.4; 87-44, 55, 61).

Steps in their order: ``qualification`` by agency or buyer (87-44), ``conformity`` and ``price`` by the committee, whose
common determinations take a majority of all members (EXP-21). A later finding about the same step replaces the former.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Any, Final, TypeAlias

from trading.evaluation.rules.formulas.price import deducted
from trading.kernel.canonical import loads
from trading.kernel.errors import RuleBroken
from trading.procedures.rules.criteria import Preference, decimal_of
from trading.procedures.rules.formula_terms import DeviationFactor
from trading.rulebook.keys import Key, Regime
from trading.rulebook.model import Edition

CLAIM: Final = "sme"  # field of ``sb1.price.terms`` in which a bidder declares itself

# Field of ``sb1.price.terms`` with the share of domestic products in the cost of all products, in per cent (PRF-06).
DOMESTIC_SHARE: Final = "domestic_share"
_SHARE: Final = re.compile(r"(0|[1-9][0-9]{0,2})(\.[0-9]{1,2})?\Z")
_WHOLE: Final = 100  # per cent


class Step(StrEnum):
    """Which examination found it."""

    QUALIFICATION = "qualification"
    CONFORMITY = "conformity"
    PRICE = "price"


class Outcome(StrEnum):
    """What it found."""

    CONFORMING = "conforming"
    INVALID = "invalid"


class Claim(StrEnum):
    """What a bidder declares about itself or its goods, and what the committee grants (PRF-01 to PRF-04, PRF-06)."""

    SMALL_MICRO = "small_micro"
    CONSORTIUM = "consortium"
    DOMESTIC = "domestic"


# Why a bid has no rank, by the step that found it invalid.
EXCLUSIONS: Final[Mapping[Step, str]] = {
    Step.QUALIFICATION: "not_qualified",
    Step.CONFORMITY: "not_conforming",
    Step.PRICE: "abnormally_low",
}


# Units of each quantified deviation of a bid (MET-05), by name: (deviation, exact decimal).
Deviations: TypeAlias = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One finding of one step about one bid: the body of ``bid.examined`` without its place."""

    bid: str
    step: Step
    outcome: Outcome
    preference: str | None
    deviations: Deviations = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """All steps of one bid together: the ``exclusion`` of the first invalid step, and the preference granted."""

    exclusion: str | None
    preference: str | None


def examined_of(findings: Iterable[Finding]) -> dict[str, Examined]:
    """Return what was found about every bid; ``findings`` in the order of their records, the newest of a step holds."""
    newest: dict[tuple[str, Step], Finding] = {(each.bid, each.step): each for each in findings}
    found: dict[str, Examined] = {}
    for bid in sorted({bid for bid, _ in newest}):
        steps = [newest[bid, step] for step in Step if (bid, step) in newest]
        invalid = next((each.step for each in steps if each.outcome is Outcome.INVALID), None)
        granted = next((each.preference for each in steps if each.preference is not None), None)
        found[bid] = Examined(exclusion=None if invalid is None else EXCLUSIONS[invalid], preference=granted)
    return found


def is_domestic(terms: Mapping[str, object], edition: Edition, regime: Regime) -> bool:
    """Say whether the products of a bid count as domestic: from the share of the edition on all of them do (PRF-06).

    Below it none does. A share that is no per cent, as an agent of somebody's own may send it, claims nothing.
    """
    share, key = terms.get(DOMESTIC_SHARE), Key.DOMESTIC_COST_SHARE
    if not isinstance(share, str) or _SHARE.match(share) is None or not edition.has(key, regime):
        return False
    return Fraction(share) <= _WHOLE and edition.allows(key, regime, Fraction(share))


def evaluated_price(price: int, granted: str | None, preference: Preference | None) -> int:
    """Return P' of B10.4 in minor units: the quote less all deductions, each of the quote itself, rounded half up once.

    Args:
        price: The quote in minor units.
        granted: Claims that were granted, joined by ``+``; None for none.
        preference: Deductions of the lot; None: it grants none, as on a reserved lot (PRF-01).
    """
    return deducted(price, granted_percents(granted, preference))


def granted_percents(granted: str | None, preference: Preference | None) -> tuple[str, ...]:
    """Return the per cent of every claim that was granted, such as of ``small_micro+domestic`` (PRF-06)."""
    if granted is None or preference is None:
        return ()
    shares = {
        Claim.SMALL_MICRO: preference.small_micro,
        Claim.CONSORTIUM: preference.consortium,
        Claim.DOMESTIC: preference.domestic or "0",
    }
    return tuple(shares[Claim(each)] for each in granted.split("+"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """One member's vote on one bid in one step; ``grants`` answers the claim of the bidder."""

    seat: str
    outcome: Outcome
    grants: bool
    reason: str
    deviations: Deviations = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the majority found."""

    outcome: Outcome
    grants: bool
    reason: str
    deviations: Deviations = ()


def majority(votes: Sequence[Vote], seats: Sequence[str]) -> Decision | None:
    """Return what more than half of all members found, or None while a member has not voted (EXP-21).

    Deviations are a common determination, too: while no more than half of all members found the same units, nothing is
    decided, and members may change their votes (MET-05). The reason of an invalid bid is that of the members who found
    it invalid, in the order of their seats.
    """
    cast = {vote.seat: vote for vote in votes}
    if set(cast) != set(seats):
        return None
    invalid = [cast[seat] for seat in sorted(seats) if cast[seat].outcome is Outcome.INVALID]
    granting = [vote for vote in cast.values() if vote.grants]
    if 2 * len(invalid) > len(seats):
        reasons = list(dict.fromkeys(vote.reason for vote in invalid))
        return Decision(outcome=Outcome.INVALID, grants=False, reason="\n".join(reasons))
    found = Counter(vote.deviations for vote in cast.values() if vote.outcome is Outcome.CONFORMING)
    deviations, times = found.most_common(1)[0]
    if 2 * times <= len(seats) and len(found) > 1:
        return None
    grants = 2 * len(granting) > len(seats)
    return Decision(outcome=Outcome.CONFORMING, grants=grants, reason="", deviations=deviations)


def deviations_json(deviations: Deviations) -> list[dict[str, str]]:
    """Return deviations as they stand in records and rows."""
    return [{"id": name, "units": units} for name, units in deviations]


def read_deviations(raw: bytes | None) -> Deviations:
    """Return deviations from the canonical JSON of a row; none where it holds none."""
    lines: Any = [] if raw is None else loads(bytes(raw))
    return tuple((each["id"], each["units"]) for each in lines)


def check_deviations(units: Mapping[str, str], factors: Sequence[DeviationFactor]) -> Deviations:
    """Return the units that a member found of each deviation of the documents; none found is nought (MET-05).

    Raises:
        RuleBroken: ``deviation.unknown`` for one that the documents do not quantify, ``deviation.bad_units`` for what
            is no decimal of at most four places (MET-05).
    """
    unknown = sorted(set(units) - {factor.id for factor in factors})
    if unknown:
        raise RuleBroken("deviation.unknown", "MET-05", deviation=unknown[0])
    found = []
    for factor in factors:
        typed = units.get(factor.id, "").strip() or "0"
        if not _UNITS.match(typed):
            raise RuleBroken("deviation.bad_units", "MET-05", deviation=factor.id)
        found.append((factor.id, decimal_of(Fraction(typed))))
    return tuple(sorted(found))


_UNITS: Final = re.compile(r"[0-9]{1,6}(\.[0-9]{1,4})?\Z")
