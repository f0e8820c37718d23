"""Dealing a secret k of n with coefficients derived from it (SB1 S4.2). Shamir over GF(2^8) modulo 0x11b.

Table-driven multiplication is acceptable: it runs on shares about to be revealed and in the bidder's own client.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from trading.kernel.digests import (
    SB1_BIDDER_FACTOR,
    SB1_COEF,
    SB1_POLY,
    SB1_SEED,
    SB1_SHARE_COMMIT,
    tuple_hash,
)

SECRET_BYTES: Final = 32
SHARE_BYTES: Final = SECRET_BYTES + 1
MAX_SHARES: Final = 16
MIN_THRESHOLD: Final = 2
_REDUCTION: Final = 0x11B
_FIELD: Final = 256


def multiply(a: int, b: int) -> int:
    """Return the product of two field elements (0 to 255)."""
    product = 0
    while b:
        if b & 1:
            product ^= a
        a <<= 1
        if a & _FIELD:
            a ^= _REDUCTION
        b >>= 1
    return product


def inverse(a: int) -> int:
    """Return the element whose product with ``a`` (1 to 255) is 1."""
    return _row(a).index(1)


@cache  # as they are needed: a dozen of 256, and every command of an agent would wait for all of them
def _row(factor: int) -> bytes:
    """Return the products of one element with all: the table with which ``bytes.translate`` multiplies a string."""
    return bytes(multiply(factor, x) for x in range(_FIELD))


@dataclass(frozen=True, slots=True, repr=False)
class Dealing:
    """All shares of one secret with their commitments, in index order. No ``repr``: shares are secrets (P10)."""

    shares: tuple[bytes, ...]
    commitments: tuple[bytes, ...]


def hkdf(ikm: bytes, *, salt: bytes, info: bytes) -> bytes:
    """Return 32 bytes of HKDF-SHA-256 (RFC 5869); an empty ``salt`` is the RFC's string of 32 zero bytes."""
    key = hmac.digest(salt or bytes(32), ikm, hashlib.sha256)
    return hkdf_expand(key, info)


def hkdf_expand(key: bytes, info: bytes) -> bytes:
    """Return the first and only 32-byte block of HKDF-Expand with SHA-256."""
    return hmac.digest(key, info + b"\x01", hashlib.sha256)


def polynomial(secret: bytes, ctx: bytes, k: int) -> tuple[bytes, ...]:
    """Return the coefficients coef_1 … coef_(k−1), 32 bytes each, derived from the secret and its context."""
    poly = hkdf(secret, salt=b"", info=SB1_POLY.encode())
    prefix = SB1_COEF.encode() + b"\0"
    return tuple(hkdf_expand(poly, prefix + bytes([j]) + ctx) for j in range(1, k))


def split(secret: bytes, coefficients: Sequence[bytes], n: int) -> tuple[bytes, ...]:
    """Evaluate secret + coef_1·i + coef_2·i² + … for i = 1 … n; each share is 32 bytes and then ``u8(i)``."""
    shares = []
    for i in range(1, n + 1):
        value = int.from_bytes(secret)
        power = 1
        for coefficient in coefficients:
            power = multiply(i, power)
            value ^= int.from_bytes(coefficient.translate(_row(power)))
        shares.append(value.to_bytes(len(secret)) + bytes([i]))
    return tuple(shares)


def deal(secret: bytes, ctx: bytes, k: int, n: int) -> Dealing:
    """Deal a secret of 32 bytes so that any ``k`` of ``n`` shares give it back (SB1 S4.2).

    Everything is a function of the arguments, so whoever learns the secret can re-derive and compare every share.

    Raises:
        ValueError: Not ``2 ≤ k ≤ n ≤ 16``, or a secret of another length. A bug.
    """
    if len(secret) != SECRET_BYTES or not MIN_THRESHOLD <= k <= n <= MAX_SHARES:
        raise ValueError("deal wants a 32-byte secret and 2 ≤ k ≤ n ≤ 16")
    shares = split(secret, polynomial(secret, ctx, k), n)
    return Dealing(shares, tuple(commit_share(share, ctx) for share in shares))


def commit_share(share: bytes, ctx: bytes) -> bytes:
    """Return C_i, the commitment to one share (33 bytes) under its context."""
    return tuple_hash(SB1_SHARE_COMMIT, share, ctx)


def commit_factor(s_b: bytes, ctx: bytes) -> bytes:
    """Return B_b, the commitment to the bidder's factor: the envelope's ``factor_commit`` (SB1 S4.3)."""
    return tuple_hash(SB1_BIDDER_FACTOR, s_b, ctx)


def commit_seed(s_c: bytes, s_b: bytes, ctx: bytes) -> bytes:
    """Return ``seed_commit``; ``s_b`` is empty in factor-off mode (SB1 S4.3)."""
    return tuple_hash(SB1_SEED, s_c, s_b, ctx)


def combine(shares: Sequence[bytes]) -> bytes:
    """Return the secret by Lagrange interpolation at 0 from exactly the shares given (k or more good ones).

    Wrong or too few shares give another value, not an error: the caller compares ``seed_commit`` and every C_i.

    Raises:
        ValueError: Fewer than two shares, x = 0, a repeated x, or unequal lengths.
    """
    points = [share[-1] for share in shares if share]
    lengths = {len(share) for share in shares}
    if len(points) < MIN_THRESHOLD or 0 in points or len(set(points)) != len(shares) or len(lengths) != 1:
        raise ValueError("combine wants at least two shares of one length with distinct x other than 0")
    length = lengths.pop() - 1
    secret = 0
    for share in shares:
        weight = _weight(share[-1], points)
        secret ^= int.from_bytes(share[:-1].translate(_row(weight)))
    return secret.to_bytes(length)


def _weight(x: int, points: Sequence[int]) -> int:
    """Return the Lagrange coefficient of the point ``x`` at 0: the product of m / (m − x) over the other points."""
    weight = 1
    for other in points:
        if other != x:
            weight = multiply(weight, multiply(other, inverse(other ^ x)))
    return weight
