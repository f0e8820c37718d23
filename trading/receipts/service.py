"""Receipts as pages need them: read in full for the one to print, or offered beside what they are of."""

from __future__ import annotations

from dataclasses import dataclass

from trading.audit.rules.proof import ReceiptState, parse_receipt
from trading.audit.service import IssuedReceipt, LogAccess, policy_of, reader, verified_of_any
from trading.kernel.errors import IntegrityFailure, InvalidInput
from trading.receipts.model import Statement, statement
from trading.storage.tokens import TokenName


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A public record whose receipt a page offers: its kind, lot and instant, and its commitment in hex.

    ``n`` and ``state`` are None while positions of the procedure are not told (NOT-36): a receipt names its position.
    ``tokens`` are the time stamps over the checkpoint of the receipt.
    """

    kind: str
    lot: str | None
    at: int
    h: str
    n: int | None
    state: ReceiptState | None
    tokens: tuple[TokenName, ...] = ()


def read(access: LogAccess, issued: IssuedReceipt) -> Statement:
    """Return what an issued receipt says; its checkpoint is verified by the platform's policy once more.

    Raises:
        IntegrityFailure: The stored checkpoint does not verify.
    """
    policy = policy_of(access.witness_policy)
    try:
        note = parse_receipt(issued.text).checkpoint
        verified = None if policy is None else verified_of_any(access, note, policy)
        return statement(issued.text, issued.state, verified)
    except InvalidInput as error:
        raise IntegrityFailure(f"receipt of entry {issued.n}: {error}") from error


def offer(access: LogAccess, *, kind: str, lot: str | None, at: int, h: str, n: int | None) -> Offer:
    """Return the offer of a record's receipt; ``n`` is None while its position is not told."""
    if n is None:
        return Offer(kind=kind, lot=lot, at=at, h=h, n=None, state=None)
    log = reader(access.log_dir)
    found = log.best(n)
    if found is None:
        return Offer(kind=kind, lot=lot, at=at, h=h, n=n, state=ReceiptState.ACKNOWLEDGED)
    return Offer(kind=kind, lot=lot, at=at, h=h, n=n, state=found[2], tokens=log.tokens_of(n, found))
