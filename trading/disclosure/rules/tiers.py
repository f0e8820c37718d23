"""Which records, documents and parts belong to which tier of a bundle (SB1 S11, AL1 L2 and L12.1)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final


class Tier(StrEnum):
    """How much a bundle discloses; each tier contains the one before."""

    PUBLIC = "public"
    BIDDERS = "bidders"
    AUDIT = "audit"


# Secrets of all bids; nobody but supervisor and auditors sees them, and only after ``opening.completed``.
_AUDIT_ONLY: Final = frozenset({"sb1.key-disclosure", "sb1.rescue"})
_FROM_OPENING: Final = frozenset(
    {
        "sb1.open-order",
        "sb1.objection-decision",
        "sb1.share-check",
        "sb1.adjudication",
        "sb1.factor-list",
        "sb1.release",
        "sb1.envelope",
        "sb1.withdrawal",
    }
)
# Records that say nothing before the opening but are part of the evidence after it.
_BIDDERS_RECORDS: Final = frozenset(
    {
        "bid.started",
        "bid.received",
        "bid.withdrawn",
        "custodian.challenged",
        "custodian.proved",
        "custodian.key_disclosed",
        "deadline.reached",
        "factor.revealed",
        "factor.refused",
        "key.registered",
        "key.revoked",
        "objection.raised",
        "objection.decided",
        "opening.completed",
        "release.gaps",
        "rescue.accepted",
        "share.adjudicated",
    }
)


def shows_record(tier: Tier, kind: str, *, public_kind: bool, completed: bool) -> bool:
    """Say whether a record of a procedure stands in a bundle of this tier."""
    if tier is Tier.AUDIT:
        return True
    if public_kind:
        return True
    return completed and tier is Tier.BIDDERS and kind in _BIDDERS_RECORDS


def shows_document(tier: Tier, document: Mapping[str, Any], *, completed: bool) -> bool:
    """Say whether a document of a procedure stands in a bundle of this tier.

    ``completed``: the opening is over, so that envelopes, order, checks and releases may be shown to everybody.
    """
    typ = document.get("typ")
    if tier is Tier.AUDIT:
        return True
    if typ == "sb1.transcript":
        return completed and tier is Tier.BIDDERS and document.get("tier") == "bidders"
    if typ in _AUDIT_ONLY:
        return False
    if typ in _FROM_OPENING:
        return completed
    return True


def shows_part(tier: Tier, name: str, *, completed: bool) -> bool:
    """Say whether a ciphertext stands in a bundle: prices with their identities for bidders, the rest for auditors."""
    if tier is Tier.AUDIT:
        return True
    return completed and tier is Tier.BIDDERS and name == "price"
