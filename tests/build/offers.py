"""Receipts as pages offer them: of records in the log, and of those whose place is not told yet."""

from __future__ import annotations

from trading.audit.rules.proof import ReceiptState
from trading.kernel.digests import sha256_hex
from trading.receipts.service import Offer


def offers(
    *kinds: str, at: int, lot: str | None = "1", state: ReceiptState | None = ReceiptState.WITNESSED
) -> list[Offer]:
    """Return an offer for each kind, a second apart; without a position where ``state`` is None."""
    return [
        Offer(
            kind=kind,
            lot=lot,
            at=at + 1000 * place,
            h=sha256_hex(f"{kind} {place}".encode()),
            n=None if state is None else 184_201 + place,
            state=state,
        )
        for place, kind in enumerate(kinds)
    ]
