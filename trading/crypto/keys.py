"""Keys: X-Wing share and station keys with HPKE (SB1 S3.2), ES256 document keys (P7.2), raw Ed25519 seeds of notes.

HPKE is RFC 9180 base mode, one shot, empty aad: KEM 0x647a, HKDF-SHA256, AES-256-GCM. Everything is bound in ``info``.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)

from trading.crypto.shares import SHARE_BYTES
from trading.kernel.digests import SB1_POP, SB1_RELEASE, SB1_SHARE, sha256_hex
from trading.kernel.errors import InvalidInput

SEED_BYTES: Final = 32
PUBLIC_BYTES: Final = 1216
ENCAPSULATED_BYTES: Final = 1120
SEALED_SHARE_BYTES: Final = ENCAPSULATED_BYTES + SHARE_BYTES + 16
_MLKEM_SEED_BYTES: Final = 64
_MLKEM_PUBLIC_BYTES: Final = 1184
_SUITE: Final = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


@dataclass(frozen=True, slots=True)
class XWingPublicKey:
    """A public key of 1216 bytes: ML-KEM-768 encapsulation key, then X25519 public key."""

    raw: bytes
    _key: MLKEM768X25519PublicKey = field(repr=False, compare=False)

    @classmethod
    def from_bytes(cls, raw: bytes) -> XWingPublicKey:
        """Parse a public key.

        Raises:
            InvalidInput: ``doc.bad_field``: wrong length, or not an encapsulation key.
        """
        if len(raw) != PUBLIC_BYTES:
            raise InvalidInput("doc.bad_field", f"an X-Wing public key has {PUBLIC_BYTES} bytes, not {len(raw)}")
        try:
            lattice = MLKEM768PublicKey.from_public_bytes(raw[:_MLKEM_PUBLIC_BYTES])
            curve = X25519PublicKey.from_public_bytes(raw[_MLKEM_PUBLIC_BYTES:])
        except ValueError as error:
            raise InvalidInput("doc.bad_field", "not an X-Wing public key") from error
        return cls(raw, MLKEM768X25519PublicKey(lattice, curve))

    @property
    def kid(self) -> str:
        """Return the key id: hex SHA-256 of the 1216 bytes (P6.1)."""
        return sha256_hex(self.raw)

    def seal(self, info: bytes, plaintext: bytes) -> bytes:
        """Return encapsulated key (1120 bytes) ‖ ciphertext. Randomised by the library; it takes no caller's key."""
        return _SUITE.encrypt(plaintext, self._key, info=info)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class XWingPrivateKey:
    """A private key that is the expansion of one 32-byte seed; compare and print nothing of it (P10)."""

    seed: bytes
    public: XWingPublicKey
    _key: MLKEM768X25519PrivateKey

    @classmethod
    def from_seed(cls, seed: bytes) -> XWingPrivateKey:
        """Expand a seed: ``SHAKE256(seed, 96)`` is the ML-KEM seed d ‖ z and then the X25519 private key (SB1 S3.2).

        Raises:
            ValueError: The seed has not 32 bytes. A bug, or a disclosure the caller must have checked.
        """
        if len(seed) != SEED_BYTES:
            raise ValueError("an X-Wing seed has 32 bytes")
        expanded = hashlib.shake_256(seed).digest(96)
        lattice = MLKEM768PrivateKey.from_seed_bytes(expanded[:_MLKEM_SEED_BYTES])
        curve = X25519PrivateKey.from_private_bytes(expanded[_MLKEM_SEED_BYTES:])
        raw = lattice.public_key().public_bytes_raw() + curve.public_key().public_bytes_raw()
        return cls(seed, XWingPublicKey.from_bytes(raw), MLKEM768X25519PrivateKey(lattice, curve))

    def open(self, info: bytes, ciphertext: bytes) -> bytes:
        """Return the plaintext sealed to this key under ``info``.

        Raises:
            InvalidInput: ``seal.open_failed``; the cause is not told apart, so nothing is an oracle.
        """
        try:
            return _SUITE.decrypt(ciphertext, self._key, info=info)
        except (InvalidTag, ValueError, UnsupportedAlgorithm) as error:
            raise InvalidInput("seal.open_failed", "HPKE open failed") from error


@lru_cache(maxsize=256)
def _public(raw: bytes) -> XWingPublicKey:
    # Sealing for one lot uses the same few keys for thousands of bids; parsing costs as much as half a seal.
    return XWingPublicKey.from_bytes(raw)


def xwing_public_key(seed: bytes) -> bytes:
    """Return the public key (1216 bytes) of a seed."""
    return XWingPrivateKey.from_seed(seed).public.raw


def xwing_kid(public_key: bytes) -> str:
    """Return the key id of an X-Wing public key (P6.1)."""
    return sha256_hex(public_key)


def hpke_seal(public_key: bytes, info: bytes, plaintext: bytes) -> bytes:
    """Seal ``plaintext`` to an X-Wing public key of 1216 bytes.

    Raises:
        InvalidInput: ``doc.bad_field``: not such a key.
    """
    return _public(public_key).seal(info, plaintext)


def hpke_open(seed: bytes, info: bytes, ciphertext: bytes) -> bytes:
    """Open what was sealed to the key of ``seed``; for many ciphertexts keep one ``XWingPrivateKey`` instead.

    Raises:
        InvalidInput: ``seal.open_failed``.
    """
    return XWingPrivateKey.from_seed(seed).open(info, ciphertext)


def share_info(i: int, ctx: bytes) -> bytes:
    """Return the HPKE info of share ``i`` (SB1 S4.2). The ctx names bid, bidder, key, version and policy."""
    return SB1_SHARE.encode() + b"\0" + bytes([i]) + ctx


def pop_info(custodian_key_document: bytes) -> bytes:
    """Return the HPKE info of a proof-of-possession challenge for a ``sb1.custodian-key`` document (SB1 S3.2)."""
    return SB1_POP.encode() + b"\0" + hashlib.sha256(custodian_key_document).digest()


def release_info(i: int, order_sha256: bytes, envelope_sha256: bytes) -> bytes:
    """Return the HPKE info of share ``i`` of one envelope released to the station of one order (SB1 S9.7)."""
    return SB1_RELEASE.encode() + b"\0" + bytes([i]) + order_sha256 + envelope_sha256
