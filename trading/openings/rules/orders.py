"""``sb1.open-order``: which bids are opened, for which station (SB1 S9.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from trading.bids.rules.fields import PLACE, Document, bid_id, organisation_code, public_key, version
from trading.kernel import fields
from trading.kernel.encoding import b64u


def bid_of(item: Any) -> str:  # noqa: ANN401 - an item of any of the documents
    """Return the key by which items are sorted: the order of the order."""
    bid: str = item.bid
    return bid


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderedBid:
    """One bid to open. ``n`` is the log index of its ``bid.received``; ``objection_h``: an objection added it."""

    bid: str
    bidder: str
    envelope_sha256: str
    h: str
    n: int
    objection_h: str | None
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OmittedBid:
    """A bid of the manifest that is not opened because it was rejected at the first stage (S9.10)."""

    bid: str
    envelope_sha256: str
    h: str
    rejected_h: str
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenOrder(Document):
    """An order as received; ``checkpoint`` is the text of a witnessed note."""

    bids: tuple[OrderedBid, ...]
    bids_root: str
    checkpoint: str
    close: int
    closed_h: str
    closed_n: int
    created: int
    lot: str
    omitted: tuple[OmittedBid, ...]
    policy_sha256: str
    schedule_sha256: str
    seq: int
    stage: str
    station_pk: bytes
    supersedes: str | None
    tender: str

    @property
    def bid_ids(self) -> tuple[str, ...]:
        """Return the ids of the bids to open, in order."""
        return tuple(bid.bid for bid in self.bids)


_ORDERED: Final = {
    "bid": bid_id,
    "bidder": organisation_code,
    "envelope_sha256": fields.digest,
    "h": fields.digest,
    "n": fields.integer(0),
    "objection_h": fields.nullable(fields.digest),
    "seq": version,
}
_OMITTED: Final = {
    "bid": bid_id,
    "envelope_sha256": fields.digest,
    "h": fields.digest,
    "rejected_h": fields.digest,
    "seq": version,
}
ORDER: Final = fields.Table(
    "sb1.open-order",
    {
        **PLACE,
        "bids": fields.sorted_by(bid_of, fields.record(_ORDERED, OrderedBid)),
        "bids_root": fields.digest,
        "checkpoint": fields.text,
        "close": fields.instant,
        "closed_h": fields.digest,
        "closed_n": fields.integer(0),
        "created": fields.instant,
        "omitted": fields.sorted_by(bid_of, fields.record(_OMITTED, OmittedBid)),
        "policy_sha256": fields.digest,
        "schedule_sha256": fields.digest,
        "seq": version,
        "station_pk": public_key,
        "supersedes": fields.nullable(fields.digest),
    },
)


def parse_order(raw: bytes) -> OpenOrder:
    """Admit an order; raises ``InvalidInput`` with a code of P11."""
    return OpenOrder(raw=raw, **ORDER.read(raw))


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedLot:
    """What the close record fixes for every order of a lot and stage (``tender.closed``, SB1 S8)."""

    tender: str
    lot: str
    stage: str
    close: int
    bids_root: str
    policy_sha256: str
    schedule_sha256: str
    h: str
    n: int


def make_order(
    closed: ClosedLot,
    bids: Sequence[OrderedBid],
    *,
    checkpoint: str,
    station_pk: bytes,
    created: int,
    omitted: Sequence[OmittedBid] = (),
    previous: OpenOrder | None = None,
) -> bytes:
    """Return the bytes of the next order; ``previous`` is the newest one or ``None`` for the first."""
    return ORDER.write(
        {
            "bids": [asdict(bid) for bid in sorted(bids, key=bid_of)],
            "bids_root": closed.bids_root,
            "checkpoint": checkpoint,
            "close": closed.close,
            "closed_h": closed.h,
            "closed_n": closed.n,
            "created": created,
            "lot": closed.lot,
            "omitted": [asdict(bid) for bid in sorted(omitted, key=bid_of)],
            "policy_sha256": closed.policy_sha256,
            "schedule_sha256": closed.schedule_sha256,
            "seq": 1 if previous is None else previous.seq + 1,
            "stage": closed.stage,
            "station_pk": b64u(station_pk),
            "supersedes": None if previous is None else previous.sha256,
            "tender": closed.tender,
        }
    )
