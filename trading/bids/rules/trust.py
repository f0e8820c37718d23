"""The trust file ``mb.trust``: whom the reader believes (P8). It never comes with the thing that is checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from trading.bids.rules.fields import Document
from trading.kernel.digests import sha256_hex
from trading.kernel.errors import InvalidInput
from trading.kernel.fields import (
    Table,
    array,
    b64u_of,
    digest,
    instant,
    integer,
    nullable,
    one_of,
    record,
    sorted_by,
    text,
)

ROLES: Final = ("agency", "bidder", "centre", "contributor", "custodian", "station-operator", "supervisor", "ack")
_MAX_DER: Final = 16384
_DEMO_ORIGIN: Final = "demo."


@dataclass(frozen=True, slots=True, kw_only=True)
class Institution:
    """One pinned key: ``key`` is the SPKI or certificate in DER; the same ``name`` means the same organisation."""

    alg: str
    key: bytes
    kid: str
    name: str
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeStamper:
    """One time-stamping authority with its root certificate in DER."""

    cert: bytes
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustFile(Document):
    """``mb.trust``. ``log_policy`` is the whole C2SP tlog-policy text."""

    institutions: tuple[Institution, ...]
    issued: int
    log_policy: str
    origin: str
    release_sha256: tuple[str, ...]
    seq: int
    supersedes: str | None
    tsa: tuple[TimeStamper, ...]
    x509_roots: tuple[bytes, ...]

    @property
    def demo(self) -> bool:
        """Return whether it is of demo mode, which its origin says (P13)."""
        return self.origin.startswith(_DEMO_ORIGIN)

    def institution(self, kid: str) -> Institution | None:
        """Return the institution whose key has this id."""
        return next((item for item in self.institutions if item.kid == kid), None)


_DER: Final = b64u_of(1, _MAX_DER)
_INSTITUTION: Final = record(
    {
        "alg": one_of("ES256", "CMS", "SM2SM3"),
        "key": _DER,
        "kid": digest,
        "name": text,
        "role": one_of(*ROLES),
    },
    Institution,
)
TRUST: Final = Table(
    "mb.trust",
    {
        "institutions": sorted_by(lambda item: item.kid, _INSTITUTION),
        "issued": instant,
        "log_policy": text,
        "origin": text,
        "release_sha256": array(digest),
        "seq": integer(1),
        "supersedes": nullable(digest),
        "tsa": array(record({"cert": _DER, "name": text}, TimeStamper)),
        "x509_roots": array(_DER),
    },
)


def parse_trust(raw: bytes) -> TrustFile:
    """Parse a trust file; every ``kid`` must be that of its key (P6.1).

    Raises:
        InvalidInput: ``doc.…``.
    """
    trust = TrustFile(raw=raw, **TRUST.read(raw))
    for item in trust.institutions:
        if sha256_hex(item.key) != item.kid:
            raise InvalidInput("doc.bad_field", f"mb.trust: the kid of {item.name} is not that of its key")
    if (trust.supersedes is None) != (trust.seq == 1):
        raise InvalidInput("doc.bad_field", "mb.trust: supersedes is null exactly for seq 1")
    return trust
