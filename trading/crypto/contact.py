"""The key of the contact service: opens identities and mail, and derives codes and links that only it can compute.

One seed of 32 bytes. Whoever seals to the public half needs no secret; everything derived is an HMAC under a key of its
own, so that a code or link that becomes known tells nothing of any other.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from trading.crypto.files import read_secret, write_secret
from trading.crypto.keys import SEED_BYTES, XWingPrivateKey
from trading.crypto.shares import hkdf
from trading.kernel.digests import EXPERTS_CODE, EXPERTS_LINK
from trading.kernel.encoding import b64u
from trading.kernel.errors import InvalidInput

#: 20 bytes make a code of 27 characters that nobody guesses.
_CODE_BYTES: Final = 20


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class ContactKey:
    """The private key of the contact service; nothing of it is printed or compared (P10)."""

    _private: XWingPrivateKey
    _codes: bytes
    _links: bytes

    @classmethod
    def from_seed(cls, seed: bytes) -> ContactKey:
        """Expand a seed of 32 bytes."""
        return cls(
            XWingPrivateKey.from_seed(seed),
            hkdf(seed, salt=b"", info=EXPERTS_CODE.encode()),
            hkdf(seed, salt=b"", info=EXPERTS_LINK.encode()),
        )

    @classmethod
    def load(cls, path: Path) -> ContactKey:
        """Load the key file of the contact service.

        Raises:
            InvalidInput: ``key.file_mode``, or ``key.unreadable`` for any other length than 32 bytes.
        """
        seed = read_secret(path)
        if len(seed) != SEED_BYTES:
            raise InvalidInput("key.unreadable", f"{path} is not a seed of {SEED_BYTES} bytes")
        return cls.from_seed(seed)

    @classmethod
    def create(cls, path: Path) -> ContactKey:
        """Make a key file with mode 0600 and return the key; the name must not be taken.

        Raises:
            Conflict: The file exists.
        """
        seed = secrets.token_bytes(SEED_BYTES)
        write_secret(path, seed)
        return cls.from_seed(seed)

    @property
    def public(self) -> bytes:
        """Return the public key (1216 bytes)."""
        return self._private.public.raw

    def open(self, info: bytes, sealed: bytes) -> bytes:
        """Return what was sealed to this key.

        Raises:
            InvalidInput: ``seal.open_failed``.
        """
        return self._private.open(info, sealed)

    def code(self, *parts: str) -> str:
        """Return the one-time code of a call or seat; the same parts always give the same code, so it can be resent."""
        return b64u(hmac.digest(self._codes, "\0".join(parts).encode(), hashlib.sha256)[:_CODE_BYTES])

    def link(self, expert_id: str) -> bytes:
        """Return the keyed hash that ties an account to a pool number; nobody else can compute it."""
        return hmac.digest(self._links, expert_id.encode("ascii"), hashlib.sha256)


def code_sha256(code: str) -> bytes:
    """Return the hash under which a code is stored."""
    return hashlib.sha256(code.encode()).digest()


def binding(code: str, link: bytes) -> bytes:
    """Return what ties a seat code to one account link; whoever lacks the code cannot compare it with any link."""
    return hmac.digest(code.encode(), link, hashlib.sha256)
