"""Codes of the second factor: TOTP (RFC 6238, SHA-1, 30 s, six digits) and recovery codes (security 6.2, 8).

Input is parsed strictly: spaces, full-width and other Unicode digits are refused, not normalised (F55).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from enum import StrEnum
from typing import Final

import pyotp

from trading.kernel.errors import RuleBroken

PERIOD_MS: Final = 30_000  # security 6.2: a code lives in one window of 30 s
RECOVERY_CODES: Final = 10
_SECRET_BYTES: Final = 20  # RFC 4226 section 4, R6
_TOTP: Final = re.compile(r"[0-9]{6}\Z")
_RECOVERY: Final = re.compile(r"[a-z2-7]{5}(?:-[a-z2-7]{5}){2}\Z")


class CodeKind(StrEnum):
    """What a person may type as second factor."""

    TOTP = "totp"
    RECOVERY = "recovery"


def kind_of(code: str) -> CodeKind:
    """Return which kind of code this is by its form alone.

    Raises:
        RuleBroken: ``code.malformed``.
    """
    if _TOTP.match(code):
        return CodeKind.TOTP
    if _RECOVERY.match(code):
        return CodeKind.RECOVERY
    raise RuleBroken("code.malformed")


def new_secret() -> str:
    """Return a fresh TOTP secret in base32."""
    return base64.b32encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def step_at(ms: int) -> int:
    """Return the number of the 30 s window of an instant."""
    return ms // PERIOD_MS


def code_at(secret: str, step: int) -> str:
    """Return the six digits of a window."""
    return pyotp.TOTP(secret).generate_otp(step)


def matches(secret: str, step: int, code: str) -> bool:
    """Whether ``code`` is the code of this very window, compared in constant time."""
    return hmac.compare_digest(code_at(secret, step).encode(), code.encode())


def provisioning_uri(secret: str, *, login: str, issuer: str) -> str:
    """Return the ``otpauth://`` address that authenticator programs read from a QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=login, issuer_name=issuer)


def new_recovery_codes() -> list[str]:
    """Return ten codes of 75 random bits."""
    return [_recovery_code() for _ in range(RECOVERY_CODES)]


def recovery_digest(code: str) -> bytes:
    """Return what is kept of a recovery code. It is random, so a plain hash is enough."""
    return hashlib.sha256(code.encode()).digest()


def _recovery_code() -> str:
    text = base64.b32encode(secrets.token_bytes(10)).decode().lower()[:15]
    return "-".join(text[start : start + 5] for start in range(0, 15, 5))
