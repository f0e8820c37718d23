"""Documents about the close of a lot: the confirmation that unblocks it (TE1 T5), the intake's list (SB1 S7.6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from trading.bids.rules.fields import PLACE, Document, stage
from trading.kernel.fields import Table, digest, instant, itself, sorted_by, text


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosingConfirmation(Document):
    """``mb.closing-confirmation``, signed by agency and supervisor: close although a trigger of TE1 T6 is met."""

    close: int
    created: int
    lot: str
    reason: str
    stage: str
    tender: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeList(Document):
    """``sb1.intake-list``, signed by the supervisor: the envelopes handed to its intake, in hex, sorted."""

    created: int
    envelopes: tuple[str, ...]
    lot: str
    policy_sha256: str
    stage: str


CLOSING_CONFIRMATION: Final = Table(
    "mb.closing-confirmation", {**PLACE, "close": instant, "created": instant, "reason": text}
)
INTAKE_LIST: Final = Table(
    "sb1.intake-list",
    {
        "created": instant,
        "envelopes": sorted_by(itself, digest),
        "lot": text,
        "policy_sha256": digest,
        "stage": stage,
    },
)


def parse_closing_confirmation(raw: bytes) -> ClosingConfirmation:
    """Parse a ``mb.closing-confirmation``.

    Raises:
        InvalidInput: ``doc.…``.
    """
    return ClosingConfirmation(raw=raw, **CLOSING_CONFIRMATION.read(raw))


def parse_intake_list(raw: bytes) -> IntakeList:
    """Parse a ``sb1.intake-list``.

    Raises:
        InvalidInput: ``doc.…``.
    """
    return IntakeList(raw=raw, **INTAKE_LIST.read(raw))
