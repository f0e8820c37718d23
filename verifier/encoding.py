"""Strict decoders: base64url without padding, base64 with padding, lowercase hex (P2)."""

from __future__ import annotations

import base64
import binascii
import re

B64U_TEXT = re.compile(r"[A-Za-z0-9_-]*\Z")
HEX_TEXT = re.compile(r"(?:[0-9a-f]{2})*\Z")


def b64u_encode(data: bytes) -> str:
    """Return base64url of ``data`` without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def b64u_decode(text: str) -> bytes:
    """Decode base64url; padding, foreign characters and non-zero unused bits are refused.

    Raises:
        ValueError: ``text`` is not the one encoding of some bytes.
    """
    if not B64U_TEXT.match(text) or len(text) % 4 == 1:
        raise ValueError("not base64url")
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if b64u_encode(data) != text:
        raise ValueError("unused bits of base64url are not zero")
    return data


def b64_encode(data: bytes) -> str:
    """Return standard base64 of ``data`` with padding."""
    return base64.b64encode(data).decode()


def b64_decode(text: str) -> bytes:
    """Decode standard base64 with padding, as the C2SP formats use it.

    Raises:
        ValueError: ``text`` is not the one encoding of some bytes.
    """
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError("not base64") from error
    if b64_encode(data) != text:
        raise ValueError("base64 is not canonical")
    return data


def hex_decode(text: str) -> bytes:
    """Decode lowercase hex.

    Raises:
        ValueError: ``text`` has another character or an odd length.
    """
    if not HEX_TEXT.match(text):
        raise ValueError("not lowercase hex")
    return bytes.fromhex(text)
