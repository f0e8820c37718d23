from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from trading.crypto import signatures
from trading.crypto.signatures import Es256Signer, SignedDocument, sign_document, verify_es256, verify_signature
from trading.kernel import canonical
from trading.kernel.encoding import b64u, b64u_decode
from trading.kernel.errors import InvalidInput

ORDER = signatures._ORDER
DOC = b'{"typ":"mb.example","v":1}'


@pytest.fixture(scope="module")
def signer() -> Es256Signer:
    return Es256Signer.generate()


def test_vector_is_reproduced_to_the_bit(vectors: dict[str, Any]) -> None:
    vector = vectors["es256"]
    signer = Es256Signer.from_scalar(int(vector["private_scalar"], 16))
    assert signer.spki.hex() == vector["spki_hex"]
    assert signer.kid == vector["kid"] == signatures.spki_kid(signer.spki)
    signature = signer.sign(vector["message"].encode())
    assert canonical.dumps(signature) == vector["signature_object"].encode()
    assert b64u_decode(signature["sig"]).hex() == vector["signature_hex"]
    verify_es256(signer.spki, vector["message"].encode(), signature)


def test_the_sealed_bid_of_the_vectors_is_signed(vectors: dict[str, Any]) -> None:
    vector, spki = vectors["sb1_open"], bytes.fromhex(vectors["es256"]["spki_hex"])
    envelope = vector["envelope"].encode()
    verify_es256(spki, envelope, vector["envelope_signature"])
    with pytest.raises(InvalidInput, match=r"sig\.invalid"):
        verify_es256(spki, envelope.replace(b'"seq":1', b'"seq":2'), vector["envelope_signature"])


def test_both_spellings_of_one_signature_verify(signer: Es256Signer) -> None:
    raw = b64u_decode(signer.sign(DOC)["sig"])
    other = raw[:32] + (ORDER - int.from_bytes(raw[32:])).to_bytes(32)
    verify_es256(signer.spki, DOC, {"alg": "ES256", "kid": signer.kid, "sig": b64u(other)})


@pytest.mark.parametrize("r", [0, 1, ORDER, ORDER + 1, 2**256 - 1])
@pytest.mark.parametrize("place", [0, 1])
def test_r_and_s_out_of_range_are_refused_before_the_library_sees_them(signer: Es256Signer, r: int, place: int) -> None:
    raw = b64u_decode(signer.sign(DOC)["sig"])
    halves = [raw[:32], raw[32:]]
    halves[place] = r.to_bytes(32)
    with pytest.raises(InvalidInput, match=r"sig\.invalid") as caught:
        verify_es256(signer.spki, DOC, {"alg": "ES256", "kid": signer.kid, "sig": b64u(b"".join(halves))})
    assert ("out of range" in caught.value.detail) == (r != 1)


@given(st.integers(0, 511))
def test_any_flipped_bit_of_the_signature_is_refused(bit: int) -> None:
    signer = Es256Signer.from_scalar(7)
    raw = bytearray(b64u_decode(signer.sign(DOC)["sig"]))
    raw[bit // 8] ^= 1 << bit % 8
    with pytest.raises(InvalidInput, match=r"sig\.invalid"):
        verify_es256(signer.spki, DOC, {"alg": "ES256", "kid": signer.kid, "sig": b64u(bytes(raw))})


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_a_signature_is_of_one_document(one: bytes, two: bytes) -> None:
    signer = Es256Signer.from_scalar(7)
    signature = signer.sign(one)
    verify_es256(signer.spki, one, signature)
    if one != two:
        with pytest.raises(InvalidInput, match=r"sig\.invalid"):
            verify_es256(signer.spki, two, signature)


def _der(raw: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature  # noqa: PLC0415 - for one case

    return encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))


@pytest.mark.parametrize("form", ["der", "short", "long", "padded", "plus"])
def test_other_encodings_of_a_good_signature_are_refused(signer: Es256Signer, form: str) -> None:
    good = signer.sign(DOC)
    raw = b64u_decode(good["sig"])
    bad = {
        "der": b64u(_der(raw)),
        "short": b64u(raw[:-1]),
        "long": b64u(raw + b"\0"),
        "padded": good["sig"] + "==",
        "plus": "+" + good["sig"][1:],
    }[form]
    with pytest.raises(InvalidInput):
        verify_es256(signer.spki, DOC, {**good, "sig": bad})


def test_another_key_or_algorithm_is_refused(signer: Es256Signer) -> None:
    good, other = signer.sign(DOC), Es256Signer.generate()
    for spki, signature in [(other.spki, good), (signer.spki, {**good, "alg": "CMS"}), (signer.spki, other.sign(DOC))]:
        with pytest.raises(InvalidInput, match=r"sig\.invalid"):
            verify_es256(spki, DOC, signature)
    with pytest.raises(InvalidInput, match=r"sig\.invalid"):
        verify_signature("SM2SM3", signer.spki, DOC, good)
    verify_signature("ES256", signer.spki, DOC, good)


@pytest.mark.parametrize(
    "change",
    [{"alg": "HS256"}, {"kid": "AB" * 32}, {"kid": 3}, {"sig": ""}, {"sig": None}, {"extra": "x"}],
)
def test_malformed_signature_objects_are_refused(signer: Es256Signer, change: dict[str, object]) -> None:
    with pytest.raises(InvalidInput, match=r"doc\."):
        verify_es256(signer.spki, DOC, {**signer.sign(DOC), **change})


def test_only_the_91_byte_form_of_p256_is_a_key(signer: Es256Signer) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415 - for this case

    other = ec.generate_private_key(ec.SECP384R1())
    compressed = signer.private_key.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    off_curve = bytearray(signer.spki)
    off_curve[-1] ^= 1
    p384 = other.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    for spki in (b"", signer.spki + b"\0", compressed, bytes(off_curve), p384):
        with pytest.raises(InvalidInput, match=r"key\.not_es256"):
            signatures.spki_kid(spki)
    with pytest.raises(InvalidInput, match=r"key\.not_es256"):
        Es256Signer(other)


def test_signatures_are_sorted_by_kid_and_travel_whole(signer: Es256Signer) -> None:
    other = Es256Signer.generate()
    signed = sign_document(DOC, *sorted((signer, other), key=lambda item: item.kid, reverse=True))
    assert [item["kid"] for item in signed.sigs] == sorted([signer.kid, other.kid])
    assert SignedDocument.from_wire(signed.wire()) == signed == SignedDocument.from_wire(signed.wire_bytes())
    assert SignedDocument.from_parts(signed.doc, signed.sigs_bytes) == signed
    assert signed.sha256 == hashlib.sha256(DOC).hexdigest()
    assert sign_document(DOC, signer).with_signature(other.sign(DOC)) == signed


def test_wire_forms_that_are_refused(signer: Es256Signer) -> None:
    good = sign_document(DOC, signer, Es256Signer.generate()).wire()
    bad: list[dict[str, object]] = [
        {"doc": good["doc"]},
        {"sigs": []},
        {**good, "extra": 1},
        {**good, "doc": good["doc"] + "="},
        {**good, "doc": 5},
        {**good, "sigs": good["sigs"][::-1]},
        {**good, "sigs": [good["sigs"][0]] * 2},
        {**good, "sigs": {}},
        {**good, "sigs": [None]},
        {**good, "sigs": good["sigs"] * 9},
        {**good, "doc": b64u(bytes(canonical.MAX_DOCUMENT + 1))},
    ]
    for wire in bad:
        with pytest.raises(InvalidInput, match=r"doc\."):
            SignedDocument.from_wire(wire)
    with pytest.raises(InvalidInput, match=r"doc\.not_canonical"):
        SignedDocument.from_wire(sign_document(DOC, signer).wire_bytes() + b"\n")


def test_sig_sha256_is_of_the_canonical_object(vectors: dict[str, Any]) -> None:
    text = vectors["es256"]["signature_object"]
    signature = canonical.loads_object(text.encode())
    shuffled = {name: signature[name] for name in ("sig", "alg", "kid")}
    assert signatures.sig_sha256(shuffled) == hashlib.sha256(text.encode()).hexdigest()


def test_a_signer_prints_nothing_of_its_key() -> None:
    assert "private" not in repr(Es256Signer.from_scalar(123456789))


NODE = """
const { webcrypto: { subtle } } = require("node:crypto");
const [spki, sig, doc] = process.argv.slice(1).map((text) => Buffer.from(text, "hex"));
(async () => {
  const kind = { name: "ECDSA", namedCurve: "P-256" }, how = { name: "ECDSA", hash: "SHA-256" };
  const key = await subtle.importKey("spki", spki, kind, false, ["verify"]);
  const made = await subtle.generateKey(kind, true, ["sign"]);
  const hex = async (data) => Buffer.from(await data).toString("hex");
  const own = [hex(subtle.exportKey("spki", made.publicKey)), hex(subtle.sign(how, made.privateKey, doc))];
  console.log(JSON.stringify([await subtle.verify(how, key, sig, doc), ...(await Promise.all(own))]));
})();
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="no Node.js on this machine")
def test_webcrypto_verifies_ours_and_we_verify_its(signer: Es256Signer) -> None:
    raw = b64u_decode(signer.sign(DOC)["sig"])
    command = [shutil.which("node") or "node", "-e", NODE, signer.spki.hex(), raw.hex(), DOC.hex()]
    done = subprocess.run(command, capture_output=True, check=True)
    verified, spki_hex, signature_hex = json.loads(done.stdout)
    assert verified is True
    spki = bytes.fromhex(spki_hex)
    other = {"alg": "ES256", "kid": signatures.spki_kid(spki), "sig": b64u(bytes.fromhex(signature_hex))}
    verify_es256(spki, DOC, other)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl command on this machine")
def test_openssl_verifies_ours(signer: Es256Signer, tmp_path: Path) -> None:
    signature, key, doc = tmp_path / "sig", tmp_path / "key", tmp_path / "doc"
    signature.write_bytes(_der(b64u_decode(signer.sign(DOC)["sig"])))
    key.write_bytes(signer.spki)
    command = [shutil.which("openssl") or "openssl", "dgst", "-sha256", "-verify", str(key), "-keyform", "DER"]
    command += ["-signature", str(signature), str(doc)]
    for content, code in ((DOC, 0), (DOC + b" ", 1)):
        doc.write_bytes(content)
        assert subprocess.run(command, capture_output=True, check=False).returncode == code
