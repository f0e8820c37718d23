"""Opening packages as age passphrase files (SB1 S6.2): age v1 with one ``scrypt`` stanza, as every age program reads.

Written and read here because the work must not depend on how busy this machine was: libraries that measure the machine
may lock a file with 1 GiB of memory, and refuse their own file, as if the passphrase were wrong, when the machine is
busier than before, which is when the factor window is about to end.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Iterator
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from trading.crypto.shares import hkdf
from trading.kernel.encoding import b64, b64_decode
from trading.kernel.errors import InvalidInput

WORK: Final = 18  # log2 of scrypt's N, as age writes: about a second and 256 MiB
MAX_WORK: Final = 22  # what age reads
_VERSION: Final = b"age-encryption.org/v1"
_LABEL: Final = b"age-encryption.org/v1/scrypt"
_HEADER: Final = re.compile(
    rb"(age-encryption\.org/v1\n-> scrypt ([A-Za-z0-9+/]{22}) ([1-9][0-9]?)\n([A-Za-z0-9+/]{43})\n---)"
    rb" ([A-Za-z0-9+/]{43})\n"
)
_CHUNK: Final = 65536
_TAG: Final = 16
_NONCE: Final = 16


def lock_package(package: bytes, passphrase: str, *, work: int = WORK) -> bytes:
    """Return an opening package as an age passphrase file. Takes about a second, on purpose.

    Args:
        package: The bytes to lock.
        passphrase: Of the bidder.
        work: log2 of the cost; tests only.
    """
    file_key, salt = secrets.token_bytes(16), secrets.token_bytes(16)
    body = ChaCha20Poly1305(_stretched(passphrase, salt, work)).encrypt(bytes(12), file_key, None)
    lines = (_VERSION, b"-> scrypt %s %d" % (_text(salt), work), _text(body), b"---")
    header = b"\n".join(lines)
    nonce = secrets.token_bytes(_NONCE)
    sealed = b"".join(_sealed(hkdf(file_key, salt=nonce, info=b"payload"), package))
    return header + b" " + _text(_mac(file_key, header)) + b"\n" + nonce + sealed


def unlock_package(locked: bytes, passphrase: str) -> bytes:
    """Return the opening package inside a passphrase file.

    Raises:
        InvalidInput: ``package.wrong_passphrase``: the passphrase is wrong or the file is damaged.
    """
    found = _HEADER.match(locked)
    if found is None or int(found[3]) > MAX_WORK:
        raise _refused("it is no passphrase file of age, or asks for more work than age does")
    try:
        salt, body, mac = _bytes(found[2]), _bytes(found[4]), _bytes(found[5])
        file_key = ChaCha20Poly1305(_stretched(passphrase, salt, int(found[3]))).decrypt(bytes(12), body, None)
        if not hmac.compare_digest(_mac(file_key, found[1]), mac):
            raise _refused("its header was changed")
        payload = locked[found.end() :]
        nonce, sealed = payload[:_NONCE], payload[_NONCE:]
        return b"".join(_opened(hkdf(file_key, salt=nonce, info=b"payload"), sealed))
    except (InvalidTag, ValueError) as error:
        raise _refused("the package does not open") from error


def _refused(detail: str) -> InvalidInput:
    return InvalidInput("package.wrong_passphrase", detail)


def _stretched(passphrase: str, salt: bytes, work: int) -> bytes:
    return Scrypt(salt=_LABEL + salt, length=32, n=2**work, r=8, p=1).derive(passphrase.encode())


def _mac(file_key: bytes, header: bytes) -> bytes:
    return hmac.digest(hkdf(file_key, salt=b"", info=b"header"), header, "sha256")


def _text(data: bytes) -> bytes:
    return b64(data).rstrip("=").encode()


def _bytes(text: bytes) -> bytes:
    return b64_decode(text.decode() + "=" * (-len(text) % 4))


def _sealed(key: bytes, plaintext: bytes) -> Iterator[bytes]:
    cipher, starts = ChaCha20Poly1305(key), range(0, max(1, len(plaintext)), _CHUNK)
    for counter, start in enumerate(starts):
        last = start + _CHUNK >= len(plaintext)
        yield cipher.encrypt(_nonce(counter, last=last), plaintext[start : start + _CHUNK], None)


def _opened(key: bytes, sealed: bytes) -> Iterator[bytes]:
    cipher, size = ChaCha20Poly1305(key), _CHUNK + _TAG
    for counter, start in enumerate(range(0, max(1, len(sealed)), size)):
        chunk, last = sealed[start : start + size], start + size >= len(sealed)
        if len(chunk) == _TAG and counter > 0:
            raise ValueError("an empty last chunk")
        yield cipher.decrypt(_nonce(counter, last=last), chunk, None)


def _nonce(counter: int, *, last: bool) -> bytes:
    return counter.to_bytes(11, "big") + bytes([last])
