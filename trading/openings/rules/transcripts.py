"""``sb1.transcript``: what the ceremony found, in two tiers (SB1 S9.9, S11).

The tier ``bidders`` lets every bidder check every price it heard, and no more; ``audit`` holds all secrets of the bids.
``sb1.audit-item`` is the row of one bid out of the latter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from trading.bids.rules.fields import Document, bid_id, custodian_index
from trading.kernel import fields
from trading.kernel.canonical import loads_object
from trading.openings.rules.orders import OpenOrder, bid_of
from trading.openings.rules.verdicts import Code, Fault, FaultCode

_SHARE_BYTES: Final = 33


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class TranscriptItem:
    """One bid. What it does not have is ``None``; what its tier does not show is ``None`` or empty, too."""

    bid: str
    envelope_sha256: str
    faults: tuple[Fault, ...]
    identity_price: str | None
    verdict: Code
    identity_main: str | None = None
    manifest_sha256: str | None = None
    price_sha256: str | None = None
    s_b: bytes | None = None
    s_c: bytes | None = None
    shares: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript(Document):
    """A transcript as received; ``release_sha256s`` by custodian, used ones only."""

    created: int
    items: tuple[TranscriptItem, ...]
    order_sha256: str
    release_sha256s: tuple[str, ...]
    tier: str


def _verdict(value: object) -> Code:
    return Code(fields.one_of(*Code)(value))


def _fault(code: str, custodian: int) -> Fault:
    return Fault(code=FaultCode(code), custodian=custodian)


def _custodian_of(fault: Fault) -> int:
    return fault.custodian


def _last_byte(share: bytes) -> int:
    return share[-1]


_IDENTITY: Final = fields.nullable(fields.matching(r"AGE-SECRET-KEY-1[0-9A-Z]{58}"))
_BIDDERS: Final[Mapping[str, fields.Reader]] = {
    "bid": bid_id,
    "envelope_sha256": fields.digest,
    "faults": fields.sorted_by(
        _custodian_of, fields.record({"code": fields.one_of(*FaultCode), "custodian": custodian_index}, _fault)
    ),
    "identity_price": _IDENTITY,
    "verdict": _verdict,
}
_AUDIT: Final[Mapping[str, fields.Reader]] = {
    **_BIDDERS,
    "identity_main": _IDENTITY,
    "manifest_sha256": fields.nullable(fields.digest),
    "price_sha256": fields.nullable(fields.digest),
    "s_b": fields.nullable(fields.hex_of(32)),
    "s_c": fields.nullable(fields.hex_of(32)),
    "shares": fields.sorted_by(_last_byte, fields.hex_of(_SHARE_BYTES)),
}


def _table(tier: str, item: Mapping[str, fields.Reader]) -> fields.Table:
    return fields.Table(
        "sb1.transcript",
        {
            "created": fields.instant,
            "items": fields.sorted_by(bid_of, fields.record(item, TranscriptItem)),
            "order_sha256": fields.digest,
            "release_sha256s": fields.array(fields.digest, most=16),
            "tier": fields.one_of(tier),
        },
    )


BIDDERS: Final = _table("bidders", _BIDDERS)
AUDIT: Final = _table("audit", _AUDIT)


AUDIT_ITEM: Final = fields.Table(
    "sb1.audit-item",
    {"item": fields.record(_AUDIT), "order_sha256": fields.digest, "transcript_sha256": fields.digest},
)


def parse_transcript(raw: bytes) -> Transcript:
    """Admit a transcript of either tier; raises ``InvalidInput`` with a code of P11."""
    table = AUDIT if loads_object(raw).get("tier") == "audit" else BIDDERS
    return Transcript(raw=raw, **table.read(raw))


def make_transcript(
    order: OpenOrder,
    items: Sequence[TranscriptItem],
    *,
    tier: str,
    release_sha256s: Sequence[str],
    created: int,
) -> bytes:
    """Return the transcript of a tier; ``items`` are in the order of the order, with everything that is known."""
    table, shown = (AUDIT, _AUDIT) if tier == "audit" else (BIDDERS, _BIDDERS)
    if tuple(item.bid for item in items) != order.bid_ids:
        raise ValueError("a transcript has exactly the bids of the order, in its order")
    return table.write(
        {
            "created": created,
            "items": [{name: value for name, value in _as_json(item).items() if name in shown} for item in items],
            "order_sha256": order.sha256,
            "release_sha256s": list(release_sha256s),
            "tier": tier,
        }
    )


def make_audit_item(transcript: Transcript, bid: str) -> bytes | None:
    """Return what the audit transcript says of one bid as a document of its own; ``None`` if it does not list the bid.

    It is for the bidder of that bid (S11) and unsigned: shares equal their C_i, secrets their commitments in the signed
    envelope, verdict and faults those of the log. Left out or changed values are found by recomputing the verdict.
    """
    item = next((item for item in transcript.items if item.bid == bid), None)
    if item is None:
        return None
    return AUDIT_ITEM.write(
        {"item": _as_json(item), "order_sha256": transcript.order_sha256, "transcript_sha256": transcript.sha256}
    )


def _as_json(item: TranscriptItem) -> dict[str, Any]:
    return {
        "bid": item.bid,
        "envelope_sha256": item.envelope_sha256,
        "faults": [fault.as_json() for fault in item.faults],
        "identity_main": item.identity_main,
        "identity_price": item.identity_price,
        "manifest_sha256": item.manifest_sha256,
        "price_sha256": item.price_sha256,
        "s_b": None if item.s_b is None else item.s_b.hex(),
        "s_c": None if item.s_c is None else item.s_c.hex(),
        "shares": [share.hex() for share in item.shares],
        "verdict": item.verdict.value,
    }
