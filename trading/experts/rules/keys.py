"""The keys of a draw for the auditor, should the centre not hand them over (ED1 D7 Keys)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from trading.bids.rules.fields import Document, public_key, sealed_share
from trading.experts.rules import fields as ed1
from trading.kernel import fields
from trading.kernel.encoding import b64u

#: A key is released this long after the seed even without a result: losing it stops neither walk nor audit.
RELEASE_MS: Final = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyOrder(Document):
    """``ed1.key-order``: the supervisor asks for the shares of K_draw or K_x, sealed to the auditor's key."""

    created: int
    draw: str
    hpke_pk: bytes
    spec_sha256: str
    use: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRelease(Document):
    """``ed1.key-release``: one custodian's share for the auditor."""

    ct: bytes
    custodian: int
    draw: str
    order_sha256: str


KEY_ORDER: Final = fields.Table(
    "ed1.key-order",
    {
        "created": fields.instant,
        "draw": ed1.draw_id,
        "hpke_pk": public_key,
        "spec_sha256": fields.digest,
        "use": fields.one_of(*ed1.ESCROWED),
    },
)
KEY_RELEASE: Final = fields.Table(
    "ed1.key-release",
    {
        "ct": sealed_share,
        "custodian": ed1.custodian_index,
        "draw": ed1.draw_id,
        "order_sha256": fields.digest,
    },
)


def parse_key_order(raw: bytes) -> KeyOrder:
    """Admit a key order; raises ``InvalidInput`` with a code of P11."""
    return KeyOrder(raw=raw, **KEY_ORDER.read(raw))


def parse_key_release(raw: bytes) -> KeyRelease:
    """Admit a key release; raises ``InvalidInput`` with a code of P11."""
    return KeyRelease(raw=raw, **KEY_RELEASE.read(raw))


def make_key_order(*, draw: str, spec_sha256: str, use: str, hpke_pk: bytes, created: int) -> bytes:
    """Return the supervisor's order."""
    return KEY_ORDER.write(
        {"created": created, "draw": draw, "hpke_pk": b64u(hpke_pk), "spec_sha256": spec_sha256, "use": use}
    )


def make_key_release(order: KeyOrder, ct: bytes, *, custodian: int) -> bytes:
    """Return a custodian's answer to a key order."""
    return KEY_RELEASE.write({"ct": b64u(ct), "custodian": custodian, "draw": order.draw, "order_sha256": order.sha256})
