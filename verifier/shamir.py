"""Shamir sharing over GF(2^8) modulo 0x11b, byte by byte, the x coordinate last in a share (SB1 S4.2).

It runs on shares that are already revealed, so tables and data-dependent lookups do no harm here.
"""

from __future__ import annotations

from collections.abc import Sequence

SHARE_BYTES = 33


def gf_multiply(left: int, right: int) -> int:
    """Return the product of two bytes in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1."""
    product = 0
    while right:
        if right & 1:
            product ^= left
        left <<= 1
        if left & 0x100:
            left ^= 0x11B
        right >>= 1
    return product


def gf_inverse(value: int) -> int:
    """Return the inverse of a non-zero byte: value^254."""
    result, power = 1, value
    for _ in range(7):
        power = gf_multiply(power, power)
        result = gf_multiply(result, power)
    return result


def split_secret(secret: bytes, coefficients: Sequence[bytes], count: int) -> list[bytes]:
    """Return ``count`` shares of ``secret`` under the given polynomial coefficients of degree 1, 2 and so on."""
    shares = []
    for x in range(1, count + 1):
        value = bytes(len(secret))
        for row in [*reversed(coefficients), secret]:
            value = bytes(gf_multiply(y, x) ^ byte for y, byte in zip(value, row))
        shares.append(value + bytes([x]))
    return shares


def combine_shares(shares: Sequence[bytes]) -> bytes:
    """Return the secret of shares with distinct, non-zero x coordinates (Lagrange at 0).

    Raises:
        ValueError: Lengths differ, or coordinates repeat or are zero.
    """
    points = [share[-1] for share in shares]
    if len({len(share) for share in shares}) != 1 or len(set(points)) != len(points) or 0 in points:
        raise ValueError("shares do not belong together")
    secret = bytes(len(shares[0]) - 1)
    for share, x in zip(shares, points):
        weight = 1
        for other in points:
            if other != x:
                weight = gf_multiply(weight, gf_multiply(other, gf_inverse(other ^ x)))
        secret = bytes(total ^ gf_multiply(weight, byte) for total, byte in zip(secret, share[:-1]))
    return secret
