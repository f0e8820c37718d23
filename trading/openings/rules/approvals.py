"""``sb1.release-approval``: one person of a custodian's institution approves one release (SB1 S13.1, ADR 0056).

It names the order and the list of confirmed bids, so that it approves exactly what will be released and nothing else.
Who counts as a person, and how many must approve, is the institution's own setting in its agent; no server is asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from trading.kernel import fields

TYP: Final = "sb1.release-approval"
RELEASE_APPROVAL: Final = fields.Table(
    TYP,
    {
        "created": fields.instant,
        "custodian": fields.integer(1, 16),
        "factor_list_sha256": fields.nullable(fields.digest),
        "order_sha256": fields.digest,
    },
    limit=4096,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """What a person approves: the release of one custodian for one order under one list (None: factor off)."""

    raw: bytes
    created: int
    custodian: int
    factor_list_sha256: str | None
    order_sha256: str

    @property
    def question(self) -> str:
        """Return the name of what is approved: approvals with the same one add up."""
        return f"{self.order_sha256}:{self.custodian}:{self.factor_list_sha256 or ''}"


def parse_approval(raw: bytes) -> Approval:
    """Admit an approval; raises ``InvalidInput`` with a code of P11."""
    return Approval(raw=raw, **RELEASE_APPROVAL.read(raw))


def make_approval(*, order_sha256: str, factor_list_sha256: str | None, custodian: int, created: int) -> bytes:
    """Return the document that people of a custodian sign; ``created`` in ms."""
    return RELEASE_APPROVAL.write(
        {
            "created": created,
            "custodian": custodian,
            "factor_list_sha256": factor_list_sha256,
            "order_sha256": order_sha256,
        }
    )
