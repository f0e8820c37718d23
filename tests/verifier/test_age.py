"""The built-in age reader: files of pyrage, the CCTV vectors, and everything SB1 S4.6 refuses."""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import json
import zlib
from pathlib import Path
from typing import Any

import pyrage  # type: ignore[import-untyped]  # a compiled module without stubs
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tests.support.made_bids import age_identity
from verifier.age import AgeError, open_age, open_age_stream, read_age_header
from verifier.bech32 import bech32_decode, bech32_encode

CCTV: dict[str, dict[str, Any]] = json.loads(Path("tests/vectors/age_cctv.json").read_text("utf-8"))["cases"]
# Valid for age, refused here: another stanza than grease, or a second recipient (S19).
STRICTER = {
    "stanza_empty_body",
    "stanza_empty_last_line",
    "stanza_valid_characters",
    "x25519_grease",
    "x25519_multiple_recipients",
}
IDENTITY = pyrage.x25519.Identity.from_str(age_identity(bytes(range(32))))


@pytest.mark.parametrize("name", sorted(CCTV))
def test_cctv(name: str) -> None:
    case = CCTV[name]
    data = zlib.decompress(base64.b64decode(case["file_zlib_b64"]))
    identity = case["identities"][0]
    if case["expect"] == "success" and name not in STRICTER:
        assert hashlib.sha256(open_age(identity, data)).hexdigest() == case["payload_sha256"]
        return
    with pytest.raises(AgeError):
        open_age(identity, data)


def test_the_stricter_cases_are_exactly_these() -> None:
    assert CCTV.keys() >= STRICTER
    assert all(CCTV[name]["expect"] == "success" for name in STRICTER)


@pytest.mark.parametrize("size", [0, 1, 4096, 65535, 65536, 65537, 131072, 200_000])
def test_files_of_pyrage(size: int) -> None:
    plaintext = bytes(i % 251 for i in range(size))
    data = pyrage.encrypt(plaintext, [IDENTITY.to_public()])
    assert open_age(str(IDENTITY), data) == plaintext
    chunks = list(open_age_stream(str(IDENTITY), io.BytesIO(data)))
    assert b"".join(chunks) == plaintext
    header = read_age_header(io.BytesIO(data))
    assert len(data) - header.length == 16 + size + 16 * max(1, -(-size // 65536))


def test_every_truncation_is_refused() -> None:
    data = pyrage.encrypt(b"price", [IDENTITY.to_public()])
    for length in range(len(data)):
        with pytest.raises(AgeError):
            open_age(str(IDENTITY), data[:length])


def test_truncation_at_a_chunk_boundary_is_refused() -> None:
    data = pyrage.encrypt(bytes(65536 * 2), [IDENTITY.to_public()])
    for cut in (65536 + 16, 1):
        with pytest.raises(AgeError):
            open_age(str(IDENTITY), data[:-cut])
    with pytest.raises(AgeError):
        open_age(str(IDENTITY), data + b"\0")


def test_every_flipped_byte_is_refused() -> None:
    data = pyrage.encrypt(b"price of one bid", [IDENTITY.to_public()])
    for position in range(len(data)):
        changed = bytearray(data)
        changed[position] ^= 1 << position % 8
        with pytest.raises(AgeError):
            open_age(str(IDENTITY), bytes(changed))


def test_another_identity_and_malformed_identities() -> None:
    data = pyrage.encrypt(b"price", [IDENTITY.to_public()])
    other = age_identity(bytes(32))
    for identity in (other, str(IDENTITY).lower(), str(IDENTITY)[:-1] + "Q", "", str(IDENTITY.to_public())):
        with pytest.raises(AgeError):
            open_age(identity, data)


def test_two_recipients_are_refused() -> None:
    other = pyrage.x25519.Identity.generate()
    with pytest.raises(AgeError, match="2 X25519 stanzas"):
        open_age(str(IDENTITY), pyrage.encrypt(b"price", [IDENTITY.to_public(), other.to_public()]))


def test_passphrase_files_and_armor_are_refused() -> None:
    scrypt = b"-> scrypt " + b64(bytes(16)) + b" 18\n" + b64(bytes(32)) + b"\n"
    with pytest.raises(AgeError, match="not allowed"):
        open_age(str(IDENTITY), written(mine=scrypt))
    with pytest.raises(AgeError, match="not an age"):
        open_age(str(IDENTITY), b"-----BEGIN AGE ENCRYPTED FILE-----\n")


def hkdf(key: bytes, salt: bytes, info: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt, info).derive(key)


def b64(data: bytes) -> bytes:
    return base64.b64encode(data).rstrip(b"=")


def written(
    stanza: bytes = b"", *, mine: bytes | None = None, chunks: tuple[tuple[bytes, bool], ...] | None = None
) -> bytes:
    """An age file written by hand: an extra stanza before ours, or another one instead, and any chunks."""
    file_key, ephemeral = bytes(range(16)), X25519PrivateKey.from_private_bytes(bytes([9]) * 32)
    private = X25519PrivateKey.from_private_bytes(bytes(range(32)))
    share = ephemeral.public_key().public_bytes_raw()
    recipient = private.public_key().public_bytes_raw()
    shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(recipient))
    wrap = hkdf(shared, share + recipient, b"age-encryption.org/v1/X25519")
    body = ChaCha20Poly1305(wrap).encrypt(bytes(12), file_key, None)
    ours = b"-> X25519 " + b64(share) + b"\n" + b64(body) + b"\n" if mine is None else mine
    header = b"age-encryption.org/v1\n" + stanza + ours + b"---"
    mac = hmac.new(hkdf(file_key, b"", b"header"), header, hashlib.sha256).digest()
    nonce = bytes(16)
    cipher = ChaCha20Poly1305(hkdf(file_key, nonce, b"payload"))
    payload = b""
    for number, (chunk, last) in enumerate(chunks or ((b"price", True),)):
        payload += cipher.encrypt(number.to_bytes(11, "big") + bytes([last]), chunk, None)
    return header + b" " + b64(mac) + b"\n" + nonce + payload


def test_grease_of_the_right_name_is_accepted() -> None:
    for stanza in (b"", b"-> x-grease a b\n\n", b"-> 9-grease\n" + b"A" * 64 + b"\n\n", b"-> -grease\nAAAA\n"):
        assert open_age(str(IDENTITY), written(stanza)) == b"price"


@pytest.mark.parametrize(
    "stanza",
    [
        b"-> x-greas\n\n",
        b"-> grease\n\n",
        b"-> x-grease\nAAAB=\n",
        b"-> x-grease\nAB\n",
        b"-> x-grease  a\n\n",
        b"-> x-grease \n\n",
        b"-> \n\n",
        b"-> x-grease\n" + b"A" * 65 + b"\n",
        b"->x-grease\n\n",
    ],
)
def test_other_stanzas_are_refused(stanza: bytes) -> None:
    with pytest.raises(AgeError):
        open_age(str(IDENTITY), written(stanza))


@pytest.mark.parametrize(
    "mine",
    [
        b"",
        b"-> X25519\n" + b64(bytes(32)) + b"\n",
        b"-> X25519 " + b64(bytes(32)) + b" more\n" + b64(bytes(32)) + b"\n",
        b"-> X25519 " + b64(bytes(31)) + b"\n" + b64(bytes(32)) + b"\n",
        b"-> X25519 " + b64(bytes(32)) + b"\n" + b64(bytes(33)) + b"\n",
        b"-> X25519 " + b64(bytes(32)) + b"\n" + b64(bytes(32)) + b"\n",  # low-order share
    ],
)
def test_malformed_x25519_stanzas(mine: bytes) -> None:
    with pytest.raises(AgeError):
        open_age(str(IDENTITY), written(mine=mine))


def test_chunk_rules() -> None:
    full = bytes(65536)
    assert open_age(str(IDENTITY), written(chunks=((b"", True),))) == b""
    assert open_age(str(IDENTITY), written(chunks=((full, False), (b"x", True)))) == full + b"x"
    for chunks in (((full, False), (b"", True)), ((full, False),), ((b"x", False),), ((b"x", True), (b"y", True))):
        with pytest.raises(AgeError):
            open_age(str(IDENTITY), written(chunks=chunks))


def test_endless_headers_are_cut_off() -> None:
    with pytest.raises(AgeError):
        open_age(str(IDENTITY), b"age-encryption.org/v1\n" + b"-> a-grease\n\n" * 10_000)
    with pytest.raises(AgeError):
        open_age(str(IDENTITY), b"age-encryption.org/v1\n-> " + b"a" * 200_000)


def test_bech32() -> None:
    text = age_identity(bytes(range(32)))
    assert bech32_decode(text) == ("age-secret-key-", bytes(range(32)))
    assert bech32_encode("age-secret-key-", bytes(range(32))).upper() == text
    assert bech32_decode("A12UEL5L") == ("a", b"")
    for wrong in ("a12uel5m", "A12uel5l", "12uel5l", "1", "", "a12uelbl", "A1LQFN3A"):
        with pytest.raises(ValueError, match="bech32"):
            bech32_decode(wrong)
