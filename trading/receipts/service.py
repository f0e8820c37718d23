"""Receipts as pages need them: read in full for the one to print, or offered beside what they are of."""

from __future__ import annotations

from functools import lru_cache

from trading.audit.rules.policy import Policy, parse_policy
from trading.audit.rules.proof import ReceiptState, parse_receipt
from trading.audit.service import IssuedReceipt, LogAccess, reader, verified_note
from trading.kernel.errors import IntegrityFailure, InvalidInput
from trading.receipts.model import Offer, Statement, statement


@lru_cache(maxsize=4)
def _policy(text: str) -> Policy | None:
    return parse_policy(text) if text.strip() else None


def read(access: LogAccess, issued: IssuedReceipt) -> Statement:
    """Return what an issued receipt says; its checkpoint is verified by the platform's policy once more.

    Raises:
        IntegrityFailure: The stored checkpoint does not verify.
    """
    policy = _policy(access.witness_policy)
    try:
        note = parse_receipt(issued.text).checkpoint
        verified = None if policy is None else verified_note(note, access.origin, policy)
        return statement(issued.text, issued.state, verified)
    except InvalidInput as error:
        raise IntegrityFailure(f"receipt of entry {issued.n}: {error}") from error


def offer(access: LogAccess, *, kind: str, lot: str | None, at: int, h: str, n: int | None) -> Offer:
    """Return the offer of a record's receipt; ``n`` is None while its position is not told."""
    found = None if n is None else reader(access.log_dir).covering(n)
    state = ReceiptState.ACKNOWLEDGED if found is None else found[2]
    return Offer(kind=kind, lot=lot, at=at, h=h, n=n, state=None if n is None else state)
