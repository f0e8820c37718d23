from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.crypto import keys
from trading.kernel.encoding import b64u_decode
from trading.kernel.errors import InvalidInput

SEED = b"\x01" * 32


def test_key_derivation_vectors(vectors: dict[str, Any]) -> None:
    for vector in vectors["xwing"]:
        public = keys.xwing_public_key(bytes.fromhex(vector["seed"]))
        assert len(public) == keys.PUBLIC_BYTES
        assert keys.xwing_kid(public) == vector["pk_sha256"]
        assert keys.XWingPublicKey.from_bytes(public).kid == vector["pk_sha256"]


def test_opens_the_sealed_shares_of_the_complete_bid(vectors: dict[str, Any]) -> None:
    vector = vectors["sb1_open"]
    from trading.kernel import canonical  # noqa: PLC0415 - only this test reads a document

    envelope = canonical.loads_object(vector["envelope"].encode())
    ctx_names = ("bid", "bidder", "bidder_kid", "lot", "policy_sha256", "seq", "stage", "tender")
    ctx = canonical.dumps({name: envelope[name] for name in ctx_names})
    for row, seed, share in zip(envelope["shares"], vector["custodian_seeds"], vector["expect"]["shares"], strict=True):
        opened = keys.hpke_open(bytes.fromhex(seed), keys.share_info(row["i"], ctx), b64u_decode(row["ct"]))
        assert opened.hex() == share


def test_opens_the_challenge_and_the_release_of_the_ceremony(vectors: dict[str, Any]) -> None:
    ceremony, opened = vectors["sb1_ceremony"], vectors["sb1_open"]
    document = ceremony["custodian_key"].encode()
    assert sha256(document).hexdigest() == ceremony["custodian_key_sha256"]
    sealed = b64u_decode(ceremony["pop"]["ct_b64u"])
    assert keys.hpke_open(SEED, keys.pop_info(document), sealed).hex() == ceremony["pop"]["challenge"]
    release = ceremony["release"]
    seed = bytes.fromhex(release["station_seed"])
    assert keys.xwing_kid(keys.xwing_public_key(seed)) == release["station_pk_sha256"]
    info = keys.release_info(
        release["custodian"], bytes.fromhex(release["order_sha256"]), bytes.fromhex(opened["envelope_sha256"])
    )
    assert keys.hpke_open(seed, info, b64u_decode(release["ct_b64u"])).hex() == opened["expect"]["shares"][0]


@settings(max_examples=20, deadline=None)
@given(st.binary(max_size=200), st.binary(max_size=100))
def test_round_trip_and_length(info: bytes, plaintext: bytes) -> None:
    sealed = keys.hpke_seal(keys.xwing_public_key(SEED), info, plaintext)
    assert len(sealed) == keys.ENCAPSULATED_BYTES + len(plaintext) + 16
    assert keys.hpke_open(SEED, info, sealed) == plaintext


def test_a_sealed_share_has_its_length_and_is_never_the_same_twice() -> None:
    public = keys.xwing_public_key(SEED)
    one, two = (keys.hpke_seal(public, b"i", bytes(33)) for _ in range(2))
    assert len(one) == keys.SEALED_SHARE_BYTES == 1169
    assert one != two


@pytest.mark.parametrize("at", [0, 1119, 1120, 1140, 1168])
def test_a_flipped_bit_does_not_open(at: int) -> None:
    sealed = bytearray(keys.hpke_seal(keys.xwing_public_key(SEED), b"i", bytes(33)))
    assert keys.hpke_open(SEED, b"i", bytes(sealed)) == bytes(33)  # the control
    sealed[at] ^= 1
    with pytest.raises(InvalidInput, match=r"seal\.open_failed"):
        keys.hpke_open(SEED, b"i", bytes(sealed))


def test_another_info_key_or_length_does_not_open() -> None:
    sealed = keys.hpke_seal(keys.xwing_public_key(SEED), b"i", bytes(33))
    for seed, info, text in [
        (SEED, b"j", sealed),
        (b"\x02" * 32, b"i", sealed),
        (SEED, b"i", b""),
        (SEED, b"i", sealed[:-1]),
    ]:
        with pytest.raises(InvalidInput, match=r"seal\.open_failed"):
            keys.hpke_open(seed, info, text)


@pytest.mark.parametrize("raw", [b"", bytes(1215), bytes(1217), b"\xff" * 1216])
def test_a_malformed_public_key_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidInput, match=r"doc\.bad_field"):
        keys.hpke_seal(raw, b"", b"")


def test_infos_separate_purposes() -> None:
    infos = {keys.share_info(1, b""), keys.share_info(2, b""), keys.pop_info(b""), keys.release_info(1, b"", b"")}
    assert len(infos) == 4


def test_a_private_key_prints_nothing() -> None:
    private = keys.XWingPrivateKey.from_seed(SEED)
    assert SEED.hex() not in repr(private)
    assert repr(SEED) not in repr(private)
    with pytest.raises(ValueError, match="32 bytes"):
        keys.XWingPrivateKey.from_seed(b"short")
