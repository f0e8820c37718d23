"""What the supervisor decides during the ceremony: objections and adjudications (SB1 S9.2, S9.4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from trading.bids.rules.fields import Document, bid_id, custodian_index
from trading.kernel import fields
from trading.openings.rules.answers import ShareCheck
from trading.openings.rules.orders import bid_of
from trading.openings.rules.verdicts import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectionDecision(Document):
    """``sb1.objection-decision`` as received; ``decision`` is ``add`` or ``reject``."""

    created: int
    decision: str
    envelope_sha256: str
    objection_h: str
    order_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjudicationItem:
    """One bid that the custodian reported BAD, and what the auditor found."""

    bid: str
    finding: Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjudication(Document):
    """``sb1.adjudication`` as received: the findings about one custodian's claims."""

    created: int
    custodian: int
    items: tuple[AdjudicationItem, ...]
    order_sha256: str


def _finding(value: object) -> Finding:
    return Finding(fields.one_of(*Finding)(value))


OBJECTION_DECISION: Final = fields.Table(
    "sb1.objection-decision",
    {
        "created": fields.instant,
        "decision": fields.one_of("add", "reject"),
        "envelope_sha256": fields.digest,
        "objection_h": fields.digest,
        "order_sha256": fields.digest,
    },
)
_ITEM: Final = {"bid": bid_id, "finding": _finding}
ADJUDICATION: Final = fields.Table(
    "sb1.adjudication",
    {
        "created": fields.instant,
        "custodian": custodian_index,
        "items": fields.sorted_by(bid_of, fields.record(_ITEM, AdjudicationItem), least=1),
        "order_sha256": fields.digest,
    },
)


def parse_objection_decision(raw: bytes) -> ObjectionDecision:
    """Admit a decision on an objection; raises ``InvalidInput`` with a code of P11."""
    return ObjectionDecision(raw=raw, **OBJECTION_DECISION.read(raw))


def parse_adjudication(raw: bytes) -> Adjudication:
    """Admit an adjudication; raises ``InvalidInput`` with a code of P11."""
    return Adjudication(raw=raw, **ADJUDICATION.read(raw))


def make_objection_decision(
    *, add: bool, envelope_sha256: str, objection_h: str, order_sha256: str, created: int
) -> bytes:
    """Return the supervisor's decision on one objection."""
    return OBJECTION_DECISION.write(
        {
            "created": created,
            "decision": "add" if add else "reject",
            "envelope_sha256": envelope_sha256,
            "objection_h": objection_h,
            "order_sha256": order_sha256,
        }
    )


def make_adjudication(order_sha256: str, findings: Mapping[str, Finding], *, custodian: int, created: int) -> bytes:
    """Return the adjudication of one custodian; ``findings`` has every bid it reported BAD."""
    return ADJUDICATION.write(
        {
            "created": created,
            "custodian": custodian,
            "items": [{"bid": bid, "finding": findings[bid].value} for bid in sorted(findings)],
            "order_sha256": order_sha256,
        }
    )


def bad_bids(check: ShareCheck) -> tuple[str, ...]:
    """Return the bids of a share check that need an adjudication."""
    return tuple(item.bid for item in check.items if item.code.is_bad)


def disclosure_allowed(*, k: int, held_by_auditor: int, disclosed_to_auditor: int, completed: bool) -> bool:
    """Return whether one more share key may be disclosed to an auditor (S9.4): at most k − 1 before completion.

    Args:
        k: Threshold of the policy.
        held_by_auditor: Share keys of the policy that the auditor's party holds itself as a custodian.
        disclosed_to_auditor: Keys of other custodians of the policy disclosed to that party so far.
        completed: ``opening.completed`` is logged; then there is no bound.
    """
    return completed or held_by_auditor + disclosed_to_auditor + 1 <= k - 1
