"""Which records, documents and parts belong to which tier of a bundle (SB1 S11, AL1 L2; docs/bundle-format.md)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Any, Final


class Tier(StrEnum):
    """How much a bundle discloses; each tier contains the one before."""

    PUBLIC = "public"
    BIDDERS = "bidders"
    AUDIT = "audit"


# Documents that say nothing about bids; everything else of a ceremony waits until it is complete.
_ALWAYS: Final = frozenset({"mb.contract", "mb.edition", "mb.notice", "mb.schedule", "sb1.custodian-key", "sb1.policy"})
# Plan and request of a committee tell where and when it meets and which draw serves this procedure, which nobody may
# know before the result (ED1 D5, D11).
_AUDIT_ONLY: Final = frozenset({
    "mb.committee-plan", "mb.draw-request", "mb.evaluation-report", "mb.score-sheet", "sb1.key-disclosure",
    "sb1.rescue",
})  # fmt: skip
_OF_BIDS: Final = frozenset({"sb1.envelope", "sb1.intake-receipt", "sb1.withdrawal"})

# Kinds that are never published alone but are evidence once the opening has made the names public.
_EVIDENCE: Final = frozenset(
    {
        "bid.received",
        "bid.withdrawn",
        "closing.blocked",
        "closing.confirmed",
        "custodian.key_disclosed",
        "deadline.reached",
        "factor.refused",
        "factor.revealed",
        "objection.decided",
        "objection.raised",
        "opening.answered",
        "opening.completed",
        "opening.objected",
        "release.gaps",
        "rescue.accepted",
        "share.adjudicated",
    }
)
# What a ranking follows from: secret while bids are evaluated (87-66). Votes, what bidders said of their prices and the
# members' explanations stay with the auditors.
_OF_RANKING: Final = frozenset(
    {
        "bid.examined",
        "evaluation.extended",
        "evaluation.reported",
        "evaluation.resumed",
        "evaluation.sealed",
        "evaluation.started",
        "explanation.asked",
        "masks.committed",
        "masks.revealed",
        "member.replaced",
        "report.drafted",
        "report.signed",
        "scores.opened",
        "sheet.handed_in",
        "sheet.held",
        "sheet.signed",
        "sheet.voided",
        "sheets.outdated",
        "time.asked",
    }
)
_FROM_PUBLICATION: Final = frozenset({"custodian.challenged", "custodian.proved"})


def shows_record(
    tier: Tier,
    record: Mapping[str, Any],
    *,
    published_kind: bool,
    listed: Collection[str],
    completed: bool,
    ranked: bool,
) -> bool:
    """Say whether a record of a procedure stands in a bundle.

    Args:
        tier: Of the bundle.
        record: The record.
        published_kind: Whether its kind is one that is published with its nonce, (P).
        listed: Bid ids of the newest order; nothing of any other bid is ever shown below the tier ``audit``.
        completed: Whether every ordered opening is over.
        ranked: Whether the evaluation that the record belongs to is over.
    """
    if tier is Tier.AUDIT:
        return True
    bid = record["body"].get("bid")
    if bid is not None and bid not in listed:
        return False
    if published_kind or record["kind"] in _FROM_PUBLICATION:
        return True
    return (completed and record["kind"] in _EVIDENCE) or (ranked and record["kind"] in _OF_RANKING)


def shows_document(
    tier: Tier,
    document: Mapping[str, Any],
    *,
    listed: Collection[str],
    completed: bool,
    opened: Collection[tuple[str, str]] = (),
) -> bool:
    """Say whether a document of a procedure stands in a bundle; arguments as for records.

    ``opened`` are the lots and stages with an open order: of others nobody may learn how many envelopes there were.
    """
    typ = document.get("typ")
    if tier is Tier.AUDIT or typ in _ALWAYS:
        return True
    if not completed or typ in _AUDIT_ONLY:
        return False
    if typ == "sb1.transcript":
        return tier is Tier.BIDDERS and document.get("tier") == "bidders"
    if typ == "sb1.intake-list":
        return (document["lot"], document["stage"]) in opened
    if typ in _OF_BIDS:
        return document.get("bid") in listed
    return True


def shows_part(tier: Tier, name: str, *, completed: bool) -> bool:
    """Say whether a ciphertext stands in a bundle: prices with their identities for bidders, the rest for auditors."""
    if tier is Tier.AUDIT:
        return True
    return completed and tier is Tier.BIDDERS and name == "price"
