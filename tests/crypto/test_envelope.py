from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.crypto import bech32, envelope
from trading.crypto.envelope import age_header_length, decrypt_part, encrypt_part, identity_string, require_part_shape
from trading.kernel.encoding import b64u_decode
from trading.kernel.errors import InvalidInput

IDENTITY = identity_string(b"\x05" * 32)
OTHER = identity_string(b"\x06" * 32)


def test_identities_of_the_vectors(vectors: dict[str, Any]) -> None:
    vector = vectors["sb1_derive"]
    ctx, s_c, s_b = vector["ctx"].encode(), bytes.fromhex(vector["s_c"]), bytes.fromhex(vector["s_b"])
    assert envelope.derive_identity(s_c, s_b, ctx, "price") == vector["identity_price"]
    assert envelope.derive_identity(s_c, s_b, ctx, "main") == vector["identity_main"]
    assert envelope.derive_identity(s_c, b"", ctx, "price") == vector["no_factor"]["identity_price"]


def test_opens_the_price_of_the_vectors(vectors: dict[str, Any]) -> None:
    vector = vectors["sb1_open"]
    ciphertext = b64u_decode(vector["price_age_b64u"])
    plaintext = decrypt_part(vector["expect"]["identity_price"], ciphertext)
    assert len(plaintext) == vector["expect"]["price_plaintext_bytes"]
    assert plaintext.rstrip(b" ") == vector["expect"]["price_json"].encode()
    require_part_shape(ciphertext, len(ciphertext), 4096)
    with pytest.raises(InvalidInput, match=r"bid\.part_shape"):
        require_part_shape(ciphertext, len(ciphertext), 8192)


@pytest.mark.parametrize("size", [0, 1, 4096, 65535, 65536, 65537, 131072, 200_000])
def test_round_trip_and_body_size(size: int) -> None:
    plaintext = bytes(size)
    ciphertext = encrypt_part(IDENTITY, plaintext)
    assert decrypt_part(IDENTITY, ciphertext) == plaintext
    assert len(ciphertext) - age_header_length(ciphertext) == envelope.age_body_size(size)
    require_part_shape(ciphertext[:65536], len(ciphertext), size)


@settings(max_examples=60, deadline=None)
@given(st.booleans(), st.integers(0, 2**40))
def test_any_flipped_bit_or_cut_is_refused(flip: bool, where: int) -> None:  # noqa: FBT001 - drawn
    ciphertext = encrypt_part(IDENTITY, b"price" * 20)  # its length differs, for age adds a random stanza
    if flip:
        at = where % (len(ciphertext) * 8)
        changed = bytearray(ciphertext)
        changed[at // 8] ^= 1 << at % 8
        damaged = bytes(changed)
    else:
        damaged = ciphertext[: where % len(ciphertext)]
    with pytest.raises(InvalidInput, match=r"bid\.part_shape|seal\.open_failed"):
        decrypt_part(IDENTITY, damaged)


def test_another_identity_does_not_open() -> None:
    with pytest.raises(InvalidInput, match=r"seal\.open_failed"):
        decrypt_part(OTHER, encrypt_part(IDENTITY, b"x"))


def test_streams_and_files(tmp_path: Path) -> None:
    plaintext = bytes(range(256)) * 1000
    sealed, opened = tmp_path / "p.age", tmp_path / "p"
    with sealed.open("wb") as writer:
        envelope.encrypt_part_io(IDENTITY, io.BytesIO(plaintext), writer)
    envelope.decrypt_part_file(IDENTITY, sealed, opened)
    assert opened.read_bytes() == plaintext
    sealed.write_bytes(sealed.read_bytes()[:-1])
    with pytest.raises(InvalidInput, match=r"seal\.open_failed"):
        envelope.decrypt_part_file(IDENTITY, sealed, tmp_path / "q")
    assert not (tmp_path / "q").exists()


STANZA = b"-> X25519 " + b"A" * 43 + b"\n" + b"A" * 43 + b"\n"
MAC = b"--- " + b"A" * 43 + b"\n"
V1 = b"age-encryption.org/v1\n"


@pytest.mark.parametrize(
    "header",
    [
        V1 + STANZA + MAC,
        V1 + b"-> a-grease x y\n\n" + STANZA + MAC,
        V1 + STANZA + b"-> b-grease\n" + b"A" * 64 + b"\n\n" + MAC,
    ],
)
def test_headers_that_are_accepted(header: bytes) -> None:
    assert age_header_length(header + b"body") == len(header)


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"age-encryption.org/v2\n" + STANZA + MAC,
        b"-----BEGIN AGE ENCRYPTED FILE-----\n",
        V1 + MAC,
        V1 + STANZA + STANZA + MAC,
        V1 + b"-> scrypt AA 10\n" + b"A" * 43 + b"\n" + MAC,
        V1 + STANZA + b"-> ssh-ed25519 AA\n\n" + MAC,
        V1 + STANZA.replace(b"X25519 ", b"X25519 AAA ") + MAC,
        V1 + b"-> X25519\n" + b"A" * 43 + b"\n" + MAC,
        V1 + b"-> X25519 " + b"A" * 42 + b"\n" + b"A" * 43 + b"\n" + MAC,
        V1 + b"-> X25519 " + b"A" * 43 + b"\n" + b"A" * 42 + b"\n" + MAC,
        V1 + b"-> X25519 " + b"A" * 42 + b"B\n" + b"A" * 43 + b"\n" + MAC,
        V1 + b"-> X25519 " + b"A" * 43 + b"\n" + b"A" * 65 + b"\n" + MAC,
        V1 + b"->  X25519 " + b"A" * 43 + b"\n" + b"A" * 43 + b"\n" + MAC,
        V1 + STANZA + b"--- " + b"A" * 42 + b"\n",
        V1 + STANZA + b"--- " + b"A" * 43 + b"=\n",
        V1 + STANZA + b"---" + b"A" * 43 + b"\n",
        V1 + STANZA + MAC[:-1],
        V1 + STANZA.replace(b"\n", b"\r\n") + MAC,
        V1 + b"-> a-grease\n" + (b"A" * 64 + b"\n") * 1100 + b"\n" + STANZA + MAC,
        V1 + b"-> a-grease\n!\n" + STANZA + MAC,
    ],
)
def test_headers_that_are_refused(header: bytes) -> None:
    with pytest.raises(InvalidInput, match=r"bid\.part_shape"):
        age_header_length(header + b"body")


def test_the_body_of_a_part_must_fit() -> None:
    header = V1 + STANZA + MAC
    require_part_shape(header, len(header) + 32)
    require_part_shape(header, len(header) + 16 + 4096 + 16, 4096)
    for size, plain in [(31, None), (0, None), (16 + 4096 + 15, 4096), (16 + 4096 + 17, 4096)]:
        with pytest.raises(InvalidInput, match=r"bid\.part_shape"):
            require_part_shape(header, len(header) + size, plain)


@given(st.binary(max_size=60), st.text("abcdefghij-", min_size=1, max_size=20))
def test_bech32_round_trip(data: bytes, human: str) -> None:
    text = bech32.encode(human, data)
    assert bech32.decode(text) == (human, data) == bech32.decode(text.upper())


@given(st.binary(min_size=32, max_size=32), st.data())
def test_bech32_finds_a_changed_letter(key: bytes, data: st.DataObject) -> None:
    text = identity_string(key)
    at = data.draw(st.integers(16, len(text) - 1))
    letter = data.draw(st.sampled_from([c for c in "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L" if c != text[at]]))
    with pytest.raises(InvalidInput):
        envelope.identity_bytes(text[:at] + letter + text[at + 1 :])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1qqqqqq",
        "age1",
        "A1qqqqqq",
        IDENTITY.lower(),
        IDENTITY[:-1] + "b",
        bech32.encode("age", b"\x05" * 32).upper(),
        bech32.encode("age-secret-key-", b"\x05" * 31).upper(),
    ],
)
def test_what_is_no_identity(text: str) -> None:
    with pytest.raises(InvalidInput):
        envelope.identity_bytes(text)


def test_bip_173_strings() -> None:
    assert bech32.decode("A12UEL5L") == ("a", b"")
    assert bech32.decode("abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw")[0] == "abcdef"
    for bad in ("pzry9x0s0muk", "x1b4n0q5v", "li1dgmt3", "A1G7SGD8", "10a06t8", "1qzzfhee", "abc1rzgt4", "\x201nwldj5"):
        with pytest.raises(ValueError, match="bech32"):
            bech32.decode(bad)


def _age(*arguments: str) -> bytes:
    command = [shutil.which("age") or "age", *arguments]
    return subprocess.run(command, capture_output=True, check=True).stdout


@pytest.mark.skipif(shutil.which("age") is None, reason="the stock age command is not installed")
def test_the_stock_age_command_opens_ours_and_we_open_its(tmp_path: Path, vectors: dict[str, Any]) -> None:
    key, sealed, made = tmp_path / "key", tmp_path / "sealed", tmp_path / "made"
    key.write_text(IDENTITY + "\n")
    sealed.write_bytes(encrypt_part(IDENTITY, b"hello" * 30_000))
    assert _age("-d", "-i", str(key), str(sealed)) == b"hello" * 30_000
    _age("-r", envelope.recipient_string(b"\x05" * 32), "-o", str(made), str(sealed))
    assert decrypt_part(IDENTITY, made.read_bytes()) == sealed.read_bytes()
    vector = vectors["sb1_open"]
    key.write_text(vector["expect"]["identity_price"] + "\n")
    sealed.write_bytes(b64u_decode(vector["price_age_b64u"]))
    opened = _age("-d", "-i", str(key), str(sealed))
    assert opened.rstrip(b" ") == vector["expect"]["price_json"].encode()
    assert len(opened) == 4096
