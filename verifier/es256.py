"""ES256 signature objects over exact document bytes (P7.1, P7.2)."""

from __future__ import annotations

from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from verifier.encoding import b64u_decode

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
P256_SPKI_PREFIX = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")
SIGNATURE_TEXT = 86


class SignatureFault(ValueError):
    """A signature does not verify, or its key is not acceptable."""


def verify_es256(spki: bytes, document: bytes, signature: dict[str, Any]) -> None:
    """Check one signature object with algorithm ``ES256`` under a 91-byte P-256 SPKI.

    Raises:
        SignatureFault: Wrong form, R or S out of range, or the signature does not verify.
    """
    text = signature["sig"]
    try:
        raw = b64u_decode(text)
    except ValueError as error:
        raise SignatureFault(str(error)) from error
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    if len(text) != SIGNATURE_TEXT or not (0 < r < P256_ORDER and 0 < s < P256_ORDER):
        raise SignatureFault("signature is not R and S of 32 bytes within the group order")
    try:
        load_p256(spki).verify(encode_dss_signature(r, s), document, ec.ECDSA(SHA256()))
    except InvalidSignature as error:
        raise SignatureFault("signature does not verify") from error


def load_p256(spki: bytes) -> ec.EllipticCurvePublicKey:
    """Return the key of a SubjectPublicKeyInfo in the one accepted form: named curve, uncompressed point, 91 bytes.

    Raises:
        SignatureFault: Another form or another kind of key.
    """
    try:
        key = load_der_public_key(spki) if len(spki) == 91 and spki.startswith(P256_SPKI_PREFIX) else None
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SignatureFault("key is not a point of P-256") from error
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise SignatureFault("key is not a P-256 SubjectPublicKeyInfo of 91 bytes")
    return key
