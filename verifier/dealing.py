"""What follows from the secrets of a sealed bid: shares, commitments, identities (SB1 S4.1 to S4.4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

from verifier.bech32 import bech32_encode
from verifier.canonical import canonical_bytes
from verifier.hashing import (
    LABEL_AGE_X25519,
    LABEL_BIDDER_FACTOR,
    LABEL_COEF,
    LABEL_FILE,
    LABEL_POLY,
    LABEL_SEED,
    LABEL_SHARE_COMMIT,
    digest,
    tuple_hash,
)
from verifier.shamir import split_secret

CONTEXT_FIELDS = ("bid", "bidder", "bidder_kid", "lot", "policy_sha256", "seq", "stage", "tender")


@dataclass(frozen=True)
class Dealing:
    """Everything that ``s_c`` and ``s_b`` determine under one context."""

    shares: list[bytes]
    commitments: list[bytes]
    seed_commit: bytes


def context_of(envelope: dict[str, Any]) -> bytes:
    """Return ``ctx``, the canonical bytes of the eight context fields of an envelope or withdrawal (S4.1)."""
    return canonical_bytes({field: envelope[field] for field in CONTEXT_FIELDS})


def deal(s_c: bytes, s_b: bytes, context: bytes, k: int, count: int) -> Dealing:
    """Re-derive all shares of ``s_c``, their commitments and the seed commitment (S4.2, S4.3)."""
    poly = HKDF(SHA256(), 32, None, LABEL_POLY.encode()).derive(s_c)
    coefficients = [
        HKDFExpand(SHA256(), 32, LABEL_COEF.encode() + b"\0" + bytes([j]) + context).derive(poly) for j in range(1, k)
    ]
    shares = split_secret(s_c, coefficients, count)
    commitments = [share_commitment(share, context) for share in shares]
    return Dealing(shares, commitments, tuple_hash(LABEL_SEED, s_c, s_b, context))


def share_commitment(share: bytes, context: bytes) -> bytes:
    """Return ``C_i`` of a 33-byte share."""
    return tuple_hash(LABEL_SHARE_COMMIT, share, context)


def factor_commitment(s_b: bytes, context: bytes) -> bytes:
    """Return ``B_b``, the envelope field ``factor_commit``."""
    return tuple_hash(LABEL_BIDDER_FACTOR, s_b, context)


def part_identity(part: str, s_c: bytes, s_b: bytes, context: bytes) -> str:
    """Return the age identity string of a part (S4.4)."""
    info = (LABEL_AGE_X25519 + part).encode()
    scalar = HKDF(SHA256(), 32, digest(context), info).derive(s_c + s_b)
    return bech32_encode("age-secret-key-", scalar).upper()


def file_digest(salt: bytes, path: str, content_sha256: bytes) -> bytes:
    """Return the salted digest of a file in the manifest of part ``main`` (S5.2)."""
    return tuple_hash(LABEL_FILE, salt, path.encode(), content_sha256)
