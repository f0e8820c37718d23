"""What an observation about a draw means, who is at fault, and what follows (ED1 D13)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from trading.experts.rules.checks import CheckCode, Checks
from trading.experts.rules.reveals import Outcome
from trading.experts.rules.seal import Reason, Seal


class Verdict(StrEnum):
    """The verdicts of D13."""

    PARTY_ABSENT = "PARTY_ABSENT"
    CONTRIBUTION_SUPPRESSED = "CONTRIBUTION_SUPPRESSED"
    CONTRIBUTION_VOID = "CONTRIBUTION_VOID"
    PARTY_WITHHELD = "PARTY_WITHHELD"
    CUSTODIAN_BAD_SHARE = "CUSTODIAN_BAD_SHARE"
    CUSTODIAN_NO_RELEASE = "CUSTODIAN_NO_RELEASE"
    DRAW_UNRECOVERABLE = "DRAW_UNRECOVERABLE"
    CUSTODIAN_EARLY = "CUSTODIAN_EARLY"
    TRAIL_BROKEN = "TRAIL_BROKEN"
    DISPOSITION_FALSE = "DISPOSITION_FALSE"
    SPEC_FORK = "SPEC_FORK"
    SEAL_FORK = "SEAL_FORK"
    ATTEMPT_HIDDEN = "ATTEMPT_HIDDEN"
    REROLL = "REROLL"
    EXCLUSION_IGNORED = "EXCLUSION_IGNORED"
    LIMIT_BROKEN = "LIMIT_BROKEN"
    POOL_MISMATCH = "POOL_MISMATCH"


class Effect(StrEnum):
    """What a verdict does to the draw."""

    GOES_ON = "goes_on"
    CANCELLED = "cancelled"
    CORRECTED = "corrected"  # from the same seed, under the supervisor's control: never a new one
    DECIDED = "decided"  # the supervisor decides who sits, within the same order
    INVALID = "invalid"  # fraud that signed documents prove


EFFECTS: Final[Mapping[Verdict, Effect]] = MappingProxyType(
    {
        Verdict.PARTY_ABSENT: Effect.GOES_ON,
        Verdict.CONTRIBUTION_SUPPRESSED: Effect.INVALID,
        Verdict.CONTRIBUTION_VOID: Effect.GOES_ON,
        Verdict.PARTY_WITHHELD: Effect.GOES_ON,
        Verdict.CUSTODIAN_BAD_SHARE: Effect.GOES_ON,
        Verdict.CUSTODIAN_NO_RELEASE: Effect.GOES_ON,
        Verdict.DRAW_UNRECOVERABLE: Effect.CANCELLED,
        # One early share reveals nothing, and one custodian must not be able to undo a draw it dislikes.
        Verdict.CUSTODIAN_EARLY: Effect.GOES_ON,
        Verdict.TRAIL_BROKEN: Effect.CORRECTED,
        Verdict.DISPOSITION_FALSE: Effect.DECIDED,
        Verdict.SPEC_FORK: Effect.INVALID,
        Verdict.SEAL_FORK: Effect.INVALID,
        Verdict.ATTEMPT_HIDDEN: Effect.INVALID,
        Verdict.REROLL: Effect.INVALID,
        Verdict.EXCLUSION_IGNORED: Effect.CORRECTED,
        Verdict.LIMIT_BROKEN: Effect.CORRECTED,
        Verdict.POOL_MISMATCH: Effect.INVALID,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A verdict with the party or custodian that it names."""

    verdict: Verdict
    party: str | None = None
    custodian: int | None = None


def effect_of_early_share(*, sealed: bool) -> Effect:
    """Return what an early share does: known before the seal it cancels the attempt, after it the draw stands."""
    return EFFECTS[Verdict.CUSTODIAN_EARLY] if sealed else Effect.CANCELLED


def of_parties(seal: Seal, outcomes: Iterable[Outcome]) -> tuple[Named, ...]:
    """Return what a draw says of its parties: absent, void, withheld."""
    absent = [
        Named(verdict=Verdict.PARTY_ABSENT, party=item.party) for item in seal.left_out if item.reason == Reason.ABSENT
    ]
    told = []
    for outcome in outcomes:
        if outcome.r is not None and not outcome.valid:
            told.append(Named(verdict=Verdict.CONTRIBUTION_VOID, party=outcome.party))
        if outcome.withheld:
            told.append(Named(verdict=Verdict.PARTY_WITHHELD, party=outcome.party))
    return (*absent, *told)


def of_custodians(
    doc_sha256: str, checks: Checks, *, good: Collection[int], answered: Collection[int]
) -> tuple[Named, ...]:
    """Return what a recovery says of the custodians that had called the contribution ``ok``.

    Args:
        doc_sha256: The contribution.
        checks: What they said before the seal.
        good: Custodians that published a good share of it.
        answered: Custodians that published any share of it.
    """
    found = []
    for custodian in sorted(checks.codes):
        if checks.code(custodian, doc_sha256) is not CheckCode.OK or custodian in good:
            continue
        verdict = Verdict.CUSTODIAN_BAD_SHARE if custodian in answered else Verdict.CUSTODIAN_NO_RELEASE
        found.append(Named(verdict=verdict, custodian=custodian))
    return tuple(found)


def is_suppressed(*, receipt_n: int | None, stamped_ms: int | None, sealed_n: int, sealed_lower_ms: int) -> bool:
    """Return whether a party that was left out as absent can show that the centre had its contribution (D13).

    Args:
        receipt_n: Index of its receipt; None without one.
        stamped_ms: Time of the TSA token over its ``ed1.ack``; None without one. A bare ``created`` does not count: it
            could be written after the seed is known.
        sealed_n: Index of ``draw.sealed``.
        sealed_lower_ms: Lower bound of its time (TE1 T7).
    """
    by_receipt = receipt_n is not None and receipt_n < sealed_n
    return by_receipt or (stamped_ms is not None and stamped_ms < sealed_lower_ms)
