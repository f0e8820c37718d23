"""A time-stamping authority of a demonstration: keys, certificates, answers (RFC 3161, RFC 5816).

Real authorities are other organisations. A demonstration has none, and its time is shifted (P13), which no tool of an
authority offers; so it has this small one, whose clock is an argument. It proves nothing and its origin says so.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from trading.crypto.files import read_secret, write_secret
from trading.kernel import der
from trading.kernel.errors import InvalidInput

SHA256_OID: Final = "2.16.840.1.101.3.4.2.1"
ECDSA_SHA256_OID: Final = "1.2.840.10045.4.3.2"
SIGNED_DATA_OID: Final = "1.2.840.113549.1.7.2"
TST_INFO_OID: Final = "1.2.840.113549.1.9.16.1.4"
CONTENT_TYPE_OID: Final = "1.2.840.113549.1.9.3"
MESSAGE_DIGEST_OID: Final = "1.2.840.113549.1.9.4"
CERTIFICATE_V2_OID: Final = "1.2.840.113549.1.9.16.2.47"
POLICY_OID: Final = "1.3.6.1.4.1.32473.1"  # an example's (RFC 5612): the promises of a demonstration are nobody's
_KEY, _SIGNER, _ROOT = "signer.key", "signer.crt", "root.crt"
_LIFE: Final = timedelta(days=36_500)
_CONTEXT_0: Final = 0xA0
_DIGEST_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def der(self) -> bytes:
        """Return the certificate in DER."""
        return self.certificate.public_bytes(serialization.Encoding.DER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a request asks for: the SHA-256 to be stamped, and its nonce if it has one."""

    imprint: bytes
    nonce: int | None


def make_root(name: str, at_ms: int) -> Signer:
    """Return a new root that is valid around ``at_ms``."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(name, name, key, at_ms).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    return Signer(certificate=builder.sign(key, hashes.SHA256()), key=key)


def make_stamper(name: str, root: Signer, at_ms: int) -> Signer:
    """Return a new certificate for time stamps alone, issued by ``root``."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = root.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
    purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
    builder = _builder(name, str(issuer), key, at_ms).add_extension(purpose, critical=True)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    return Signer(certificate=builder.sign(root.key, hashes.SHA256()), key=key)


def new_authority(folder: Path, name: str, at_ms: int) -> None:
    """Make an authority that ``open_authority`` opens. The key of its root signs one certificate and is not kept."""
    root = make_root(f"{name} root", at_ms)
    signer = make_stamper(name, root, at_ms)
    folder.mkdir(mode=0o700, parents=True)
    secret = signer.key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_secret(folder / _KEY, secret)
    (folder / _SIGNER).write_bytes(signer.der)
    (folder / _ROOT).write_bytes(root.der)  # last: with it the authority is complete


def open_authority(folder: Path) -> Signer:
    """Return what an authority signs with.

    Raises:
        InvalidInput: ``key.file_mode``, or ``key.unreadable``.
        FileNotFoundError: No such file.
    """
    key = serialization.load_der_private_key(read_secret(folder / _KEY), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise InvalidInput("key.unreadable", f"{folder / _KEY} is no key on an elliptic curve")
    return Signer(certificate=x509.load_der_x509_certificate((folder / _SIGNER).read_bytes()), key=key)


def roots_in(folder: Path) -> dict[str, bytes]:
    """Return the roots (DER) of the authorities whose folders stand in ``folder``, by name; for a trust file."""
    return {path.parent.name: path.read_bytes() for path in sorted(folder.glob(f"*/{_ROOT}"))}


def _builder(subject: str, issuer: str, key: ec.EllipticCurvePrivateKey, at_ms: int) -> x509.CertificateBuilder:
    moment = _moment(at_ms)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - timedelta(days=1))
        .not_valid_after(moment + _LIFE)
    )


def _moment(at_ms: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=at_ms)


def read_question(data: bytes) -> Question:
    """Read a request (RFC 3161 2.4.1).

    Raises:
        InvalidInput: ``stamp.malformed``: no request, or for another hash than SHA-256.
    """
    try:
        version, imprint, *rest = der.one(data).children
        algorithm, digest = imprint.children
        nonces = [each.number for each in rest if each.tag == der.INTEGER]
        named = algorithm.children[0].raw
    except (ValueError, IndexError) as error:
        raise InvalidInput("stamp.malformed", "not a request for a time stamp") from error
    if version.number != 1 or named != der.oid(SHA256_OID) or len(digest.content) != _DIGEST_BYTES:
        raise InvalidInput("stamp.malformed", "not a request of version 1 for SHA-256")
    return Question(imprint=digest.content, nonce=nonces[0] if nonces else None)


def answer(signer: Signer, question: Question, *, serial: int, at_ms: int) -> bytes:
    """Return the answer that grants a stamp: a ``TimeStampResp`` in DER with the instant ``at_ms``."""
    return response(token(signer, tst_info(question, serial=serial, at_ms=at_ms)))


def response(stamp: bytes) -> bytes:
    """Return a ``TimeStampResp`` with status granted."""
    return der.encode(der.SEQUENCE, der.encode(der.SEQUENCE, der.integer(0)), stamp)


def tst_info(question: Question, *, serial: int, at_ms: int) -> bytes:
    """Return the ``TSTInfo`` (RFC 3161 2.4.2)."""
    seconds, ms = divmod(at_ms, 1000)
    fraction = f".{ms:03}".rstrip("0") if ms else ""  # DER: no zeros at the end (X.690 11.7)
    instant = f"{_moment(1000 * seconds):%Y%m%d%H%M%S}{fraction}Z".encode()
    nonce = b"" if question.nonce is None else der.integer(question.nonce)
    imprint = der.encode(der.SEQUENCE, _algorithm(SHA256_OID), der.encode(der.OCTETS, question.imprint))
    head = (der.integer(1), der.oid(POLICY_OID), imprint, der.integer(serial), der.encode(der.TIME, instant))
    return der.encode(der.SEQUENCE, *head, nonce)


def token(signer: Signer, info: bytes, *, bound_to: bytes | None = None) -> bytes:
    """Return the signed token around ``info`` (RFC 5652).

    ``bound_to`` is the certificate that the token is bound to (ESSCertIDv2), that of the signer unless given.
    """
    certificate = signer.certificate
    bound = hashlib.sha256(bound_to or signer.der).digest()
    # SigningCertificateV2: a row of one ESSCertIDv2, whose hash algorithm is the default, SHA-256 (RFC 5035).
    cert_id = der.encode(der.SEQUENCE, der.encode(der.OCTETS, bound))
    signing_certificate = der.encode(der.SEQUENCE, der.encode(der.SEQUENCE, cert_id))
    attributes = [
        _attribute(CONTENT_TYPE_OID, der.oid(TST_INFO_OID)),
        _attribute(MESSAGE_DIGEST_OID, der.encode(der.OCTETS, hashlib.sha256(info).digest())),
        _attribute(CERTIFICATE_V2_OID, signing_certificate),
    ]
    signature = signer.key.sign(der.sorted_set(der.SET, attributes), ec.ECDSA(hashes.SHA256()))
    named = der.encode(der.SEQUENCE, certificate.issuer.public_bytes(), der.integer(certificate.serial_number))
    signer_info = der.encode(
        der.SEQUENCE,
        der.integer(1),
        named,
        _algorithm(SHA256_OID),
        der.sorted_set(_CONTEXT_0, attributes),
        der.encode(der.SEQUENCE, der.oid(ECDSA_SHA256_OID)),
        der.encode(der.OCTETS, signature),
    )
    content = der.encode(der.SEQUENCE, der.oid(TST_INFO_OID), der.encode(_CONTEXT_0, der.encode(der.OCTETS, info)))
    algorithms, signers = der.encode(der.SET, _algorithm(SHA256_OID)), der.encode(der.SET, signer_info)
    certificates = der.encode(_CONTEXT_0, signer.der)
    signed = der.encode(der.SEQUENCE, der.integer(3), algorithms, content, certificates, signers)
    return der.encode(der.SEQUENCE, der.oid(SIGNED_DATA_OID), der.encode(_CONTEXT_0, signed))


def _attribute(name: str, value: bytes) -> bytes:
    return der.encode(der.SEQUENCE, der.oid(name), der.encode(der.SET, value))


def _algorithm(name: str) -> bytes:
    return der.encode(der.SEQUENCE, der.oid(name))
