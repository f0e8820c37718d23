"""Reader of age v1 files for one X25519 recipient, restricted so that the opened content is unique (SB1 S4.6).

It is stricter than age: exactly one ``X25519`` stanza, other stanzas only of a type ending in ``-grease``, no armor.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import IO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from verifier.bech32 import bech32_decode

AGE_VERSION = b"age-encryption.org/v1\n"
AGE_CHUNK = 65536
AGE_TAG = 16
AGE_MAX_HEADER = 65536
STANZA_LINE = re.compile(rb"-> [\x21-\x7e]+(?: [\x21-\x7e]+)*\n")
STANZA_BODY_COLUMNS = 64


class AgeError(Exception):
    """The file does not have the shape of SB1 S4.6, or does not open under the identity."""


@dataclass(frozen=True)
class AgeHeader:
    """What matters of an age header: ephemeral share, wrapped file key, MAC, the bytes under the MAC, length."""

    share: bytes
    body: bytes
    mac: bytes
    signed: bytes
    length: int


def open_age(identity: str, ciphertext: bytes) -> bytes:
    """Return the plaintext of an age v1 file under an ``AGE-SECRET-KEY-1…`` identity.

    Raises:
        AgeError: Wrong shape, wrong identity, or any changed, missing or added byte.
    """
    return b"".join(open_age_stream(identity, io.BytesIO(ciphertext)))


def open_age_stream(identity: str, source: IO[bytes]) -> Iterator[bytes]:
    """Yield the authenticated chunks of an age v1 file; the plaintext is complete only if the iterator ends normally.

    Raises:
        AgeError: As in ``open_age``; truncation shows only at the end.
    """
    header = read_age_header(source)
    file_key = _unwrap(identity, header)
    expected = hmac.new(_derive(file_key, b"", b"header"), header.signed, sha256).digest()
    if not hmac.compare_digest(expected, header.mac):
        raise AgeError("header MAC does not verify")
    nonce = source.read(16)
    if len(nonce) != 16:
        raise AgeError("payload nonce is cut off")
    return _chunks(ChaCha20Poly1305(_derive(file_key, nonce, b"payload")), source)


def read_age_header(source: IO[bytes]) -> AgeHeader:
    """Read the header up to the newline of its MAC line and check its shape (SB1 S4.6).

    Raises:
        AgeError: Another version, another stanza type, not exactly one X25519 stanza, or bad base64.
    """
    lines = _HeaderLines(source)
    if lines.next() != AGE_VERSION:
        raise AgeError("not an age v1 file")
    found: list[tuple[bytes, bytes]] = []
    stanzas = 0
    while True:
        line = lines.next()
        if not line.startswith(b"-> "):
            break
        stanzas += 1
        _read_stanza(line, lines, found)
    if not line.startswith(b"--- ") or len(found) != 1:
        raise AgeError(f"{len(found)} X25519 stanzas among {stanzas}; exactly one is required")
    mac = _decode64(line[4:-1], 32)
    signed = b"".join(lines.seen)[: -len(line)] + b"---"
    share, body = found[0]
    return AgeHeader(share, body, mac, signed, lines.length)


class _HeaderLines:
    """Reads header lines and keeps them, within a bound, because the MAC covers their exact bytes."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self.seen: list[bytes] = []
        self.length = 0

    def next(self) -> bytes:
        line = self._source.readline(AGE_MAX_HEADER)
        self.seen.append(line)
        self.length += len(line)
        if not line.endswith(b"\n") or self.length > AGE_MAX_HEADER:
            raise AgeError("header line is cut off or the header is too long")
        return line


def _read_stanza(line: bytes, lines: _HeaderLines, found: list[tuple[bytes, bytes]]) -> None:
    if not STANZA_LINE.fullmatch(line):
        raise AgeError("malformed stanza line")
    kind, *arguments = line[3:-1].split(b" ")
    text = b""
    while True:
        part = lines.next()[:-1]
        text += part
        if len(part) > STANZA_BODY_COLUMNS:
            raise AgeError("stanza body line too long")
        if len(part) < STANZA_BODY_COLUMNS:
            break
    if kind == b"X25519":
        if len(arguments) != 1:
            raise AgeError("X25519 stanza needs one argument")
        found.append((_decode64(arguments[0], 32), _decode64(text, 32)))
    elif not kind.endswith(b"-grease"):
        raise AgeError(f"stanza of type {kind.decode('ascii')!r} is not allowed")
    else:
        _decode64(text, None)


def _decode64(text: bytes, length: int | None) -> bytes:
    """Decode unpadded standard base64 strictly: no padding, no other characters, unused bits zero."""
    try:
        data = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error as error:
        raise AgeError("bad base64 in the header") from error
    if base64.b64encode(data).rstrip(b"=") != text or length not in (None, len(data)):
        raise AgeError("base64 in the header is not canonical or has the wrong length")
    return data


def _unwrap(identity: str, header: AgeHeader) -> bytes:
    try:
        human, scalar = bech32_decode(identity)
        if human != "age-secret-key-" or identity != identity.upper():
            raise AgeError("not an age X25519 identity")
        private = X25519PrivateKey.from_private_bytes(scalar)
        shared = private.exchange(X25519PublicKey.from_public_bytes(header.share))
        recipient = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        key = _derive(shared, header.share + recipient, b"age-encryption.org/v1/X25519")
        return ChaCha20Poly1305(key).decrypt(b"\0" * 12, header.body, None)
    except InvalidTag as error:
        raise AgeError("the identity does not open the file") from error
    except ValueError as error:
        raise AgeError(str(error)) from error


def _derive(key: bytes, salt: bytes, info: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt or None, info).derive(key)


def _chunks(cipher: ChaCha20Poly1305, source: IO[bytes]) -> Iterator[bytes]:
    counter = 0
    chunk = source.read(AGE_CHUNK + AGE_TAG)
    while True:
        # One byte is peeked by reading the next chunk: only the last chunk of the file carries the flag.
        following = source.read(AGE_CHUNK + AGE_TAG)
        last = not following
        if len(chunk) < AGE_TAG or (len(chunk) == AGE_TAG and counter > 0):
            raise AgeError("payload is cut off or ends with an empty chunk")
        try:
            yield cipher.decrypt(counter.to_bytes(11, "big") + bytes([last]), chunk, None)
        except InvalidTag as error:
            raise AgeError(f"payload chunk {counter} does not verify") from error
        if last:
            return
        chunk, counter = following, counter + 1
