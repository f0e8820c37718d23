"""Readers that the documents of SB1 share, and the base of their frozen values. The tables stand beside the values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from trading.kernel.digests import sha256_hex
from trading.kernel.fields import (
    Reader,
    b64u_of,
    digest,
    hex_of,
    integer,
    matching,
    one_of,
    text,
)

SUITE: Final = "SB1-XWING-AGE"
AGE: Final = "age-encryption.org/v1"
STAGES: Final = ("all", "price", "tech")
REHEARSAL: Final = "rehearsal"
PARTS: Final = ("main", "price")
MAX_CUSTODIANS: Final = 16
MAX_PART: Final = 20 * 1024**3
MAX_ENVELOPE: Final = 64 * 1024
PUBLIC_KEY_BYTES: Final = 1216
SEALED_SHARE_BYTES: Final = 1169

bid_id: Final[Reader] = matching(r"[a-z0-9-]{1,40}")
organisation_code: Final[Reader] = matching(r"[0-9A-Z]{8,32}")
stage: Final[Reader] = one_of(*STAGES)
custodian_role: Final[Reader] = one_of("agency", "operator", "supervisor", "notary", "association", "centre", "other")
suite: Final[Reader] = one_of(SUITE)
public_key: Final[Reader] = b64u_of(PUBLIC_KEY_BYTES)
sealed_share: Final[Reader] = b64u_of(SEALED_SHARE_BYTES)
commitment: Final[Reader] = hex_of(32)
version: Final[Reader] = integer(1)
custodian_index: Final[Reader] = integer(1, MAX_CUSTODIANS)

#: The lot of one tender and the stage of its opening.
PLACE: Final[dict[str, Reader]] = {"lot": text, "stage": stage, "tender": text}
#: The eight fields of the derivation context (SB1 S4.1).
CONTEXT: Final[dict[str, Reader]] = {
    **PLACE,
    "bid": bid_id,
    "bidder": organisation_code,
    "bidder_kid": digest,
    "policy_sha256": digest,
    "seq": version,
}
#: What a price and a manifest repeat of the context (SB1 S5).
SUBJECT: Final[dict[str, Reader]] = {**PLACE, "bid": bid_id, "bidder": organisation_code}


def factor(value: object) -> bytes:
    """Read s_b: 32 bytes of hex, or the empty text of factor-off mode."""
    if value == "":
        return b""
    read: bytes = commitment(value)
    return read


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A parsed document that keeps its exact bytes: after admission nothing else is hashed or signed (P3)."""

    raw: bytes = field(repr=False)

    @property
    def sha256(self) -> str:
        """Return the document's name: hex SHA-256 of its bytes."""
        return sha256_hex(self.raw)
