"""Parts of a bid as age v1 files under derived identities (SB1 S4.4, S4.6, S5.1).

The age recipient of a part is a secret like the identity: it is never published, logged or sent.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import BinaryIO, Final

import pyrage  # type: ignore[import-untyped]  # a compiled module without stubs
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from pyrage import x25519 as age_x25519

from trading.crypto import bech32
from trading.crypto.shares import hkdf
from trading.kernel.digests import SB1_AGE_X25519, sha256
from trading.kernel.encoding import b64_decode
from trading.kernel.errors import InvalidInput

MAX_HEADER: Final = 65536
_VERSION: Final = b"age-encryption.org/v1\n"
_STANZA = re.compile(rb"-> ([\x21-\x7e]+)((?: [\x21-\x7e]+)*)\Z")
_COLUMNS: Final = 64
_CHUNK: Final = 65536
_TAG: Final = 16
_NONCE: Final = 16
_KEY_BYTES: Final = 32
_HUMAN_IDENTITY: Final = "age-secret-key-"
_HUMAN_RECIPIENT: Final = "age"


def derive_identity(s_c: bytes, s_b: bytes, ctx: bytes, part: str) -> str:
    """Return the age identity string of one part; ``s_b`` is empty in factor-off mode (SB1 S4.4)."""
    return identity_string(hkdf(s_c + s_b, salt=sha256(ctx), info=(SB1_AGE_X25519 + part).encode()))


def identity_string(private_key: bytes) -> str:
    """Return ``AGE-SECRET-KEY-1…`` of a 32-byte X25519 private key."""
    return bech32.encode(_HUMAN_IDENTITY, private_key).upper()


def identity_bytes(identity: str) -> bytes:
    """Return the private key that an identity string spells.

    Raises:
        InvalidInput: ``doc.bad_field``: not the exact upper-case spelling of 32 bytes.
    """
    try:
        human, data = bech32.decode(identity)
    except ValueError as error:
        raise InvalidInput("doc.bad_field", "not an age identity") from error
    if human != _HUMAN_IDENTITY or len(data) != _KEY_BYTES or identity != identity.upper():
        raise InvalidInput("doc.bad_field", "not an age identity")
    return data


def recipient_string(private_key: bytes) -> str:
    """Return ``age1…`` of a private key; as secret as the key itself (SB1 S4.4)."""
    public = X25519PrivateKey.from_private_bytes(private_key).public_key().public_bytes_raw()
    return bech32.encode(_HUMAN_RECIPIENT, public)


def _recipient(identity: str) -> age_x25519.Recipient:
    return age_x25519.Recipient.from_str(recipient_string(identity_bytes(identity)))


def encrypt_part(identity: str, plaintext: bytes) -> bytes:
    """Return the age file of one part, encrypted to the recipient of ``identity``, without armor."""
    return bytes(pyrage.encrypt(plaintext, [_recipient(identity)]))


def encrypt_part_io(identity: str, reader: BinaryIO, writer: BinaryIO) -> None:
    """Encrypt a stream of any length in constant memory; the caller hashes and syncs what was written."""
    pyrage.encrypt_io(reader, writer, [_recipient(identity)])


def decrypt_part(identity: str, ciphertext: bytes) -> bytes:
    """Return the plaintext of a part of moderate size.

    Raises:
        InvalidInput: ``bid.part_shape`` or ``seal.open_failed``.
    """
    age_header_length(ciphertext[:MAX_HEADER])
    try:
        return bytes(pyrage.decrypt(ciphertext, [_identity(identity)]))
    except pyrage.DecryptError as error:
        raise InvalidInput("seal.open_failed", "the age file does not open under this identity") from error


def decrypt_part_file(identity: str, source: Path, target: Path) -> None:
    """Decrypt a part of any length into a file, in constant memory.

    The target is complete only if this returns: an age stream shows truncation at its end, so on any error the caller
    must treat the target as garbage. It is removed here.

    Raises:
        InvalidInput: ``bid.part_shape`` or ``seal.open_failed``.
    """
    with source.open("rb") as reader, target.open("xb") as writer:
        age_header_length(reader.read(MAX_HEADER))
        reader.seek(0)
        try:
            pyrage.decrypt_io(reader, writer, [_identity(identity)])
        except (pyrage.DecryptError, OSError) as error:
            target.unlink(missing_ok=True)
            raise InvalidInput("seal.open_failed", "the age file does not open under this identity") from error


def _identity(identity: str) -> age_x25519.Identity:
    identity_bytes(identity)
    return age_x25519.Identity.from_str(identity)


def age_header_length(prefix: bytes) -> int:
    """Return the length of the age header at the start of a part, up to the newline of its MAC line (SB1 S4.6).

    Accepted: the v1 version line, exactly one ``X25519`` stanza with one argument of 43 characters and a 32-byte
    body, other stanzas only of a type that ends in ``-grease``, no armor. The MAC is checked when the part is opened.

    Args:
        prefix: The first 65 536 bytes of the part, or all of it.

    Raises:
        InvalidInput: ``bid.part_shape``.
    """
    lines = _Lines(prefix[:MAX_HEADER])
    if lines.next() != _VERSION[:-1]:
        raise _shape("not an age v1 file without armor")
    found = 0
    while (line := lines.next()).startswith(b"-> "):
        found += _read_stanza(line, lines)
    if not line.startswith(b"--- ") or len(_base64(line[4:])) != _KEY_BYTES:
        raise _shape("malformed MAC line")
    if found != 1:
        raise _shape(f"{found} X25519 stanzas instead of one")
    return lines.position


class _Lines:
    """Header lines one by one; a line without its newline inside the limit is refused."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.position = 0

    def next(self) -> bytes:
        end = self._data.find(b"\n", self.position)
        if end < 0:
            raise _shape("the header is cut off or too long")
        line = self._data[self.position : end]
        self.position = end + 1
        return line


def _read_stanza(line: bytes, lines: _Lines) -> int:
    """Read one stanza with its body; return 1 for an X25519 stanza, 0 for a grease stanza."""
    match = _STANZA.match(line)
    if match is None:
        raise _shape("malformed stanza")
    kind, arguments = match[1], match[2].split()
    body = b""
    while True:
        part = lines.next()
        body += part
        if len(part) > _COLUMNS:
            raise _shape("stanza body line too long")
        if len(part) < _COLUMNS:
            break
    content = _base64(body)
    if kind == b"X25519":
        if len(arguments) != 1 or len(_base64(arguments[0])) != _KEY_BYTES or len(content) != _KEY_BYTES:
            raise _shape("malformed X25519 stanza")
        return 1
    if not kind.endswith(b"-grease"):
        raise _shape("a stanza that is neither X25519 nor grease")
    return 0


def _base64(text: bytes) -> bytes:
    """Decode standard base64 without padding, strictly."""
    if b"=" in text:
        raise _shape("padding in the header")
    try:
        return b64_decode(text.decode("ascii") + "=" * (-len(text) % 4))
    except ValueError as error:
        raise _shape("bad base64 in the header") from error


def _shape(detail: str) -> InvalidInput:
    return InvalidInput("bid.part_shape", detail)


def age_body_size(plain_size: int) -> int:
    """Return the bytes that follow the header for a plaintext: nonce, and 16 bytes of tag for each chunk of 64 KiB."""
    return _NONCE + plain_size + _TAG * max(1, -(-plain_size // _CHUNK))


def require_part_shape(prefix: bytes, size: int, plain_size: int | None = None) -> None:
    """Check a stored part from the outside (SB1 S7.2 item 5).

    Args:
        prefix: Its first 65 536 bytes, or all of it.
        size: Its size in bytes.
        plain_size: ``price_bytes`` of the policy for the part ``price``; ``None`` for other parts.

    Raises:
        InvalidInput: ``bid.part_shape``.
    """
    body = size - age_header_length(prefix)
    if body < age_body_size(0) or (plain_size is not None and body != age_body_size(plain_size)):
        raise _shape(f"a body of {body} bytes does not fit")
