"""Bidders' keys as they reach a reader: ``mb.key-enrol`` documents, believed only through the log (P5.5, P6.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from trading.kernel import fields
from trading.kernel.digests import sha256_hex

_MAX_KEY: Final = 16_384
ENROLMENT: Final = fields.Table(
    "mb.key-enrol",
    {
        "account": fields.text,
        "alg": fields.one_of("ES256", "CMS", "SM2SM3"),
        "challenge": fields.hex_of(32),
        "created": fields.instant,
        "key": fields.b64u_of(1, _MAX_KEY),
        "org": fields.matching(r"[0-9A-Z]{8,32}"),
        "role": fields.text,
    },
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolledKey:
    """A key with its name. That it belongs to the organisation is shown by ``key.registered`` alone."""

    alg: str
    key: bytes
    kid: str


def read_enrolment(raw: bytes) -> EnrolledKey:
    """Return the key that an ``mb.key-enrol`` carries; raises ``InvalidInput`` with a code of P11."""
    content = ENROLMENT.read(raw)
    return EnrolledKey(alg=content["alg"], key=content["key"], kid=sha256_hex(content["key"]))
