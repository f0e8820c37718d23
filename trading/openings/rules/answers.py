"""What custodians sign during the ceremony: share checks, releases, key disclosures (SB1 S9.3, S9.4, S9.7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from trading.bids.rules.fields import Document, bid_id, custodian_index, sealed_share
from trading.kernel import fields
from trading.kernel.encoding import b64u
from trading.openings.rules.orders import OpenOrder, bid_of
from trading.openings.rules.verdicts import Check


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckItem:
    """One bid and what the custodian says of its own share of it."""

    bid: str
    code: Check


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareCheck(Document):
    """``sb1.share-check`` as received."""

    created: int
    custodian: int
    items: tuple[CheckItem, ...]
    order_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseItem:
    """One bid and the share sealed to the station, or ``None`` where the custodian has no good share."""

    bid: str
    ct: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareRelease(Document):
    """``sb1.release`` as received: one document for all bids with a valid factor."""

    created: int
    custodian: int
    factor_list_sha256: str | None
    items: tuple[ReleaseItem, ...]
    order_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class KeyDisclosure(Document):
    """``sb1.key-disclosure``: the seed of a share key, for the auditor's eyes. No ``repr``: the seed is a secret."""

    created: int
    custodian: int
    order_sha256: str
    seed: bytes


def _check(value: object) -> Check:
    return Check(fields.one_of(*Check)(value))


_CHECK_ITEM: Final = {"bid": bid_id, "code": _check}
_RELEASE_ITEM: Final = {"bid": bid_id, "ct": fields.nullable(sealed_share)}
CHECK: Final = fields.Table(
    "sb1.share-check",
    {
        "created": fields.instant,
        "custodian": custodian_index,
        "items": fields.sorted_by(bid_of, fields.record(_CHECK_ITEM, CheckItem)),
        "order_sha256": fields.digest,
    },
)
RELEASE: Final = fields.Table(
    "sb1.release",
    {
        "created": fields.instant,
        "custodian": custodian_index,
        "factor_list_sha256": fields.nullable(fields.digest),
        "items": fields.sorted_by(bid_of, fields.record(_RELEASE_ITEM, ReleaseItem)),
        "order_sha256": fields.digest,
    },
)
DISCLOSURE: Final = fields.Table(
    "sb1.key-disclosure",
    {"created": fields.instant, "custodian": custodian_index, "order_sha256": fields.digest, "seed": fields.hex_of(32)},
)


def parse_share_check(raw: bytes) -> ShareCheck:
    """Admit a share check; raises ``InvalidInput`` with a code of P11."""
    return ShareCheck(raw=raw, **CHECK.read(raw))


def parse_release(raw: bytes) -> ShareRelease:
    """Admit a release; raises ``InvalidInput`` with a code of P11."""
    return ShareRelease(raw=raw, **RELEASE.read(raw))


def parse_disclosure(raw: bytes) -> KeyDisclosure:
    """Admit a key disclosure; raises ``InvalidInput`` with a code of P11."""
    return KeyDisclosure(raw=raw, **DISCLOSURE.read(raw))


def make_share_check(order: OpenOrder, codes: Mapping[str, Check], *, custodian: int, created: int) -> bytes:
    """Return the share check of an order; ``codes`` has every bid of it."""
    items = [{"bid": bid, "code": codes[bid].value} for bid in order.bid_ids]
    return CHECK.write({"created": created, "custodian": custodian, "items": items, "order_sha256": order.sha256})


def make_release(
    order: OpenOrder,
    sealed: Mapping[str, bytes | None],
    *,
    custodian: int,
    factor_list_sha256: str | None,
    created: int,
) -> bytes:
    """Return the one release for an order; ``sealed`` has exactly the bids to release for."""
    cts = {bid: sealed[bid] for bid in order.bid_ids if bid in sealed}
    return RELEASE.write(
        {
            "created": created,
            "custodian": custodian,
            "factor_list_sha256": factor_list_sha256,
            "items": [{"bid": bid, "ct": None if ct is None else b64u(ct)} for bid, ct in cts.items()],
            "order_sha256": order.sha256,
        }
    )


def make_disclosure(order_sha256: str, *, custodian: int, seed: bytes, created: int) -> bytes:
    """Return the disclosure of a share key's seed; it travels encrypted to the auditor only (S9.4)."""
    return DISCLOSURE.write(
        {"created": created, "custodian": custodian, "order_sha256": order_sha256, "seed": seed.hex()}
    )


def covers(order: OpenOrder, check: ShareCheck) -> bool:
    """Return whether a share check answers every bid of the order, in its order."""
    return check.order_sha256 == order.sha256 and tuple(item.bid for item in check.items) == order.bid_ids


def releases_exactly(order: OpenOrder, release: ShareRelease, bids: tuple[str, ...]) -> bool:
    """Return whether a release is for this order and for exactly these bids, no subset (S9.7)."""
    return release.order_sha256 == order.sha256 and tuple(item.bid for item in release.items) == bids
