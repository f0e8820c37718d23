"""One custodian's view of one envelope: is it valid, and does its own share open and fit C_i? (SB1 S9.3, S6.4)."""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from agents.custodian.evidence import Evidence
from agents.custodian.orders import Question
from agents.enrolments import EnrolledKey, read_enrolment
from trading.bids.rules.context import BidContext
from trading.bids.rules.envelope import Envelope, SealedShare, parse_envelope, require_policy
from trading.crypto.keys import XWingPrivateKey, share_info
from trading.crypto.shares import SHARE_BYTES, commit_share
from trading.crypto.signatures import sig_sha256, verify_signature
from trading.custody.rules.jobs import Job
from trading.experts.rules.contributions import Context, DealtShare
from trading.kernel.errors import InvalidInput
from trading.openings.rules.orders import OrderedBid
from trading.openings.rules.verdicts import Check


@dataclass(frozen=True, slots=True, repr=False)
class OpenedShare:
    """The code of a share check, and the share itself only if the code is ``ok``. No ``repr``: it is a secret."""

    code: Check
    share: bytes | None


def open_share(key: XWingPrivateKey, sealed: SealedShare | DealtShare, context: BidContext | Context) -> OpenedShare:
    """Open one's own share under the context of a bid or of a draw and compare it with its commitment (S9.3)."""
    ctx = context.bytes()
    try:
        share = key.open(share_info(sealed.i, ctx), sealed.ct)
    except InvalidInput:
        return OpenedShare(Check.HPKE_OPEN_FAILED, None)
    if len(share) != SHARE_BYTES:
        return OpenedShare(Check.BAD_LENGTH, None)
    if share[-1] != sealed.i:
        return OpenedShare(Check.BAD_INDEX, None)
    if not hmac.compare_digest(commit_share(share, ctx), sealed.c):
        return OpenedShare(Check.COMMIT_MISMATCH, None)
    return OpenedShare(Check.OK, share)


def bidder_keys(job: Job) -> dict[str, EnrolledKey]:
    """Return the keys that travel with a job, by ``kid``."""
    keys = (read_enrolment(signed.doc) for signed in job.of_type("mb.key-enrol"))
    return {key.kid: key for key in keys}


def valid_envelope(
    job: Job, evidence: Evidence, question: Question, bid: OrderedBid, keys: dict[str, EnrolledKey]
) -> Envelope | None:
    """Return the envelope of an ordered bid, or ``None`` if it fails S7.2 items 2 to 4 or its key was not valid there.

    Raises:
        InvalidInput: ``job.incomplete``: what is needed to judge it is missing. That is the platform's doing and must
            not make the envelope look invalid, nor the custodian look wrong.
    """
    signed = job.document(bid.envelope_sha256)
    try:
        envelope = parse_envelope(signed.doc)
        require_policy(envelope, question.policy)
    except InvalidInput:
        return None
    if (envelope.bid, envelope.bidder, envelope.seq) != (bid.bid, bid.bidder, bid.seq):
        return None
    key = keys.get(envelope.bidder_kid)
    if key is None:
        raise InvalidInput("job.incomplete", f"the bidder's key of {bid.bid} is missing", bid=bid.bid)
    received = evidence.at(bid.n, bid.h, "bid.received")
    recorded = [signature for signature in signed.sigs if sig_sha256(signature) == received.body.get("sig_sha256")]
    if not recorded:
        raise InvalidInput("job.incomplete", f"the recorded signature of {bid.bid} is missing", bid=bid.bid)
    try:
        verify_signature(key.alg, key.key, signed.doc, recorded[0])
    except InvalidInput:
        return None
    return envelope if _was_valid(evidence, envelope, bid) else None


def _was_valid(evidence: Evidence, envelope: Envelope, bid: OrderedBid) -> bool:
    """Whether the key was a registered bidder's key of that organisation at the position of the bid (P6.2)."""
    registered = [
        record
        for record in evidence.records
        if record.kind == "key.registered" and record.body.get("kid") == envelope.bidder_kid
    ]
    if not registered:
        raise InvalidInput("job.incomplete", f"key.registered of {bid.bid} is missing", bid=bid.bid)
    revoked = [
        record.n
        for record in evidence.records
        if record.kind == "key.revoked" and record.body.get("kid") == envelope.bidder_kid
    ]
    first = registered[0]
    told = (first.body.get("role"), first.body.get("org"))
    return told == ("bidder", envelope.bidder) and first.n < bid.n and not any(n < bid.n for n in revoked)
