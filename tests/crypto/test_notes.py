from __future__ import annotations

import pytest

from trading.crypto import notes

SEED = b"\x07" * 32


@pytest.mark.parametrize("alg", [notes.ALG_ED25519, notes.ALG_COSIGNATURE, notes.ALG_MLDSA44])
def test_round_trip_and_flips(alg: int) -> None:
    lattice = alg == notes.ALG_MLDSA44
    public = notes.mldsa44_public(SEED) if lattice else notes.ed25519_public(SEED)
    signature = notes.sign_mldsa44(SEED, b"note") if lattice else notes.sign_ed25519(SEED, b"note")
    assert (len(public), len(signature)) == ((1312, 2420) if lattice else (32, 64))
    assert notes.verify_note_signature(alg, public, b"note", signature)
    flipped = bytes([signature[0] ^ 1]) + signature[1:]
    for key, message, value in [
        (public, b"other", signature),
        (public, b"note", flipped),
        (public, b"note", b""),
        (b"", b"note", signature),
        (public[:-1], b"note", signature),
    ]:
        assert not notes.verify_note_signature(alg, key, message, value)


def test_rfc_8032_vector() -> None:
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    assert notes.ed25519_public(seed).hex() == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    assert (
        notes.sign_ed25519(seed, b"")
        .hex()
        .startswith("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155")
    )


def test_an_unknown_type_is_a_bug() -> None:
    with pytest.raises(ValueError, match="unknown note signature type"):
        notes.verify_note_signature(2, bytes(32), b"", bytes(64))
