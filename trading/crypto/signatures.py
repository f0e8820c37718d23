"""Signatures over the exact bytes of documents (P7.1, P7.2, P7.5). ES256; CMS and SM2SM3 would fit the same slot.

Nothing is identified by a signature: (R, S) and (R, order − S) both verify, and identity is the document's SHA-256.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from trading.kernel.digests import sha256_hex
from trading.kernel.encoding import b64u, b64u_decode
from trading.kernel.errors import InvalidInput
from trading.kernel.signed import SignatureObject, SignedDocument, read_signature_object, sig_sha256

__all__ = [
    "DocumentSigner",
    "Es256Signer",
    "SignatureObject",
    "SignedDocument",
    "read_signature_object",
    "sig_sha256",
    "sign_document",
    "spki_kid",
    "verify_es256",
    "verify_signature",
]

SPKI_BYTES: Final = 91
# SubjectPublicKeyInfo of id-ecPublicKey with the named curve P-256 and an uncompressed point (P6.1).
_SPKI_PREFIX: Final = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")
_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_SIGNATURE_BYTES: Final = 64
_DETERMINISTIC: Final = ec.ECDSA(SHA256(), deterministic_signing=True)
_VERIFYING: Final = ec.ECDSA(SHA256())


class DocumentSigner(Protocol):
    """Whoever can sign a document; no caller looks at ``alg`` (P7.5)."""

    @property
    def alg(self) -> str:
        """Return the algorithm's name in signature objects."""
        ...

    @property
    def kid(self) -> str:
        """Return the key id (P6.1)."""
        ...

    def sign(self, document: bytes) -> SignatureObject:
        """Return the signature object over the exact bytes."""
        ...


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Es256Signer:
    """Signs with a P-256 key and RFC 6979 nonces; prints and compares nothing of the private key (P10)."""

    private_key: ec.EllipticCurvePrivateKey
    spki: bytes = field(init=False)
    kid: str = field(init=False)
    alg: str = field(init=False, default="ES256")

    def __post_init__(self) -> None:
        """Derive the public form and refuse any other curve."""
        if not isinstance(self.private_key.curve, ec.SECP256R1):
            raise InvalidInput("key.not_es256", "the key is not on P-256")
        public = self.private_key.public_key()
        spki = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        object.__setattr__(self, "spki", spki)
        object.__setattr__(self, "kid", sha256_hex(spki))

    @classmethod
    def generate(cls) -> Es256Signer:
        """Return a signer with a fresh key."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def from_scalar(cls, scalar: int) -> Es256Signer:
        """Return the signer of a given private scalar; for test vectors and recovery."""
        return cls(ec.derive_private_key(scalar, ec.SECP256R1()))

    def sign(self, document: bytes) -> SignatureObject:
        """Return the signature object; ``sig`` is R ‖ S, 64 bytes, as WebCrypto makes it."""
        r, s = decode_dss_signature(self.private_key.sign(document, _DETERMINISTIC))
        return {"alg": self.alg, "kid": self.kid, "sig": b64u(r.to_bytes(32) + s.to_bytes(32))}


def sign_document(document: bytes, *signers: DocumentSigner) -> SignedDocument:
    """Return the document with one signature of each signer."""
    return SignedDocument(document, tuple(signer.sign(document) for signer in signers))


def spki_kid(spki: bytes) -> str:
    """Return the key id of a P-256 key in the 91-byte form (P6.1).

    Raises:
        InvalidInput: ``key.not_es256``: another curve, a compressed point, a point off the curve, trailing bytes.
    """
    _public_key(spki)
    return sha256_hex(spki)


@lru_cache(maxsize=1024)
def _public_key(spki: bytes) -> ec.EllipticCurvePublicKey:
    if len(spki) != SPKI_BYTES or not spki.startswith(_SPKI_PREFIX):
        raise InvalidInput("key.not_es256", "not a 91-byte P-256 SubjectPublicKeyInfo with an uncompressed point")
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), spki[len(_SPKI_PREFIX) - 1 :])
    except ValueError as error:
        raise InvalidInput("key.not_es256", "the point is not on P-256") from error


def verify_es256(spki: bytes, document: bytes, signature: Mapping[str, object]) -> None:
    """Return if ``signature`` is an ES256 signature object of this very key over the exact bytes (P7.2).

    Raises:
        InvalidInput: ``sig.invalid``: other algorithm or key, R or S out of 1 … order − 1, or it does not verify;
            ``doc.bad_field`` or ``doc.unknown_field``: not a signature object; ``key.not_es256``.
    """
    checked = read_signature_object(dict(signature))
    if checked["alg"] != "ES256" or checked["kid"] != sha256_hex(spki):
        raise InvalidInput("sig.invalid", "the signature is of another algorithm or key", kid=checked["kid"])
    raw = b64u_decode(checked["sig"])
    if len(raw) != _SIGNATURE_BYTES:
        raise InvalidInput("sig.invalid", "R ‖ S has not 64 bytes", kid=checked["kid"])
    r, s = int.from_bytes(raw[:32]), int.from_bytes(raw[32:])
    if not (0 < r < _ORDER and 0 < s < _ORDER):
        raise InvalidInput("sig.invalid", "R or S is out of range", kid=checked["kid"])
    try:
        _public_key(spki).verify(encode_dss_signature(r, s), document, _VERIFYING)
    except InvalidSignature as error:
        raise InvalidInput("sig.invalid", "the signature does not verify", kid=checked["kid"]) from error


def verify_signature(alg: str, key: bytes, document: bytes, signature: Mapping[str, object]) -> None:
    """Verify with a key of a trust file or register: the callable that pure rules take (P7.5).

    Raises:
        InvalidInput: as ``verify_es256``; ``sig.invalid`` also for an algorithm this release does not verify.
    """
    if alg != "ES256":
        raise InvalidInput("sig.invalid", f"{alg} signatures are not verified by this release")
    verify_es256(key, document, signature)
