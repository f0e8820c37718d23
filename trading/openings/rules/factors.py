"""Factors, the list of them, and rescues (SB1 S9.5, S9.6)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from trading.bids.rules.fields import Document, bid_id, commitment, factor
from trading.kernel import fields
from trading.openings.rules.orders import OpenOrder, bid_of


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Factor(Document):
    """``sb1.factor``: unsigned, since only the bidder can know a preimage of B_b. No ``repr``: ``s_b`` is a secret."""

    bid: str
    envelope_sha256: str
    s_b: bytes


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Rescue(Document):
    """``sb1.rescue``: the bidder gives its own secrets in place of missing shares. ``s_b`` is empty with factor off."""

    bid: str
    envelope_sha256: str
    s_b: bytes
    s_c: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorAck(Document):
    """``sb1.factor-ack``: supervisor or custodian has the factor and forwards it."""

    bid: str
    created: int
    envelope_sha256: str
    factor_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorItem:
    """One bid of the factor list; ``result`` is ``valid`` or ``missing``."""

    bid: str
    envelope_sha256: str
    result: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorList(Document):
    """``sb1.factor-list`` as received: whose factors were revealed in the window."""

    created: int
    items: tuple[FactorItem, ...]
    order_sha256: str

    @property
    def valid_bids(self) -> tuple[str, ...]:
        """Return the bids to release for, in the order of the order."""
        return tuple(item.bid for item in self.items if item.result == "valid")


_SECRET: Final = commitment  # same form: 32 bytes of hex
_ITEM: Final = {"bid": bid_id, "envelope_sha256": fields.digest, "result": fields.one_of("valid", "missing")}
FACTOR: Final = fields.Table("sb1.factor", {"bid": bid_id, "envelope_sha256": fields.digest, "s_b": _SECRET})
RESCUE: Final = fields.Table(
    "sb1.rescue", {"bid": bid_id, "envelope_sha256": fields.digest, "s_b": factor, "s_c": _SECRET}
)
FACTOR_ACK: Final = fields.Table(
    "sb1.factor-ack",
    {"bid": bid_id, "created": fields.instant, "envelope_sha256": fields.digest, "factor_sha256": fields.digest},
)
FACTOR_LIST: Final = fields.Table(
    "sb1.factor-list",
    {
        "created": fields.instant,
        "items": fields.sorted_by(bid_of, fields.record(_ITEM, FactorItem)),
        "order_sha256": fields.digest,
    },
)


def parse_factor(raw: bytes) -> Factor:
    """Admit a factor; raises ``InvalidInput`` with a code of P11. Whether it fits B_b is the caller's question."""
    return Factor(raw=raw, **FACTOR.read(raw))


def parse_rescue(raw: bytes) -> Rescue:
    """Admit a rescue; raises ``InvalidInput`` with a code of P11. Whether it re-derives is the caller's question."""
    return Rescue(raw=raw, **RESCUE.read(raw))


def parse_factor_ack(raw: bytes) -> FactorAck:
    """Admit an acknowledgement; raises ``InvalidInput`` with a code of P11."""
    return FactorAck(raw=raw, **FACTOR_ACK.read(raw))


def parse_factor_list(raw: bytes) -> FactorList:
    """Admit a factor list; raises ``InvalidInput`` with a code of P11."""
    return FactorList(raw=raw, **FACTOR_LIST.read(raw))


def make_factor(bid: str, envelope_sha256: str, s_b: bytes) -> bytes:
    """Return the document by which a bidder reveals its factor."""
    return FACTOR.write({"bid": bid, "envelope_sha256": envelope_sha256, "s_b": s_b.hex()})


def make_rescue(bid: str, envelope_sha256: str, *, s_b: bytes, s_c: bytes) -> bytes:
    """Return the document by which a bidder rescues its bid."""
    return RESCUE.write({"bid": bid, "envelope_sha256": envelope_sha256, "s_b": s_b.hex(), "s_c": s_c.hex()})


def make_factor_ack(factor: Factor, *, created: int) -> bytes:
    """Return the acknowledgement of a factor handed to supervisor or custodian."""
    return FACTOR_ACK.write(
        {
            "bid": factor.bid,
            "created": created,
            "envelope_sha256": factor.envelope_sha256,
            "factor_sha256": factor.sha256,
        }
    )


def make_factor_list(order: OpenOrder, valid: Collection[str], *, created: int) -> bytes:
    """Return the list of an order; ``valid`` are the bids with ``factor.revealed`` in the window."""
    items = [
        {"bid": bid.bid, "envelope_sha256": bid.envelope_sha256, "result": "valid" if bid.bid in valid else "missing"}
        for bid in order.bids
    ]
    return FACTOR_LIST.write({"created": created, "items": items, "order_sha256": order.sha256})


def lists_exactly(order: OpenOrder, factors: FactorList) -> bool:
    """Return whether a list has exactly the bids and envelopes of the order, in its order."""
    listed = [(item.bid, item.envelope_sha256) for item in factors.items]
    return listed == [(bid.bid, bid.envelope_sha256) for bid in order.bids]
