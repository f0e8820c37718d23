"""Primitives of signed notes (AL1 L1.3). Which bytes are signed is said by the pure rules (``audit/rules/note.py``)."""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

ALG_ED25519: Final = 0x01
ALG_COSIGNATURE: Final = 0x04
ALG_MLDSA44: Final = 0x06


def ed25519_public(seed: bytes) -> bytes:
    """Return the 32-byte public key of a 32-byte seed."""
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def sign_ed25519(seed: bytes, message: bytes) -> bytes:
    """Return the 64-byte Ed25519 signature."""
    return Ed25519PrivateKey.from_private_bytes(seed).sign(message)


def verify_ed25519(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether ``signature`` is valid; a malformed key or signature is invalid, not an error."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def mldsa44_public(seed: bytes) -> bytes:
    """Return the 1312-byte ML-DSA-44 public key of a 32-byte seed."""
    return MLDSA44PrivateKey.from_seed_bytes(seed).public_key().public_bytes_raw()


def sign_mldsa44(seed: bytes, message: bytes) -> bytes:
    """Return an ML-DSA-44 signature with an empty context."""
    return MLDSA44PrivateKey.from_seed_bytes(seed).sign(message)


def verify_mldsa44(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether ``signature`` is valid with an empty context.

    Raises:
        UnsupportedAlgorithm: The installed library cannot check it, which must not be taken for "invalid".
    """
    try:
        MLDSA44PublicKey.from_public_bytes(public_key).verify(signature, message)
    except UnsupportedAlgorithm:
        raise
    except (InvalidSignature, ValueError):
        return False
    return True


def verify_note_signature(alg_type: int, public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether a note signature of type 0x01, 0x04 (Ed25519) or 0x06 (ML-DSA-44) verifies over ``message``.

    Args:
        alg_type: The type byte of the verifier key.
        public_key: 32 bytes, or 1312 for 0x06.
        message: The signed bytes, built by the caller from the note (and the time, for cosignatures).
        signature: The bare signature, without key id and time.

    Raises:
        ValueError: An unknown type: lines of unknown types must have been ignored before.
    """
    if alg_type in (ALG_ED25519, ALG_COSIGNATURE):
        return verify_ed25519(public_key, message, signature)
    if alg_type == ALG_MLDSA44:
        return verify_mldsa44(public_key, message, signature)
    raise ValueError(f"unknown note signature type {alg_type:#04x}")
