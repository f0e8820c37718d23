"""Strict base64url without padding (P2) and standard base64 (C2SP formats), with zero unused bits."""

from __future__ import annotations

import base64
import binascii
import re

_B64U = re.compile(r"[A-Za-z0-9_-]*\Z")
_HEX = re.compile(r"(?:[0-9a-f]{2})*\Z")


def b64u(data: bytes) -> str:
    """Encode as base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def b64u_decode(text: str) -> bytes:
    """Decode strictly: no padding, no other alphabet, zero unused bits.

    Raises:
        ValueError: Anything else.
    """
    if not _B64U.match(text) or len(text) % 4 == 1:
        raise ValueError("not base64url without padding")
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if b64u(data) != text:
        raise ValueError("unused bits of base64url are not zero")
    return data


def b64(data: bytes) -> str:
    """Encode as standard base64 with padding."""
    return base64.b64encode(data).decode()


def b64_decode(text: str) -> bytes:
    """Decode standard base64 strictly: padding present, zero unused bits.

    Raises:
        ValueError: Anything else.
    """
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError("not standard base64") from error
    if b64(data) != text:
        raise ValueError("not canonical base64")
    return data


def hex_bytes(text: str, length: int | None = None) -> bytes:
    """Decode lowercase hex, optionally of an exact length in bytes.

    Raises:
        ValueError: Upper case, odd length, wrong length.
    """
    if not _HEX.match(text) or (length is not None and len(text) != 2 * length):
        raise ValueError("not lowercase hex of the right length")
    return bytes.fromhex(text)
