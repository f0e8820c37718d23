"""What the platform returned, judged by the bidder's own trust file before anything is called received (AL1 L8)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from agents.history import origins, verify_logged
from trading.audit.rules.proof import VerifiedReceipt
from trading.bids.rules.trust import TrustFile
from trading.crypto.signatures import SignedDocument, verify_signature
from trading.kernel import fields
from trading.kernel.errors import InvalidInput

ACK: Final = fields.Table(
    "mb.ack",
    {
        "code": fields.nullable(fields.text),
        "decision": fields.one_of("accepted", "refused"),
        "doc_sha256": fields.digest,
        "h": fields.digest,
        "origin": fields.text,
        "promise_ms": fields.duration,
        "received_at": fields.instant,
    },
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What an acknowledgement and a record must say for the holder to call them his.

    ``sent_sha256`` names the document that was sent, in the acknowledgement; ``named_sha256`` stands in the record's
    body under ``field``: the same document, or for a factor or rescue the envelope it is about.
    """

    kind: str
    field: str
    bid: str
    sent_sha256: str
    named_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """A parsed acknowledgement; ``received_at`` in ms. ``verified``: signed by a key of the trust file (L8.4).

    An acknowledgement key that stands only in the log is believed when the log can be read, so without it this is a
    promise to keep, not a proof.
    """

    code: str | None
    decision: str
    doc_sha256: str
    h: str
    origin: str
    promise_ms: int
    received_at: int
    verified: bool


def read_ack(signed: SignedDocument, trust: TrustFile, sent_sha256: str) -> Ack:
    """Admit an acknowledgement of a document, given in the log of the trust file or in one before it.

    Raises:
        InvalidInput: ``doc.…``, ``sig.missing``, ``sig.invalid``, or ``ack.mismatch`` for another document or log.
    """
    ack = Ack(**ACK.read(signed.doc), verified=_is_pinned(signed, trust))
    if ack.doc_sha256 != sent_sha256 or ack.origin not in origins(trust):
        raise InvalidInput("ack.mismatch", "the acknowledgement is of another document or log")
    if not signed.sigs:
        raise InvalidInput("sig.missing", "the acknowledgement is not signed")
    return ack


def _is_pinned(signed: SignedDocument, trust: TrustFile) -> bool:
    for signature in signed.sigs:
        institution = trust.institution(signature["kid"])
        if institution is not None and institution.role == "ack":
            verify_signature(institution.alg, institution.key, signed.doc, signature)
            return True
    return False


def check_receipt(data: bytes, trust: TrustFile, expected: Expected) -> VerifiedReceipt:
    """Verify a receipt against the trust file, and that its record says what the holder expects (L8.3 items 1 to 5).

    A receipt of a log that was closed stays what it was: it is judged by the keys of that log (AL1 L13).

    Raises:
        InvalidInput: What is wrong; ``receipt.other_record`` for a good receipt of something else.
    """
    verified = verify_logged(trust, data)
    body: dict[str, Any] = verified.record["body"]
    told = (verified.record["kind"], body.get(expected.field), body.get("bid"))
    if told != (expected.kind, expected.named_sha256, expected.bid):
        raise InvalidInput("receipt.other_record", "the receipt is genuine but of another record than this document's")
    return verified


def of_version(typ: str, doc_sha256: str, bid: str) -> Expected:
    """Return what the record of an envelope or withdrawal must say."""
    withdrawn = typ == "sb1.withdrawal"
    return Expected(
        kind="bid.withdrawn" if withdrawn else "bid.received",
        field="withdrawal_sha256" if withdrawn else "envelope_sha256",
        bid=bid,
        sent_sha256=doc_sha256,
        named_sha256=doc_sha256,
    )
