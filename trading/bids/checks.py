"""What is checked of a signed envelope before any transaction, however it has come (SB1 S7.2 items 2 to 5)."""

from __future__ import annotations

from trading.bids.queries import BidTarget
from trading.bids.rules.envelope import Envelope, Withdrawal, parse_envelope, require_policy
from trading.bids.rules.policy import Policy
from trading.crypto.envelope import require_part_shape
from trading.crypto.signatures import SignedDocument, verify_es256
from trading.kernel.digests import sha256
from trading.kernel.errors import InvalidInput, NotFound, RuleBroken
from trading.parties.model import SigningKey
from trading.storage.objects import ObjectStore


def signer(signed: SignedDocument, key: SigningKey | None, organisation: str | None) -> SigningKey:
    """Return ``key`` if the document has one signature, by this registered bidder key of the organisation.

    Raises:
        RuleBroken: ``sig.missing``, ``sig.key_unknown``.
        InvalidInput: ``sig.invalid``.
    """
    if len(signed.sigs) != 1:
        raise RuleBroken("sig.missing", "SB1 S7.2")
    if key is None or key.org_code != organisation or key.role != "bidder":
        raise RuleBroken("sig.key_unknown", "SB1 S7.2", kid=signed.sigs[0]["kid"])
    verify_es256(key.spki, signed.doc, signed.sigs[0])
    return key


def require_active(kid: str, locked: SigningKey | None) -> None:
    """Require that a key, locked for use, is not revoked."""
    if locked is None or not locked.active:
        raise RuleBroken("sig.key_revoked", "P6.2", kid=kid)


def checked_envelope(signed: SignedDocument, target: BidTarget, key: SigningKey, policy: Policy) -> Envelope:
    """Return the envelope that a document holds: of this bid, by this key, under this policy."""
    envelope = parse_envelope(signed.doc)
    require_own(envelope, target, key)
    require_policy(envelope, policy)
    return envelope


def require_own(document: Envelope | Withdrawal, target: BidTarget, key: SigningKey) -> None:
    """Require that an envelope or withdrawal is of this bid and names the key that signed it."""
    head = target.head
    told = (document.bid, document.bidder, document.tender, document.lot, document.stage)
    if told != (head.reference, head.bidder, head.procedure, head.lot, head.stage):
        raise InvalidInput("policy.mismatch", "the document names another bid, bidder, tender, lot or stage")
    if document.bidder_kid != key.kid:
        raise RuleBroken("sig.invalid", "SB1 S7.2", kid=key.kid)


def require_parts(objects: ObjectStore, envelope: Envelope, policy: Policy, stored: dict[str, int]) -> None:
    """S7.2 item 5: every part is stored, its size as stated, its age header and price body of the right shape."""
    for part in envelope.parts:
        if part.sha256 not in stored:
            raise RuleBroken("bid.part_missing", "SB1 S7.2", part=part.name)
        if stored[part.sha256] != part.size:
            raise RuleBroken("bid.part_mismatch", "SB1 S7.2", part=part.name)
        try:
            head = next(objects.chunks(part.sha256), b"")
        except NotFound as error:
            raise RuleBroken("bid.part_missing", "SB1 S7.2", part=part.name) from error
        price_bytes = policy.price_bytes if part.name == "price" else None
        try:
            require_part_shape(head, part.size, price_bytes)
        except InvalidInput as error:
            raise RuleBroken("bid.part_shape", "SB1 S7.2", part=part.name) from error


def fingerprints(envelope: Envelope) -> tuple[tuple[str, bytes], ...]:
    """S7.3 step 5: what no other envelope of the lot may repeat."""
    found = [("seed_commit", envelope.seed_commit)]
    if envelope.factor_commit is not None:
        found.append(("factor_commit", envelope.factor_commit))
    found.extend(("part", bytes.fromhex(part.sha256)) for part in envelope.parts)
    found.extend(("ct", sha256(share.ct)) for share in envelope.shares)
    return tuple(found)
