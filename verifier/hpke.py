"""X-Wing HPKE of custodian and station keys (SB1 S3.2), where the installed ``cryptography`` has it (50 or newer).

Only an auditor with a disclosed key needs it: to open a share that a custodian called bad, or a release.
"""

from __future__ import annotations

import importlib
from hashlib import shake_256
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from verifier.hashing import LABEL_POP, LABEL_RELEASE, LABEL_SHARE


class HpkeAbsent(RuntimeError):
    """The installed ``cryptography`` has no X-Wing HPKE; what needs it is *not checked*."""


class HpkeFault(ValueError):
    """A ciphertext does not open under the key and info."""


def _xwing() -> tuple[Any, Any]:
    # Looked up at run time because older releases of ``cryptography`` are allowed and lack both modules.
    try:
        hpke = importlib.import_module("cryptography.hazmat.primitives.hpke")
        mlkem = importlib.import_module("cryptography.hazmat.primitives.asymmetric.mlkem")
        keys = (hpke.MLKEM768X25519PrivateKey, mlkem.MLKEM768PrivateKey)
    except (ImportError, AttributeError) as error:
        raise HpkeAbsent("cryptography 50 or newer is needed for X-Wing") from error
    return hpke, keys


def hpke_key_parts(seed: bytes) -> tuple[Any, X25519PrivateKey]:
    """Return the ML-KEM-768 and X25519 private keys of a 32-byte X-Wing seed.

    Raises:
        HpkeAbsent: The library is too old.
    """
    _, (_, mlkem) = _xwing()
    expanded = shake_256(seed).digest(96)
    return mlkem.from_seed_bytes(expanded[:64]), X25519PrivateKey.from_private_bytes(expanded[64:])


def hpke_public_key(seed: bytes) -> bytes:
    """Return the 1216-byte public key of an X-Wing seed."""
    mlkem, x25519 = hpke_key_parts(seed)
    public: bytes = mlkem.public_key().public_bytes_raw()
    return public + x25519.public_key().public_bytes_raw()


def hpke_open(seed: bytes, info: bytes, ciphertext: bytes) -> bytes:
    """Open an HPKE ciphertext of suite ``SB1-XWING-AGE``.

    Raises:
        HpkeFault: It does not open.
        HpkeAbsent: The library is too old.
    """
    hpke, (private, _) = _xwing()
    suite = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
    try:
        plaintext: bytes = suite.decrypt(ciphertext, private(*hpke_key_parts(seed)), info)
    except (InvalidTag, ValueError) as error:
        raise HpkeFault("the ciphertext does not open") from error
    return plaintext


def share_info(index: int, context: bytes) -> bytes:
    """Return the HPKE ``info`` of the share for custodian ``index`` (S4.2)."""
    return LABEL_SHARE.encode() + b"\0" + bytes([index]) + context


def release_info(index: int, order_sha256: bytes, envelope_sha256: bytes) -> bytes:
    """Return the HPKE ``info`` of a released share (S9.7)."""
    return LABEL_RELEASE.encode() + b"\0" + bytes([index]) + order_sha256 + envelope_sha256


def challenge_info(custodian_key_sha256: bytes) -> bytes:
    """Return the HPKE ``info`` of a proof-of-possession challenge (S3.2)."""
    return LABEL_POP.encode() + b"\0" + custodian_key_sha256
