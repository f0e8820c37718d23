"""Time stamps of RFC 3161 as the platform asks for them and verifies them before it keeps them (TE1 T8).

``rfc3161-client`` verifies; what it does not look at, or does not name, is read from the DER here. A stored answer
stays as it came. The offline verifier has a reader of its own and shares nothing with this one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from rfc3161_client import (
    HashAlgorithm,
    PKIStatus,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from trading.kernel import der
from trading.kernel.errors import InvalidInput

QUERY_TYPE: Final = "application/timestamp-query"
REPLY_TYPE: Final = "application/timestamp-reply"
MAX_ANSWER: Final = 65_536  # bytes; real ones with their certificates have 3 to 8 kB
_CONTEXT_0: Final = 0xA0
_INSTANT: Final = re.compile(rb"(\d{14})(?:\.(\d{1,9}))?Z")
_SECOND_MS: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request in DER and the random nonce (64 bits) that its answer must repeat."""

    data: bytes
    nonce: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """A verified stamp: ``gen_time`` in ms of the authority's clock, ``imprint`` the SHA-256 that it is about."""

    gen_time: int
    imprint: bytes


def make_request(message: bytes) -> Request:
    """Return a request for a stamp over SHA-256 of ``message``, with a nonce and ``certReq``."""
    made = TimestampRequestBuilder().data(message).hash_algorithm(HashAlgorithm.SHA256)
    request = made.nonce(nonce=True).cert_request(cert_request=True).build()
    if request.nonce is None:
        raise ValueError("a request without a nonce")
    return Request(data=request.as_bytes(), nonce=request.nonce)


def verify_stamp(answer: bytes, message: bytes, roots: Sequence[bytes], *, nonce: int | None = None) -> Stamp:
    """Verify an answer: granted, about ``message``, signed for time stamping by a certificate under one of the roots.

    Args:
        answer: ``TimeStampResp`` in DER, as it came.
        message: What was to be stamped; the imprint is its SHA-256.
        roots: Certificates in DER that the trust file names for this authority.
        nonce: Of the request; None for an answer that was verified with its nonce when it came.

    Raises:
        InvalidInput: ``stamp.malformed``, ``stamp.not_granted``, ``stamp.imprint``, ``stamp.nonce``,
            ``stamp.purpose``, ``stamp.expired`` (the certificate was not valid at ``genTime``),
            ``stamp.unknown_root``, ``stamp.signature``.
    """
    if not roots:
        raise InvalidInput("stamp.unknown_root", "the trust file names no root of this authority")
    decoded = _decode(answer)
    try:  # the library parses some parts only when they are asked for
        _require_content(decoded, message, nonce)
        signer, gen_time = _signer_of(decoded), _gen_time(decoded)
        _require_certificate(signer, gen_time)
    except (ValueError, TypeError, LookupError, StopIteration, x509.InvalidVersion) as error:
        raise InvalidInput("stamp.malformed", str(error)) from error
    trusted = [x509.load_der_x509_certificate(each) for each in roots]
    _require_signature(decoded, sha256(message).digest(), trusted)
    return Stamp(gen_time=gen_time, imprint=decoded.tst_info.message_imprint.message)


def _decode(answer: bytes) -> TimeStampResponse:
    if len(answer) > MAX_ANSWER:
        raise InvalidInput("stamp.malformed", f"{len(answer)} bytes")
    try:
        return decode_timestamp_response(with_sorted_certificates(answer))
    except (ValueError, IndexError) as error:
        raise InvalidInput("stamp.malformed", str(error)) from error


def with_sorted_certificates(answer: bytes) -> bytes:
    """Return the answer with the SET of its certificates in the order that DER wants.

    Some authorities write it in another order, which the library refuses (``InvalidSetOrdering``). No signature covers
    the order. An answer without a token is returned as it is.

    Raises:
        ValueError: Not DER.
    """
    whole = der.one(answer)
    status, *rest = whole.children
    if not rest:
        return answer
    name, wrapped = rest[0].children
    signed = der.one(wrapped.content)
    parts = [
        der.sorted_set(part.tag, [each.raw for each in part.children]) if part.tag == _CONTEXT_0 else part.raw
        for part in signed.children
    ]
    wrapped_again = der.encode(wrapped.tag, der.encode(signed.tag, *parts))
    return der.encode(whole.tag, status.raw, der.encode(rest[0].tag, name.raw, wrapped_again))


def _require_content(decoded: TimeStampResponse, message: bytes, nonce: int | None) -> None:
    """Refuse what was asked for otherwise, before anything is computed with keys."""
    if decoded.status != PKIStatus.GRANTED:
        raise InvalidInput("stamp.not_granted", f"status {decoded.status}: {' '.join(decoded.status_string)}")
    info = decoded.tst_info
    if info.message_imprint.message != sha256(message).digest():
        raise InvalidInput("stamp.imprint", "the stamp is about something else")
    if nonce is not None and info.nonce != nonce:
        raise InvalidInput("stamp.nonce", "the stamp answers another request")


def _signer_of(decoded: TimeStampResponse) -> x509.Certificate:
    signers = list(decoded.signed_data.signer_infos)
    certificates = [x509.load_der_x509_certificate(each) for each in decoded.signed_data.certificates]
    found = [
        each
        for each in certificates
        if len(signers) == 1 and (each.issuer, each.serial_number) == (signers[0].issuer, signers[0].serial_number)
    ]
    if len(found) != 1:
        raise InvalidInput("stamp.malformed", "not exactly one signer with a certificate")
    return found[0]


def _gen_time(decoded: TimeStampResponse) -> int:
    """Return ``genTime`` in ms; the library drops fractions of a second."""
    signed = der.one(der.one(decoded.time_stamp_token()).children[1].content)
    content = next(each for each in signed.children if each.tag == der.SEQUENCE).children[1]
    info = der.one(der.one(content.content).content)
    instant = next(each.content for each in info.children if each.tag == der.TIME)
    match = _INSTANT.fullmatch(instant)
    if match is None:
        raise InvalidInput("stamp.malformed", "genTime of another form")
    moment = datetime.strptime(match[1].decode(), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    return int(moment.timestamp()) * _SECOND_MS + int((match[2] or b"").ljust(3, b"0")[:3])


def _require_certificate(signer: x509.Certificate, gen_time: int) -> None:
    """Name what the library would call an error of verification."""
    try:
        purpose = signer.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except (x509.ExtensionNotFound, ValueError) as error:
        raise InvalidInput("stamp.purpose", "the certificate is not for time stamps") from error
    if not purpose.critical or list(purpose.value) != [ExtendedKeyUsageOID.TIME_STAMPING]:
        raise InvalidInput("stamp.purpose", "not critically for time stamps alone")
    first, last = signer.not_valid_before_utc.timestamp(), signer.not_valid_after_utc.timestamp()
    if not _SECOND_MS * int(first) <= gen_time < _SECOND_MS * int(last):  # as OpenSSL, which ends at the last second
        raise InvalidInput("stamp.expired", "the certificate was not valid at genTime")


def _require_signature(decoded: TimeStampResponse, digest: bytes, trusted: list[x509.Certificate]) -> None:
    try:
        VerifierBuilder(roots=trusted).build().verify(decoded, digest)
    except (VerificationError, ValueError) as error:
        code = "stamp.unknown_root" if "issuer certificate" in str(error) else "stamp.signature"
        raise InvalidInput(code, str(error)[:300]) from error
