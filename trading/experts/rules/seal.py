"""The seal ends the commit phase: which contributions are in, which parties are left out and why (ED1 D7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from trading.experts.rules import fields as ed1
from trading.experts.rules.spec import Spec
from trading.kernel import fields
from trading.kernel.errors import InvalidInput, RuleBroken

SEALED: Final = "draw.sealed"
_RULE: Final = "ED1 D7"


class Reason(StrEnum):
    """Why a party is left out. For lack of ``ok`` nobody is."""

    ABSENT = "absent"
    MALFORMED = "malformed"
    DEALT_BAD = "dealt_bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """An accepted contribution."""

    contribution_sha256: str
    party: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A party without accepted contribution."""

    party: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """Body of ``draw.sealed``, ``attempt`` and ``draw`` apart."""

    contributions: tuple[Listed, ...]
    left_out: tuple[LeftOut, ...]
    spec_sha256: str

    def to_json(self) -> dict[str, Any]:
        """Return the fields of the record's body."""
        return {
            "contributions": [
                {"contribution_sha256": item.contribution_sha256, "party": item.party} for item in self.contributions
            ],
            "left_out": [{"party": item.party, "reason": item.reason} for item in self.left_out],
            "spec_sha256": self.spec_sha256,
        }

    def contribution_of(self, party: str) -> str | None:
        """Return the hash of a party's listed contribution."""
        return next((item.contribution_sha256 for item in self.contributions if item.party == party), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is known of one party when the commit phase ends.

    Attributes:
        party: Its id.
        contribution_sha256: Its last contribution; None if it sent none.
        malformed: Signature or fields of that are wrong.
        dealt_bad: An adjudication found that it dealt a bad share.
        lacking: Custodians whose ``ok`` it still needs.
    """

    party: str
    contribution_sha256: str | None = None
    malformed: bool = False
    dealt_bad: bool = False
    lacking: tuple[int, ...] = ()

    @property
    def reason(self) -> Reason | None:
        """Return why the party is left out; None if it is not."""
        if self.contribution_sha256 is None:
            return Reason.ABSENT
        if self.malformed:
            return Reason.MALFORMED
        return Reason.DEALT_BAD if self.dealt_bad else None


def _party(item: Any) -> str:  # noqa: ANN401 - either row
    found: str = item.party
    return found


_SEAL: Final = fields.record(
    {
        "attempt": ed1.attempt_number,
        "contributions": fields.sorted_by(
            _party, fields.record({"contribution_sha256": fields.digest, "party": ed1.party_id}, Listed)
        ),
        "draw": ed1.draw_id,
        "left_out": fields.sorted_by(
            _party, fields.record({"party": ed1.party_id, "reason": fields.one_of(*Reason)}, LeftOut)
        ),
        "spec_sha256": fields.digest,
    }
)


def read_seal(body: Mapping[str, Any], spec: Spec) -> Seal:
    """Read the body of ``draw.sealed``; every party of the spec is listed or left out.

    Raises:
        InvalidInput: ``doc.bad_field``.
    """
    try:
        content = _SEAL(dict(body))
    except ValueError as error:
        raise InvalidInput("doc.bad_field", f"{SEALED}: {error}") from error
    if (content.pop("attempt"), content.pop("draw")) != (spec.attempt, spec.draw):
        raise InvalidInput("doc.bad_field", f"{SEALED}: another draw or attempt")
    seal = Seal(**content)
    told = sorted([item.party for item in seal.contributions] + [item.party for item in seal.left_out])
    if seal.spec_sha256 != spec.sha256 or told != [item.id for item in spec.parties]:
        raise InvalidInput("doc.bad_field", f"{SEALED}: not every party once, or another spec")
    return seal


def make_seal(
    spec: Spec,
    standings: Sequence[Standing],
    *,
    escrows_lacking: Sequence[int] = (),
    specified_at: int,
    at: int,
) -> Seal:
    """Return the seal, or refuse it.

    Args:
        spec: The attempt.
        standings: One for each party.
        escrows_lacking: Custodians whose ``ok`` an escrow still needs.
        specified_at: ``at`` of ``draw.specified``, ms.
        at: The instant of the seal, ms.

    Raises:
        RuleBroken: ``draw.escrow_unchecked`` or ``draw.unchecked`` (wait, waive, or cancel naming the custodians),
            ``draw.seal_early`` (somebody would be left out before ``commit_ms``), ``draw.too_few`` (fewer accepted
            than ``min_valid``).
    """
    if escrows_lacking:
        raise RuleBroken("draw.escrow_unchecked", _RULE, custodians=sorted(set(escrows_lacking)))
    waiting = [item for item in standings if item.reason is None and item.lacking]
    if waiting:
        custodians = sorted({i for item in waiting for i in item.lacking})
        raise RuleBroken("draw.unchecked", _RULE, custodians=custodians, parties=[item.party for item in waiting])
    left_out = tuple(
        LeftOut(party=item.party, reason=item.reason.value)
        for item in sorted(standings, key=_party)
        if item.reason is not None
    )
    if left_out and at < specified_at + spec.commit_ms:
        raise RuleBroken("draw.seal_early", "ED1 D2", ends_at=specified_at + spec.commit_ms)
    listed = tuple(
        Listed(contribution_sha256=item.contribution_sha256, party=item.party)
        for item in sorted(standings, key=_party)
        if item.reason is None and item.contribution_sha256 is not None
    )
    if len(listed) < spec.min_valid:
        raise RuleBroken("draw.too_few", _RULE, accepted=len(listed), min_valid=spec.min_valid)
    return Seal(contributions=listed, left_out=left_out, spec_sha256=spec.sha256)
