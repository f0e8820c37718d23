"""What examination found about a bid, and the evaluated price that follows from it (B10.1, B10.4; 87-44, 55, 61).

Steps in their order: ``qualification`` by agency or buyer (87-44), ``conformity`` and ``price`` by the committee, whose
common determinations take a majority of all members (EXP-21). A later finding about the same step replaces the former.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from trading.evaluation.rules.formulas.price import deducted
from trading.procedures.rules.criteria import Preference

CLAIM: Final = "sme"  # field of ``sb1.price.terms`` in which a bidder declares itself

DOMESTIC: Final = "domestic"  # field of ``sb1.price.terms`` in which a bidder declares its goods domestic (PRF-06)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One finding of one step about one bid: the body of ``bid.examined`` without its place."""

    bid: str
    step: Step
    outcome: Outcome
    preference: str | None


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the majority found."""

    outcome: Outcome
    grants: bool
    reason: str


def majority(votes: Sequence[Vote], seats: Sequence[str]) -> Decision | None:
    """Return what more than half of all members found, or None while a member has not voted (EXP-21).

    The reason of an invalid bid is that of the members who found it invalid, in the order of their seats.
    """
    cast = {vote.seat: vote for vote in votes}
    if set(cast) != set(seats):
        return None
    invalid = [cast[seat] for seat in sorted(seats) if cast[seat].outcome is Outcome.INVALID]
    granting = [vote for vote in cast.values() if vote.grants]
    if 2 * len(invalid) > len(seats):
        reasons = list(dict.fromkeys(vote.reason for vote in invalid))
        return Decision(outcome=Outcome.INVALID, grants=False, reason="\n".join(reasons))
    return Decision(outcome=Outcome.CONFORMING, grants=2 * len(granting) > len(seats), reason="")
