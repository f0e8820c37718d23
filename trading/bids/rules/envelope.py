"""Envelope, withdrawal and rehearsal (SB1 S4.5, S7.5, S6.4) and their checks against the policy (S7.2 items 2, 4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from trading.bids.rules.context import BidContext
from trading.bids.rules.fields import (
    AGE,
    CONTEXT,
    MAX_CUSTODIANS,
    MAX_ENVELOPE,
    MAX_PART,
    PARTS,
    REHEARSAL,
    Document,
    commitment,
    custodian_index,
    sealed_share,
)
from trading.bids.rules.policy import MIN_CUSTODIANS, Policy
from trading.kernel.errors import InvalidInput
from trading.kernel.fields import Table, array, digest, instant, integer, nullable, one_of, record, sorted_by

_FINGERPRINT_DIGITS: Final = 20
_GROUP: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a bid: SHA-256 (hex) and size in bytes of its ciphertext."""

    alg: str
    name: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedShare:
    """One share: ``c`` is C_i, ``ct`` the share sealed to custodian ``i``."""

    c: bytes
    ct: bytes
    i: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextDocument(Document):
    """A document that carries the eight context fields."""

    bid: str
    bidder: str
    bidder_kid: str
    lot: str
    policy_sha256: str
    seq: int
    stage: str
    tender: str

    @property
    def context(self) -> BidContext:
        """Return the derivation context."""
        return BidContext(
            bid=self.bid,
            bidder=self.bidder,
            bidder_kid=self.bidder_kid,
            lot=self.lot,
            policy_sha256=self.policy_sha256,
            seq=self.seq,
            stage=self.stage,
            tender=self.tender,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope(ContextDocument):
    """``sb1.envelope``: the bid without its payload. Its SHA-256 is the bid's name everywhere."""

    created: int
    factor_commit: bytes | None
    parts: tuple[Part, ...]
    seed_commit: bytes
    shares: tuple[SealedShare, ...]
    supersedes: str | None

    @property
    def fingerprint(self) -> str:
        """Return what people compare: the first 20 hex digits in five groups of four."""
        return fingerprint(self.sha256)


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal(ContextDocument):
    """``sb1.withdrawal``; ``supersedes`` is the envelope that is withdrawn."""

    created: int
    supersedes: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal(ContextDocument):
    """``sb1.rehearsal``: an envelope without parts under the stage ``rehearsal``."""

    created: int
    factor_commit: bytes | None
    seed_commit: bytes
    shares: tuple[SealedShare, ...]
    supersedes: None


def fingerprint(envelope_sha256: str) -> str:
    """Return the fingerprint of an envelope's hex name (SB1 S4.5)."""
    digits = envelope_sha256[:_FINGERPRINT_DIGITS]
    return "-".join(digits[at : at + _GROUP] for at in range(0, _FINGERPRINT_DIGITS, _GROUP))


_PART: Final = record(
    {"alg": one_of(AGE), "name": one_of(*PARTS), "sha256": digest, "size": integer(0, MAX_PART)}, Part
)
_SHARE: Final = record({"c": commitment, "ct": sealed_share, "i": custodian_index}, SealedShare)
_SEALED: Final = {
    "created": instant,
    "factor_commit": nullable(commitment),
    "seed_commit": commitment,
    "shares": array(_SHARE, least=MIN_CUSTODIANS, most=MAX_CUSTODIANS),
    "supersedes": nullable(digest),
}
ENVELOPE: Final = Table(
    "sb1.envelope",
    {
        **CONTEXT,
        **_SEALED,
        "parts": sorted_by(lambda part: part.name, _PART, least=1, most=len(PARTS)),
    },
    limit=MAX_ENVELOPE,
)
REHEARSAL_TABLE: Final = Table("sb1.rehearsal", {**CONTEXT, **_SEALED, "stage": one_of(REHEARSAL)}, limit=MAX_ENVELOPE)
WITHDRAWAL: Final = Table("sb1.withdrawal", {**CONTEXT, "created": instant, "supersedes": digest}, limit=MAX_ENVELOPE)


def parse_envelope(raw: bytes) -> Envelope:
    """Parse an envelope: canonical, at most 64 KiB, fields and lengths, share indices 1, 2, … in order (S7.2 item 2).

    Raises:
        InvalidInput: ``doc.…``.
    """
    envelope = Envelope(raw=raw, **ENVELOPE.read(raw))
    _require_indices(envelope.shares)
    if (envelope.supersedes is None) != (envelope.seq == 1):
        raise InvalidInput("doc.bad_field", "sb1.envelope: supersedes is null exactly for seq 1")
    return envelope


def parse_withdrawal(raw: bytes) -> Withdrawal:
    """Parse a withdrawal; it has a version to withdraw, so ``seq`` is at least 2.

    Raises:
        InvalidInput: ``doc.…``.
    """
    withdrawal = Withdrawal(raw=raw, **WITHDRAWAL.read(raw))
    if withdrawal.seq == 1:
        raise InvalidInput("doc.bad_field", "sb1.withdrawal: seq 1 has nothing to withdraw")
    return withdrawal


def parse_rehearsal(raw: bytes) -> Rehearsal:
    """Parse a rehearsal: an envelope without parts, ``seq`` 1, ``supersedes`` null (SB1 S6.4).

    Raises:
        InvalidInput: ``doc.…``.
    """
    rehearsal = Rehearsal(raw=raw, **REHEARSAL_TABLE.read(raw))
    _require_indices(rehearsal.shares)
    if rehearsal.seq != 1 or rehearsal.supersedes is not None:
        raise InvalidInput("doc.bad_field", "sb1.rehearsal: seq is 1 and supersedes is null")
    return rehearsal


def _require_indices(shares: tuple[SealedShare, ...]) -> None:
    if [share.i for share in shares] != list(range(1, len(shares) + 1)):
        raise InvalidInput("doc.bad_field", "shares are not numbered 1, 2, … in order")


def require_policy(envelope: Envelope | Rehearsal, policy: Policy) -> None:
    """Check an envelope or rehearsal against its policy (SB1 S7.2 item 4).

    Raises:
        InvalidInput: ``policy.mismatch``, with the first thing that differs in the detail.
    """
    told = (envelope.policy_sha256, envelope.tender, envelope.lot)
    if told != (policy.sha256, policy.tender, policy.lot):
        raise InvalidInput("policy.mismatch", "sealed under another policy, tender or lot")
    if isinstance(envelope, Envelope):
        if envelope.stage != policy.stage:
            raise InvalidInput("policy.mismatch", "sealed for another stage")
        if tuple(part.name for part in envelope.parts) != policy.parts:
            raise InvalidInput("policy.mismatch", "the parts are not those of the policy")
    if len(envelope.shares) != policy.n:
        raise InvalidInput("policy.mismatch", f"{len(envelope.shares)} shares for {policy.n} custodians")
    if (envelope.factor_commit is None) == policy.bidder_factor:
        raise InvalidInput("policy.mismatch", "factor_commit does not fit the mode")


def require_withdrawal_policy(withdrawal: Withdrawal, policy: Policy) -> None:
    """Check a withdrawal against the policy of its lot and stage.

    Raises:
        InvalidInput: ``policy.mismatch``.
    """
    told = (withdrawal.policy_sha256, withdrawal.tender, withdrawal.lot, withdrawal.stage)
    if told != (policy.sha256, policy.tender, policy.lot, policy.stage):
        raise InvalidInput("policy.mismatch", "the withdrawal names another policy, tender, lot or stage")
