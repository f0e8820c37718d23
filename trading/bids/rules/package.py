"""The opening package ``sb1.opening-package`` (SB1 S6.2): what the bidder keeps, and needs in the factor window.

It holds both secrets of a bid. It is never stored on the platform and only ever written encrypted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from trading.bids.rules.envelope import Envelope, parse_envelope
from trading.bids.rules.fields import MAX_ENVELOPE, Document, commitment, factor
from trading.kernel.encoding import b64u
from trading.kernel.errors import InvalidInput
from trading.kernel.fields import Reader, Table, b64u_of, digest, instant
from trading.kernel.signed import SignatureObject, SignedDocument, read_signature_object


def _signature(value: object) -> SignatureObject:
    try:
        return read_signature_object(value)
    except InvalidInput as error:
        raise ValueError(error.detail) from error


_SECRET: Final[Reader] = commitment  # same form: 32 bytes of hex

PACKAGE: Final = Table(
    "sb1.opening-package",
    {
        "created": instant,
        "envelope": b64u_of(1, MAX_ENVELOPE),
        "policy_sha256": digest,
        "s_b": factor,
        "s_c": _SECRET,
        "sig": _signature,
    },
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningPackage(Document):
    """A parsed package; the secrets are kept out of ``repr`` (P10)."""

    created: int
    envelope: Envelope
    policy_sha256: str
    s_b: bytes = field(repr=False)
    s_c: bytes = field(repr=False)
    sig: SignatureObject

    @property
    def signed(self) -> SignedDocument:
        """Return the envelope with its signature."""
        return SignedDocument(self.envelope.raw, (self.sig,))


def build_package(signed: SignedDocument, *, created: int, policy_sha256: str, s_c: bytes, s_b: bytes) -> bytes:
    """Return the canonical bytes of the package of a signed envelope. They are secret: encrypt before writing."""
    return PACKAGE.write(
        {
            "created": created,
            "envelope": b64u(signed.doc),
            "policy_sha256": policy_sha256,
            "s_b": s_b.hex(),
            "s_c": s_c.hex(),
            "sig": dict(signed.sigs[0]),
        }
    )


def parse_package(raw: bytes) -> OpeningPackage:
    """Parse a decrypted package.

    Raises:
        InvalidInput: ``doc.…``; ``doc.bad_field`` also if it names another policy than its envelope.
    """
    body = PACKAGE.read(raw)
    envelope = parse_envelope(body.pop("envelope"))
    if body["policy_sha256"] != envelope.policy_sha256:
        raise InvalidInput("doc.bad_field", "sb1.opening-package: policy_sha256 is not that of the envelope")
    return OpeningPackage(raw=raw, envelope=envelope, **body)


def package_name(envelope: Envelope) -> str:
    """Return the file name ``<bid>-<seq>.mbkey``."""
    return f"{envelope.bid}-{envelope.seq}.mbkey"
