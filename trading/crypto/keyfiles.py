"""Key files: PKCS#8 PEM under a passphrase for documents, raw 32-byte seeds for log and witness notes; mode 0600."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from trading.crypto.files import read_secret, write_secret
from trading.crypto.signatures import Es256Signer
from trading.kernel.encoding import b64
from trading.kernel.errors import InvalidInput

# The library's own PKCS#8 encryption stops at 2 048 rounds, which one graphics card exhausts for a human passphrase.
PASSPHRASE_ROUNDS: Final = 600_000
MIN_PASSPHRASE: Final = 10
_NOTE_SEED_BYTES: Final = 32
_SEQUENCE, _INTEGER, _OCTETS = 0x30, 0x02, 0x04
_PBES2: Final = bytes.fromhex("06092a864886f70d01050d")
_PBKDF2: Final = bytes.fromhex("06092a864886f70d01050c")
_HMAC_SHA256: Final = bytes.fromhex("300c06082a864886f70d02090500")
_AES_256_CBC: Final = bytes.fromhex("060960864801650304012a")
_SHORT_LENGTH: Final = 0x80


def _der(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    if len(body) < _SHORT_LENGTH:
        return bytes([tag, len(body)]) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8)
    return bytes([tag, _SHORT_LENGTH | len(length)]) + length + body


def _encrypted_pkcs8(plain: bytes, passphrase: str, rounds: int) -> bytes:
    """Return PEM of an EncryptedPrivateKeyInfo: PBES2 with PBKDF2-HMAC-SHA-256 and AES-256-CBC (RFC 8018)."""
    salt, iv = os.urandom(16), os.urandom(16)
    key = PBKDF2HMAC(hashes.SHA256(), 32, salt, rounds).derive(passphrase.encode())
    pad = padding.PKCS7(128).padder()
    cipher = Cipher(algorithms.AES256(key), modes.CBC(iv)).encryptor()
    sealed = cipher.update(pad.update(plain) + pad.finalize()) + cipher.finalize()
    count = rounds.to_bytes(rounds.bit_length() // 8 + 1)
    derivation = _der(_SEQUENCE, _PBKDF2, _der(_SEQUENCE, _der(_OCTETS, salt), _der(_INTEGER, count), _HMAC_SHA256))
    scheme = _der(_SEQUENCE, _PBES2, _der(_SEQUENCE, derivation, _der(_SEQUENCE, _AES_256_CBC, _der(_OCTETS, iv))))
    text = b64(_der(_SEQUENCE, scheme, _der(_OCTETS, sealed)))
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    name = "ENCRYPTED PRIVATE KEY"
    return "\n".join([f"-----BEGIN {name}-----", *lines, f"-----END {name}-----", ""]).encode()


def save_es256(path: Path, signer: Es256Signer, passphrase: str | None, *, rounds: int = PASSPHRASE_ROUNDS) -> None:
    """Save a document key as PKCS#8 PEM with mode 0600; ``None`` saves it in clear, for demo mode only.

    Args:
        path: A name that is not taken.
        signer: The key's holder.
        passphrase: At least 10 characters, or ``None``.
        rounds: Cost of one guess; tests pass a cheap one.

    Raises:
        Conflict: The file exists.
        InvalidInput: ``key.weak_passphrase``.
    """
    if passphrase is None:
        data = signer.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    else:
        require_passphrase(passphrase)
        plain = signer.private_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        data = _encrypted_pkcs8(plain, passphrase, rounds)
    write_secret(path, data)


def require_passphrase(passphrase: str) -> None:
    """Raise ``key.weak_passphrase`` for a passphrase shorter than 10 characters."""
    if len(passphrase) < MIN_PASSPHRASE:
        raise InvalidInput("key.weak_passphrase", f"at least {MIN_PASSPHRASE} characters", minimum=MIN_PASSPHRASE)


def is_encrypted(path: Path) -> bool:
    """Return whether a key file asks for a passphrase."""
    return b"ENCRYPTED" in path.read_bytes()[:64]


def load_es256(path: Path, passphrase: str | None) -> Es256Signer:
    """Load a document key.

    Raises:
        InvalidInput: ``key.file_mode``, ``key.wrong_passphrase``, ``key.unreadable`` or ``key.not_es256``.
        FileNotFoundError: No such file.
    """
    data = read_secret(path)
    if (passphrase is None) == is_encrypted(path):
        raise InvalidInput("key.wrong_passphrase", f"{path}: a passphrase is missing, or the file has none")
    try:
        key = load_pem_private_key(data, passphrase.encode() if passphrase is not None else None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        code = "key.unreadable" if passphrase is None else "key.wrong_passphrase"
        # The library's message may quote the file; a key's bytes never reach a message (P10).
        raise InvalidInput(code, f"{path} does not open") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise InvalidInput("key.not_es256", f"{path} is not an ECDSA key")
    return Es256Signer(key)


def new_note_seed(path: Path) -> bytes:
    """Make, save and return the 32-byte Ed25519 seed of a log signer or witness; the name must not be taken."""
    seed = secrets.token_bytes(_NOTE_SEED_BYTES)
    write_secret(path, seed)
    return seed


def load_note_seed(path: Path) -> bytes:
    """Return a saved seed.

    Raises:
        InvalidInput: ``key.file_mode``, or ``key.unreadable`` for any other length than 32 bytes.
    """
    seed = read_secret(path)
    if len(seed) != _NOTE_SEED_BYTES:
        raise InvalidInput("key.unreadable", f"{path} is not a seed of {_NOTE_SEED_BYTES} bytes")
    return seed
