"""Small age files addressed to one published X25519 recipient, e.g. an auditor's (SB1 S9.4, S13.2)."""

from __future__ import annotations

import pyrage  # type: ignore[import-untyped]  # a compiled module without stubs
from pyrage import x25519 as age_x25519

from trading.kernel.errors import InvalidInput


def encrypt_to(recipient: str, plaintext: bytes) -> bytes:
    """Return an age file that only the holder of ``age1…`` opens.

    Raises:
        InvalidInput: ``age.bad_recipient``.
    """
    try:
        parsed = age_x25519.Recipient.from_str(recipient)
    except pyrage.RecipientError as error:
        raise InvalidInput("age.bad_recipient", "not an age recipient (age1…)") from error
    return bytes(pyrage.encrypt(plaintext, [parsed]))
