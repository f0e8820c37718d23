"""Vectors of P18, S18.2 and L14.3 on the verifier's own primitives."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.made_log import consistency_path, inclusion_path, inclusion_paths, mth
from verifier.canonical import NotCanonical, admit, canonical_bytes
from verifier.encoding import b64_decode, b64u_decode, hex_decode
from verifier.es256 import P256_ORDER, SignatureFault, verify_es256
from verifier.hashing import tuple_hash
from verifier.merkle import EMPTY_ROOT, ProofFault, leaf_hash, root_of, verify_consistency, verify_inclusion
from verifier.shamir import combine_shares, gf_inverse, gf_multiply, split_secret

VECTORS: dict[str, Any] = json.loads(Path("tests/vectors/protocols.json").read_text("utf-8"))


def test_canonical_document() -> None:
    data = bytes.fromhex(VECTORS["jcs"]["bytes_hex"])
    assert hashlib.sha256(data).hexdigest() == VECTORS["jcs"]["sha256"]
    assert canonical_bytes(admit(data)) == data == VECTORS["jcs"]["text"].encode()


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":1,"a":1}',
        b'{"a":1,"a":2}',
        b'{"a":1.0}',
        b'{"a":1e3}',
        b'{"a":9007199254740992}',
        b'{"a":-9007199254740992}',
        b'{"a":-0}',
        b'{"a":' + b"9" * 5000 + b"}",
        b'{"S07":1}',
        b'{"a":1}\n',
        b'{"a": 1}',
        b'{"a":"\\u660e"}',
        '{"a":"e\u0301"}'.encode(),
        b'{"a":"\\ud800"}',
        b'{"a":"\\u0000"}',
        b'{"a":NaN}',
        b'{"b":1,"a":1}',
        b"\xef\xbb\xbf{}",
        b"\xff",
        b"[" * 17 + b"]" * 17,
        b"[" * 100_000,
        b"",
        b'{"' + b"a" * 65 + b'":1}',
    ],
)
def test_refused_documents(data: bytes) -> None:
    with pytest.raises(NotCanonical):
        admit(data)


def test_depth_and_size_limits_are_exact() -> None:
    assert admit(b"[" * 16 + b"]" * 16) is not None
    with pytest.raises(NotCanonical):
        admit(b'"' + b"a" * (1024 * 1024 - 1) + b'"')
    assert admit(b'"' + b"a" * (1024 * 1024 - 2) + b'"') is not None


@pytest.mark.parametrize("case", VECTORS["tuple_hash"])
def test_tuple_hash(case: dict[str, Any]) -> None:
    parts = [bytes.fromhex(part) for part in case["parts_hex"]]
    assert tuple_hash(case["label"], *parts).hex() == case["out"]


def test_merkle_roots() -> None:
    vector = VECTORS["merkle"]
    leaves = [bytes.fromhex(leaf) for leaf in vector["leaves_hex"]]
    assert EMPTY_ROOT.hex() == root_of([]).hex() == vector["empty"]
    assert [root_of(leaves[:n]).hex() for n in (1, 2, 3)] == [vector["root1"], vector["root2"], vector["root3"]]


def test_manifest_root() -> None:
    vector = VECTORS["bids_root2"]
    assert root_of([leaf.encode() for leaf in vector["leaves"]]).hex() == vector["root"]
    assert root_of([]).hex() == vector["root_of_no_bids"]


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 31, 64, 70])
def test_proofs_of_every_index(size: int) -> None:
    hashes = [leaf_hash(bytes([n])) for n in range(size)]
    root = mth(hashes)
    for n in range(size):
        path = inclusion_path(n, hashes)
        assert path == inclusion_paths(tuple(hashes))[n]
        verify_inclusion(n, size, hashes[n], path, root)
        for wrong in (path[:-1], [*path, bytes(32)], [bytes(32), *path[1:]], [*path[:-1], bytes(31)]):
            if wrong != path:
                with pytest.raises(ProofFault):
                    verify_inclusion(n, size, hashes[n], wrong, root)
    for m in range(size + 1):
        path = [] if m == 0 else consistency_path(m, hashes)
        verify_consistency(m, size, mth(hashes[:m]), root, path)
        with pytest.raises(ProofFault):
            verify_consistency(m, size, mth(hashes[:m]), root, [*path, bytes(32)])
        if m not in (0, size):
            with pytest.raises(ProofFault):
                verify_consistency(m, size, bytes(32), root, path)


@pytest.mark.parametrize(("index", "size"), [(3, 3), (-1, 3), (0, 0)])
def test_index_outside_the_tree(index: int, size: int) -> None:
    with pytest.raises(ProofFault):
        verify_inclusion(index, size, bytes(32), [], bytes(32))


def test_es256() -> None:
    vector = VECTORS["es256"]
    spki, document = bytes.fromhex(vector["spki_hex"]), vector["message"].encode()
    signature = json.loads(vector["signature_object"])
    verify_es256(spki, document, signature)
    raw = b64u_decode(signature["sig"])
    mirrored = raw[:32] + (P256_ORDER - int.from_bytes(raw[32:], "big")).to_bytes(32, "big")
    verify_es256(spki, document, {"sig": b64u(mirrored)})
    for wrong in (bytes(32) + raw[32:], raw[:32] + bytes(32), raw[:32] + P256_ORDER.to_bytes(32, "big"), raw[:63]):
        with pytest.raises(SignatureFault):
            verify_es256(spki, document, {"sig": b64u(wrong)})
    for bit in range(0, 512, 37):
        flipped = bytearray(raw)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(SignatureFault):
            verify_es256(spki, document, {"sig": b64u(bytes(flipped))})
    with pytest.raises(SignatureFault):
        verify_es256(spki, document + b" ", signature)
    for key in (spki + b"\0", spki[:-1] + b"\0", spki[:26] + b"\2" + spki[27:59]):
        with pytest.raises(SignatureFault):
            verify_es256(key, document, signature)


def b64u(data: bytes) -> str:
    import base64  # noqa: PLC0415 - an encoder that is not the verifier's own

    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def test_shamir() -> None:
    vector = VECTORS["shamir"]
    secret, shares = bytes.fromhex(vector["secret"]), [bytes.fromhex(share) for share in vector["shares"]]
    assert split_secret(secret, [bytes.fromhex(row) for row in vector["coef"]], 5) == shares
    for chosen in ((0, 1, 2), (2, 3, 4), (0, 2, 4), (4, 0, 3)):
        assert combine_shares([shares[i] for i in chosen]) == secret
    assert combine_shares([shares[0], shares[1]]) != secret
    assert f"{gf_multiply(0x57, 0x83):02x}" == vector["mul_57_83"]
    assert all(gf_multiply(value, gf_inverse(value)) == 1 for value in range(1, 256))
    with pytest.raises(ValueError, match="belong"):
        combine_shares([shares[0], shares[0]])


@pytest.mark.parametrize("text", ["AA==", "A", "AB", "A+", "A/", "AA\n", "äö"])
def test_base64url_is_strict(text: str) -> None:
    with pytest.raises(ValueError, match="base64url"):
        b64u_decode(text)


@pytest.mark.parametrize("text", ["AA", "AB==", "A-==", "AA==\n", " AA==", "ä"])
def test_base64_is_strict(text: str) -> None:
    with pytest.raises(ValueError, match="base64"):
        b64_decode(text)


@pytest.mark.parametrize("text", ["AB", "a", "0g"])
def test_hex_is_lowercase(text: str) -> None:
    with pytest.raises(ValueError, match="hex"):
        hex_decode(text)
