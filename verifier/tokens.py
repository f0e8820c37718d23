"""Reader of RFC 3161 time-stamp tokens: a DER walk, the signed attributes, the signature, direct issuers (TE1 T8).

Two ways to say no: ``TokenFault`` is a token that is wrong, ``TokenUnreadable`` one in a form that this reader does not
know, which must not be taken for a wrong one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone
from hashlib import new as new_hash

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

TOKEN_LIMIT = 65536
LONGEST_CHAIN = 5
TAG_INTEGER, TAG_OCTETS, TAG_OID, TAG_TIME = 0x02, 0x04, 0x06, 0x18
TAG_SEQUENCE, TAG_SET, TAG_CONTEXT_0 = 0x30, 0x31, 0xA0
DER_NULL = b"\x05\x00"
# Contents of object identifiers, without tag and length.
OID_SIGNED_DATA = bytes.fromhex("2a864886f70d010702")
OID_TST_INFO = bytes.fromhex("2a864886f70d0109100104")
OID_CONTENT_TYPE = bytes.fromhex("2a864886f70d010903")
OID_MESSAGE_DIGEST = bytes.fromhex("2a864886f70d010904")
OID_CERT_ID_V1 = bytes.fromhex("2a864886f70d010910020c")
OID_CERT_ID_V2 = bytes.fromhex("2a864886f70d010910022f")
DIGEST_NAMES = {
    bytes.fromhex("608648016503040201"): "sha256",
    bytes.fromhex("608648016503040202"): "sha384",
    bytes.fromhex("608648016503040203"): "sha512",
}
#: Signature algorithm to the digest that it names; ``None`` where the signer's digest algorithm says it.
SIGNATURE_DIGESTS = {
    bytes.fromhex("2a864886f70d010101"): None,
    bytes.fromhex("2a864886f70d01010b"): "sha256",
    bytes.fromhex("2a864886f70d01010c"): "sha384",
    bytes.fromhex("2a864886f70d01010d"): "sha512",
    bytes.fromhex("2a8648ce3d040302"): "sha256",
    bytes.fromhex("2a8648ce3d040303"): "sha384",
    bytes.fromhex("2a8648ce3d040304"): "sha512",
}
HASH_OBJECTS = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}
GENERALIZED_TIME = re.compile(rb"(\d{14})(?:\.(\d{0,8}[1-9]))?Z\Z")


class TokenFault(ValueError):
    """The token is not what it claims to be."""


class TokenUnreadable(ValueError):
    """The token has a form, a version or an algorithm that this reader does not know."""


@dataclass(frozen=True)
class Node:
    """One DER element: tag, content, and all of its bytes."""

    tag: int
    body: bytes
    raw: bytes


@dataclass(frozen=True)
class Token:
    """What a granted answer holds. ``info`` are the bytes of TSTInfo; ``attributes`` the signed ones by their names."""

    gen_time: int
    imprint: bytes
    info: bytes
    signed: bytes
    attributes: dict[bytes, Node]
    digest: str
    signature: bytes
    signer: x509.Certificate
    others: list[x509.Certificate]


def der_nodes(data: bytes) -> list[Node]:
    """Return the elements that follow each other in ``data``.

    Raises:
        TokenUnreadable: Not DER with short tags and definite lengths of minimal form.
    """
    found, at = [], 0
    while at < len(data):
        body_at, length = at + 2, data[at + 1] if at + 1 < len(data) else -1
        if length > 0x80:
            body_at += length - 0x80
            length = int.from_bytes(data[at + 2 : body_at], "big")
            if body_at > len(data) or data[at + 2] == 0 or length < 0x80:
                raise TokenUnreadable("not DER: a length in another form")
        elif length == 0x80:
            raise TokenUnreadable("not DER: a length without an end")
        if length < 0 or body_at + length > len(data) or data[at] & 0x1F == 0x1F:
            raise TokenUnreadable("not DER")
        found.append(Node(data[at], data[body_at : body_at + length], data[at : body_at + length]))
        at = body_at + length
    return found


def der_children(node: Node, tag: int, least: int = 1) -> list[Node]:
    """Return the elements inside ``node``, which must have this tag and at least so many of them."""
    children = der_nodes(node.body) if node.tag == tag else []
    if len(children) < least:
        raise TokenUnreadable("an element is missing or of another kind")
    return children


def der_only(data: bytes, tag: int) -> Node:
    """Return the only element of ``data``, which must have this tag."""
    nodes = der_nodes(data)
    if len(nodes) != 1 or nodes[0].tag != tag:
        raise TokenUnreadable("not one element of the expected kind")
    return nodes[0]


def read_token(data: bytes) -> Token:
    """Read a ``TimeStampResp``; nothing is verified.

    Raises:
        TokenFault: It does not grant a stamp.
        TokenUnreadable: Another form.
    """
    if len(data) > TOKEN_LIMIT:
        raise TokenUnreadable(f"{len(data)} bytes")
    parts = der_children(der_only(data, TAG_SEQUENCE), TAG_SEQUENCE)
    if der_children(parts[0], TAG_SEQUENCE)[0].raw != b"\x02\x01\x00":
        raise TokenFault("the authority did not grant it")
    if len(parts) != 2 or len(der_nodes(parts[0].body)) != 1:
        raise TokenUnreadable("a granted answer without a token, or with texts")
    name, wrapped = _pair(parts[1])
    if name.body != OID_SIGNED_DATA or wrapped.tag != TAG_CONTEXT_0:
        raise TokenUnreadable("no signed data")
    fields = der_children(der_only(wrapped.body, TAG_SEQUENCE), TAG_SEQUENCE, 5)
    if len(fields) != 5 or fields[0].raw != b"\x02\x01\x03" or fields[3].tag != TAG_CONTEXT_0:
        raise TokenUnreadable("signed data of another version, without certificates, or with revocation lists")
    info = _tst_info(fields[2])
    gen_time, imprint = _stamped(info)
    signer_info = der_only(der_only(fields[4].raw, TAG_SET).body, TAG_SEQUENCE)
    return _signed_token(signer_info, fields[1], fields[3], info, gen_time, imprint)


def _pair(node: Node) -> tuple[Node, Node]:
    children = der_children(node, TAG_SEQUENCE, 2)
    if len(children) != 2 or children[0].tag != TAG_OID:
        raise TokenUnreadable("not a name and a value")
    return children[0], children[1]


def _tst_info(content: Node) -> bytes:
    name, wrapped = _pair(content)
    if name.body != OID_TST_INFO or wrapped.tag != TAG_CONTEXT_0:
        raise TokenUnreadable("not a time stamp")
    return der_only(wrapped.body, TAG_OCTETS).body


def _stamped(info: bytes) -> tuple[int, bytes]:
    """Return genTime in ms and the imprint, which must be by SHA-256."""
    fields = der_children(der_only(info, TAG_SEQUENCE), TAG_SEQUENCE, 5)
    algorithm, hashed = der_children(fields[2], TAG_SEQUENCE, 2)[:2]
    instant = GENERALIZED_TIME.match(fields[4].body)
    if fields[0].raw != b"\x02\x01\x01" or fields[4].tag != TAG_TIME or instant is None or hashed.tag != TAG_OCTETS:
        raise TokenUnreadable("TSTInfo of another version or form")
    if _digest_name(algorithm) != "sha256":
        raise TokenUnreadable("an imprint by another hash than SHA-256")
    try:
        moment = datetime.strptime(instant.group(1).decode(), "%Y%m%d%H%M%S").replace(tzinfo=timezone.utc)
    except ValueError as error:
        raise TokenUnreadable("genTime is no instant") from error
    fraction = (instant.group(2) or b"").ljust(3, b"0")[:3]
    return 1000 * int(moment.timestamp()) + int(fraction), hashed.body


def _algorithm(node: Node) -> bytes:
    parts = der_children(node, TAG_SEQUENCE)
    if parts[0].tag != TAG_OID or [part.raw for part in parts[1:]] not in ([], [DER_NULL]):
        raise TokenUnreadable("an algorithm with parameters")
    return parts[0].body


def _digest_name(node: Node) -> str:
    name = DIGEST_NAMES.get(_algorithm(node))
    if name is None:
        raise TokenUnreadable("an unknown hash algorithm")
    return name


def _signed_token(node: Node, algorithms: Node, held: Node, info: bytes, gen_time: int, imprint: bytes) -> Token:
    fields = der_children(node, TAG_SEQUENCE, 6)
    if len(fields) != 6 or fields[0].raw != b"\x02\x01\x01" or fields[3].tag != TAG_CONTEXT_0:
        raise TokenUnreadable("a signer of another version, or with unsigned attributes")
    digest = _digest_name(fields[2])
    named = SIGNATURE_DIGESTS.get(_algorithm(fields[4]), "")
    if named == "" or fields[5].tag != TAG_OCTETS:
        raise TokenUnreadable("an unknown signature algorithm")
    if named not in (None, digest) or fields[2].raw not in [each.raw for each in der_children(algorithms, TAG_SET)]:
        raise TokenFault("its algorithms contradict each other")
    issuer, serial = der_children(fields[1], TAG_SEQUENCE, 2)[:2]
    own = [
        each.raw for each in der_nodes(held.body) if [name.raw for name in _names(each.raw)] == [issuer.raw, serial.raw]
    ]
    if len(own) != 1:
        raise TokenFault("the certificate of its signer is not in it")
    others = [_certificate(each.raw) for each in der_nodes(held.body) if each.raw != own[0]]
    signed = bytes([TAG_SET]) + fields[3].raw[1:]
    attributes = _attributes(fields[3])
    return Token(gen_time, imprint, info, signed, attributes, digest, fields[5].body, _certificate(own[0]), others)


def _attributes(node: Node) -> dict[bytes, Node]:
    found: dict[bytes, Node] = {}
    for each in der_nodes(node.body):
        name, values = _pair(each)
        if name.body in found:
            raise TokenFault("a signed attribute stands twice")
        found[name.body] = values
    return found


def _certificate(data: bytes) -> x509.Certificate:
    serial = _names(data)[1]
    if serial.tag != TAG_INTEGER or not int.from_bytes(serial.body, "big", signed=True) > 0:
        raise TokenUnreadable("a certificate whose serial number is not positive")
    try:
        return x509.load_der_x509_certificate(data)
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise TokenUnreadable(f"a certificate: {error}") from error


def _names(certificate: bytes) -> tuple[Node, Node]:
    """Return issuer and serial number of a certificate as they stand in it, byte for byte."""
    body = der_children(der_only(certificate, TAG_SEQUENCE), TAG_SEQUENCE)[0]
    fields = der_children(body, TAG_SEQUENCE, 6)
    if fields[0].tag != TAG_CONTEXT_0:
        raise TokenUnreadable("a certificate of version 1")
    return fields[3], fields[1]


def verify_token(data: bytes, text: bytes, roots: list[bytes], *, imprinted: bool = True, purposed: bool = True) -> int:
    """Verify an answer over ``text`` under root certificates in DER and return its genTime in ms.

    ``imprinted`` and ``purposed`` are switched off only by the negative controls of the tests.

    Raises:
        TokenFault: Not granted, about something else, signed by nobody who may, or signed wrongly.
        TokenUnreadable: Another form.
    """
    token = read_token(data)
    if imprinted and token.imprint != new_hash("sha256", text).digest():
        raise TokenFault("it is about something else than this checkpoint")
    _require_attributes(token)
    _require_signature(token)
    if purposed:
        _require_purpose(token.signer)
    _require_valid(token.signer, token.gen_time)
    _require_chain(token, [_certificate(root) for root in roots])
    return token.gen_time


def _attribute(token: Token, name: bytes, tag: int) -> Node | None:
    values = token.attributes.get(name)
    return None if values is None else der_only(der_only(values.raw, TAG_SET).body, tag)


def _require_attributes(token: Token) -> None:
    kind = _attribute(token, OID_CONTENT_TYPE, TAG_OID)
    digest = _attribute(token, OID_MESSAGE_DIGEST, TAG_OCTETS)
    if kind is None or kind.body != OID_TST_INFO:
        raise TokenFault("what is signed is no time stamp")
    if digest is None or digest.body != new_hash(token.digest, token.info).digest():
        raise TokenFault("the signed digest is not that of the stamp")
    old, newer = (_attribute(token, name, TAG_SEQUENCE) for name in (OID_CERT_ID_V1, OID_CERT_ID_V2))
    if old is None and newer is None:
        raise TokenFault("it is not bound to a certificate (ESSCertID)")
    if old is not None:
        _require_bound(token, old, versioned=False)
    if newer is not None:
        _require_bound(token, newer, versioned=True)


def _require_bound(token: Token, attribute: Node, *, versioned: bool) -> None:
    """Compare the first ESSCertID or ESSCertIDv2 with the certificate of the signer (RFC 5035, RFC 5816)."""
    first = der_children(der_children(attribute, TAG_SEQUENCE)[0], TAG_SEQUENCE)[0]
    fields = der_children(first, TAG_SEQUENCE)
    name = "sha256" if versioned else "sha1"
    if versioned and fields[0].tag == TAG_SEQUENCE:
        name, fields = _digest_name(fields[0]), fields[1:]
    if not fields or fields[0].tag != TAG_OCTETS:
        raise TokenUnreadable("an ESSCertID of another form")
    certificate = token.signer.public_bytes(Encoding.DER)
    if fields[0].body != new_hash(name, certificate).digest():
        raise TokenFault("it is bound to another certificate than that of its signer")


def _require_signature(token: Token) -> None:
    key, algorithm = token.signer.public_key(), HASH_OBJECTS[token.digest]
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(token.signature, token.signed, padding.PKCS1v15(), algorithm)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(token.signature, token.signed, ec.ECDSA(algorithm))
        else:
            raise TokenUnreadable("a key that is neither RSA nor on an elliptic curve")
    except InvalidSignature as error:
        raise TokenFault("its signature does not verify") from error
    except UnsupportedAlgorithm as error:
        raise TokenUnreadable(str(error)) from error


def _require_purpose(signer: x509.Certificate) -> None:
    """RFC 3161 2.3: the certificate is for time stamps alone, and says so in a critical extension."""
    try:
        purpose = signer.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except (x509.ExtensionNotFound, ValueError) as error:
        raise TokenFault("the certificate of its signer is not for time stamps") from error
    if not purpose.critical or list(purpose.value) != [ExtendedKeyUsageOID.TIME_STAMPING]:
        raise TokenFault("the certificate of its signer is not critically for time stamps alone")


def _require_valid(certificate: x509.Certificate, gen_time: int) -> None:
    first = int(certificate.not_valid_before_utc.timestamp())
    last = int(certificate.not_valid_after_utc.timestamp())
    if not first <= gen_time // 1000 <= last:
        raise TokenFault(f"the certificate of {certificate.subject.rfc4514_string()} was not valid at genTime")


def _require_chain(token: Token, roots: list[x509.Certificate]) -> None:
    """Go from issuer to issuer, each directly, up to a root of the trust file; those between must be authorities."""
    current, left = token.signer, list(token.others)
    for _ in range(LONGEST_CHAIN):
        if current in roots:
            return
        issuer = next((root for root in roots if _issued(current, root)), None)
        if issuer is not None:
            _require_valid(issuer, token.gen_time)
            return
        issuer = next((each for each in left if _is_authority(each) and _issued(current, each)), None)
        if issuer is None:
            break
        _require_valid(issuer, token.gen_time)
        left.remove(issuer)
        current = issuer
    raise TokenFault("no chain to a root that the trust file names for this authority")


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        return False
