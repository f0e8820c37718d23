"""Passwords as argon2id hashes (RFC 9106; security 8). The cost stands in the configuration and in every hash."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from trading.config.variables import LEAST_MEMORY_KIB, LEAST_PASSES


@dataclass(frozen=True, slots=True)
class Passwords:
    """Hashes and verifies with one cost; a hash of another cost still verifies."""

    memory_kib: int = LEAST_MEMORY_KIB
    passes: int = LEAST_PASSES

    @property
    def _hasher(self) -> PasswordHasher:
        return PasswordHasher(self.passes, self.memory_kib, parallelism=1, type=Type.ID)

    def hash(self, password: str) -> str:
        """Return the encoded hash with salt and cost."""
        return self._hasher.hash(password)

    def verify(self, encoded: str | None, password: str) -> bool:
        """Whether the password fits. None takes as long as a hash that does not fit: nobody learns who exists."""
        try:
            self._hasher.verify(encoded or _hash_of_nobody(self), password)
        except (VerificationError, InvalidHashError):
            return False
        return encoded is not None

    def outdated(self, encoded: str) -> bool:
        """Whether a hash was made with another cost than today's."""
        return self._hasher.check_needs_rehash(encoded)


@lru_cache(maxsize=4)
def _hash_of_nobody(passwords: Passwords) -> str:
    """Return a hash for logins that do not exist, of the same cost as the others."""
    return passwords.hash("nobody has this password")
