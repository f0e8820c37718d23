"""Small secrets at rest under one passphrase: seeds of custodian agents and opening stations (SB1 S13.1, P10).

A vault file holds one random AES-256 key, itself sealed by AES-256-GCM under ``scrypt(passphrase)``; each secret is
sealed by that key, and its name is authenticated, so that one stored secret cannot be passed off as another. One
derivation opens the vault, however many secrets follow. Without a passphrase the key lies in the file in
clear: demo mode only.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from trading.crypto.files import read_secret, write_secret
from trading.crypto.keyfiles import require_passphrase
from trading.kernel import fields
from trading.kernel.encoding import b64u
from trading.kernel.errors import InvalidInput

#: scrypt N with r = 8, p = 1: 32 MiB and about a tenth of a second.
SCRYPT_COST: Final = 2**15
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_BLOCK, _PARALLEL = 8, 1
_OWN_NAME: Final = b"mb.vault"
_FILE: Final = fields.Table(
    "mb.vault",
    {
        "cost": fields.integer(0, 2**20),
        "key": fields.b64u_of(_KEY_BYTES, _NONCE_BYTES + _KEY_BYTES + _TAG_BYTES),
        "salt": fields.hex_of(16),
    },
    limit=4096,
)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Vault:
    """An opened vault; nothing of it is printed or compared."""

    _cipher: AESGCM

    @classmethod
    def create(cls, path: Path, passphrase: str | None, *, cost: int = SCRYPT_COST) -> Vault:
        """Make a vault file with mode 0600 and return the opened vault.

        Args:
            path: A name that is not taken.
            passphrase: At least 10 characters, or ``None`` for a key in clear.
            cost: scrypt N, a power of two; tests pass a cheap one.

        Raises:
            Conflict: The file exists.
            InvalidInput: ``key.weak_passphrase``.
        """
        key, salt = secrets.token_bytes(_KEY_BYTES), secrets.token_bytes(16)
        stored = key
        if passphrase is None:
            cost = 0
        else:
            require_passphrase(passphrase)
            stored = _seal(AESGCM(_derive(passphrase, salt, cost)), _OWN_NAME, key)
        write_secret(path, _FILE.write({"cost": cost, "key": b64u(stored), "salt": salt.hex()}))
        return cls(AESGCM(key))

    @classmethod
    def open(cls, path: Path, passphrase: str | None) -> Vault:
        """Open a vault file.

        Raises:
            InvalidInput: ``key.file_mode``, ``key.unreadable`` or ``key.wrong_passphrase``.
            FileNotFoundError: No such file.
        """
        try:
            stored = _FILE.read(read_secret(path))
        except InvalidInput as error:
            if error.code == "key.file_mode":
                raise
            raise InvalidInput("key.unreadable", f"{path} is not a vault") from error
        key: bytes = stored["key"]
        if (passphrase is None) != (stored["cost"] == 0):
            raise InvalidInput("key.wrong_passphrase", f"{path}: a passphrase is missing, or the file has none")
        if passphrase is not None:
            key = _unseal(AESGCM(_derive(passphrase, stored["salt"], stored["cost"])), _OWN_NAME, key)
        return cls(AESGCM(key))

    def seal(self, name: str, secret: bytes) -> bytes:
        """Return the secret sealed under its name: nonce (12 bytes), ciphertext, tag."""
        return _seal(self._cipher, name.encode(), secret)

    def unseal(self, name: str, sealed: bytes) -> bytes:
        """Return the secret.

        Raises:
            InvalidInput: ``key.wrong_passphrase``: it was not sealed by this vault under this name.
        """
        return _unseal(self._cipher, name.encode(), sealed)


def is_encrypted(path: Path) -> bool:
    """Return whether a vault asks for a passphrase."""
    return bool(_FILE.read(read_secret(path))["cost"])


def _derive(passphrase: str, salt: bytes, cost: int) -> bytes:
    memory = 128 * _BLOCK * (cost + _PARALLEL + 2)
    return hashlib.scrypt(
        passphrase.encode(), salt=salt, n=cost, r=_BLOCK, p=_PARALLEL, maxmem=memory, dklen=_KEY_BYTES
    )


def _seal(cipher: AESGCM, name: bytes, secret: bytes) -> bytes:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, secret, name)


def _unseal(cipher: AESGCM, name: bytes, sealed: bytes) -> bytes:
    try:
        return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], name)
    except (InvalidTag, ValueError) as error:
        raise InvalidInput("key.wrong_passphrase", "the vault does not open") from error
