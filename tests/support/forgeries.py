"""Answers of authorities that are wrong in one respect each, and under which code the platform refuses them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.support.authorities import forged_signer, question
from trading.crypto.authority import Signer, answer, make_root, make_stamper
from trading.crypto.stamps import MAX_ANSWER
from trading.kernel import der

AT = 1_769_000_000_123
DAY = 86_400_000
MESSAGE = b"log.example/audit\n3\nCT005MzG8BepBCYrOEmR5bmh+F6vMgTO5qVVEhjhKlM=\n"
ROOT = make_root("root", AT)
SIGNER = make_stamper("tsa", ROOT, AT)


def stamped(signer: Signer = SIGNER, message: bytes = MESSAGE, at_ms: int = AT) -> bytes:
    return answer(signer, question(message), serial=7, at_ms=at_ms)


def with_certificates_reversed(reply: bytes) -> bytes:
    status, whole = der.one(reply).children
    name, wrapped = whole.children
    parts = [
        der.encode(0xA0, *(each.raw for each in reversed(part.children))) if part.tag == 0xA0 else part.raw
        for part in der.one(wrapped.content).children
    ]
    signed = der.encode(0xA0, der.encode(der.SEQUENCE, *parts))
    return der.encode(der.SEQUENCE, status.raw, der.encode(der.SEQUENCE, name.raw, signed))


def rejected() -> bytes:
    return der.encode(der.SEQUENCE, der.encode(der.SEQUENCE, der.integer(2)))


FORGERIES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "about another text": ("stamp.imprint", lambda: stamped(message=b"another")),
    "no purpose": ("stamp.purpose", lambda: stamped(forged_signer(ROOT, AT, purposes=()))),
    "purpose not critical": ("stamp.purpose", lambda: stamped(forged_signer(ROOT, AT, critical=False))),
    "another purpose": (
        "stamp.purpose",
        lambda: stamped(forged_signer(ROOT, AT, purposes=(ExtendedKeyUsageOID.CODE_SIGNING,))),
    ),
    "several purposes": (
        "stamp.purpose",
        lambda: stamped(
            forged_signer(ROOT, AT, purposes=(ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.CODE_SIGNING))
        ),
    ),
    "expired at genTime": ("stamp.expired", lambda: stamped(forged_signer(ROOT, AT, days=(-9, -1)))),
    "not yet valid at genTime": ("stamp.expired", lambda: stamped(forged_signer(ROOT, AT, days=(1, 9)))),
    "root of another authority": ("stamp.unknown_root", lambda: stamped(make_stamper("x", make_root("other", AT), AT))),
    "root of the same name": ("stamp.signature", lambda: stamped(make_stamper("x", make_root("root", AT), AT))),
    "signed by another key": ("stamp.signature", lambda: stamped(replace(SIGNER, key=make_root("x", AT).key))),
    "rejected by the authority": ("stamp.not_granted", rejected),
    "nothing": ("stamp.malformed", lambda: b""),
    "not DER": ("stamp.malformed", lambda: b"<html>"),
    "cut off": ("stamp.malformed", lambda: stamped()[:-1]),
    "too long": ("stamp.malformed", lambda: bytes(MAX_ANSWER + 1)),
    "something behind it": ("stamp.malformed", lambda: stamped() + b"\x05\x00"),
}
