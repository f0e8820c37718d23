"""What lawfully differs between two runs of one tender, each with its reason; all else is compared byte for byte.

A pattern is replaced in place by a word that tells its kind: nothing is sorted and nothing left out, so order, number
and place of everything are compared, and a value of another kind is seen.
"""

from __future__ import annotations

import re
from typing import Final

from tests.support.name_readers import Answer

#: Pattern, what stands for it. In this order: a longer form before what it contains.
LAWFUL: Final[tuple[tuple[re.Pattern[bytes], bytes], ...]] = (
    # A form carries a fresh word against forgery.
    (re.compile(rb'name="csrf_token"[^>]*>'), b"<forgery>"),
    # The session of whoever asks is sealed anew with each answer.
    (re.compile(rb"Set-Cookie: mb_session=[^\r\n]*"), b"<session>"),
    # References and ids of bid, draw, account, seat, session, job: they tell nothing (P4).
    (re.compile(rb"(?<![A-Za-z0-9-])T-20[0-9]{2}-[0-9a-z]{8}(?![0-9a-z])"), b"<tender>"),
    (re.compile(rb"(?<![A-Za-z0-9-])D-[0-9a-z]{12}(?![0-9a-z])"), b"<draw>"),
    (re.compile(rb"(?<![A-Za-z0-9-])[a-z]{1,2}-[0-9][0-9a-z]{9,15}(?![0-9a-z])"), b"<id>"),
    (re.compile(rb"(?<![0-9a-zA-Z])[0-9]{19}(?![0-9a-zA-Z])"), b"<row>"),
    # Of a crash or a refusal: its reference, for the operator.
    (re.compile(rb"(?<![A-Za-z0-9-])E-[0-9A-F]{8}(?![0-9A-F])"), b"<error>"),
    # Instants: each run is played at its own pace.
    (re.compile(rb"(?<![0-9])20[0-9]{2}-[0-9]{2}-[0-9]{2}[T ][0-9:.]+(?:Z|[+-][0-9:]+)?"), b"<instant>"),
    (re.compile(rb"(?<![0-9])1[0-9]{12}(?![0-9])"), b"<instant>"),
    (re.compile(rb"(?<![0-9:])[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.][0-9]+)?)?(?![0-9:])"), b"<time>"),
    # Digests, commitments, salts, keys and signatures, over random keys and salts, of lengths that are their kind's.
    (re.compile(rb"(?<![0-9a-f])[0-9a-f]{128}(?![0-9a-f])"), b"<128 hex>"),
    (re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])"), b"<64 hex>"),
    (re.compile(rb"(?<![0-9a-f])(?=[0-9]*[a-f])[0-9a-f]{12,40}(?![0-9a-f])"), b"<short hex>"),
    (re.compile(rb"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{86}(?![A-Za-z0-9_-])"), b"<signature>"),
    (re.compile(rb"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])"), b"<32 bytes>"),
    (re.compile(rb"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{43}="), b"<32 bytes>"),
)
_LENGTH: Final = re.compile(r"Content-Length: [0-9]+")


def comparable(answer: Answer) -> tuple[int, bytes, bytes]:
    """Return status, headers and body with what lawfully differs replaced; the length is that of this body."""
    status, headers, data = answer
    for pattern, instead in LAWFUL:
        data = pattern.sub(instead, data)
    told = _LENGTH.sub(f"Content-Length: {len(data)}", headers).encode()
    for pattern, instead in LAWFUL:
        told = pattern.sub(instead, told)
    return status, told, data
