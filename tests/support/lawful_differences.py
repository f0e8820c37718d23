"""What lawfully differs between two runs of one tender, each with its reason; all else is compared byte for byte.

A pattern is replaced in place by a word that tells its kind: nothing is sorted and nothing left out, so order, number
and place of everything are compared, and a value of another kind is seen. Documents in base64 are read, not skipped.
"""

from __future__ import annotations

import re
from base64 import b64decode, urlsafe_b64decode
from typing import Final

import pypdfium2

from tests.support.name_readers import Answer
from trading.demo import cast

_BASE64: Final = re.compile(rb"[A-Za-z0-9+/]{60,}={1,2}|(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{60,}(?![A-Za-z0-9_-])")
_HEX: Final = re.compile(rb"[0-9a-f]{64}|[0-9a-f]{128}")
#: The draw numbers its custodians by their keys, which are random: which of them is which.
_CUSTODIANS: Final = "|".join(re.escape(name) for each in cast.CUSTODIANS for name in (each.name_zh, each.name_en))

#: Pattern, what stands for it. In this order: a longer form before what it contains.
LAWFUL: Final[tuple[tuple[re.Pattern[bytes], bytes], ...]] = (
    # A form carries a fresh word against forgery.
    (re.compile(rb'name="csrf_token"[^>]*>'), b"<forgery>"),
    # The session of whoever asks is sealed anew with each answer.
    (re.compile(rb"Set-Cookie: mb_session=[^\r\n]*"), b"<session>"),
    # What a page has made and takes back from its form is packed and sealed with the instant.
    (re.compile(rb'(?<=name="offer" type="hidden" value=")[^"]+'), b"<offer>"),
    # Witnesses listen on a free port.
    (re.compile(rb"(?<=http://127[.]0[.]0[.]1:)[0-9]+"), b"<port>"),
    # How long a bid waited for its receipt.
    (re.compile(rb'"queue_ms":[0-9]+'), b"<time>"),
    # How long the log was when bids closed: others write to it at their own pace.
    (re.compile(rb'"heartbeat_size":[0-9]+'), b"<size>"),
    # References and ids of bid, draw, account, seat, session, job: they tell nothing (P4).
    (re.compile(rb"(?<![A-Za-z0-9])T-20[0-9]{2}-[0-9a-z]{8}(?![0-9a-z])"), b"<tender>"),
    (re.compile(rb"(?<![A-Za-z0-9-])D-[0-9a-z]{12}(?![0-9a-z])"), b"<draw>"),
    (re.compile(rb"(?<![A-Za-z0-9-])[a-z]{1,2}-[0-9][0-9a-z]{9,15}(?![0-9a-z])"), b"<id>"),
    (re.compile(rb"(?<![A-Za-z0-9-])0000[0-9a-z]{6,12}(?![0-9a-z])"), b"<id>"),  # counted up by ordered_ids
    (re.compile(rb"(?<![0-9a-zA-Z])[0-9]{19}(?![0-9a-zA-Z])"), b"<row>"),
    # Of a crash or a refusal: its reference, for the operator.
    (re.compile(rb"(?<![A-Za-z0-9-])E-[0-9A-F]{8}(?![0-9A-F])"), b"<error>"),
    # Digests, commitments, salts and keys, over random keys and salts, of lengths that are their kind's; as shown, too.
    (re.compile(rb"(?<![0-9a-f])(?:[0-9a-f]{8}(?:<wbr>|\s+)){7}[0-9a-f]{8}(?![0-9a-f])"), b"<64 hex>"),
    (re.compile(rb"(?<![0-9a-f])(?:[0-9a-f]{4} ){4}[0-9a-f]{4}(?![0-9a-f])"), b"<20 hex>"),
    (re.compile(rb"(?<![0-9a-f])[0-9a-f]{128}(?![0-9a-f])"), b"<128 hex>"),
    (re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])"), b"<64 hex>"),
    (re.compile(rb"(?<![0-9a-f])(?=[0-9]*[a-f])[0-9a-f]{12,40}(?![0-9a-f])"), b"<short hex>"),
    (re.compile(rb"(?:(?<![A-Za-z0-9+/])|(?<=\\n))[A-Za-z0-9+/]{43}="), b"<32 bytes>"),
    (re.compile(rb"(?:[A-Za-z0-9+/]{8}\s+){5}[A-Za-z0-9+/]{3}="), b"<32 bytes>"),
    (re.compile(rb"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])"), b"<32 bytes>"),
    # A paper to be signed is saved under the beginning of its digest.
    (re.compile(rb"(?<![A-Za-z0-9-])(?:mb|sb1)-[a-z]+-[0-9a-f]{8}(?=[.]json)"), b"<paper>"),
    # Keys are listed by their digest: whose comes first.
    (re.compile(rb'(?<="kid":"<64 hex>",)"org":"[0-9A-Z]{18}","registered_n":[0-9]+'), b"<whose>"),
    # Instants and what is left until then: each run is played at its own pace.
    (re.compile(rb'(?<=class="countdown" )data-until="[0-9]+">[^<]+'), b"<countdown>"),
    (re.compile(rb"(?<![0-9])20[0-9]{2}-[0-9]{2}-[0-9]{2}[T ][0-9:.]+(?:Z|[+-][0-9:]+)?"), b"<instant>"),
    (re.compile(rb"(?<![0-9])1[0-9]{12}(?![0-9])"), b"<instant>"),
    (re.compile(rb"(?<![0-9:])[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.][0-9]+)?)?(?![0-9:])"), b"<time>"),
    # Which place of the list a draw calls, told to the auditor; whose it is knows the contact service alone (ED1 D10).
    (re.compile(rb"(?<=notice <draw> )[0-9]+ index [0-9]+(?=<)"), b"<place>"),
    # Files of bidders are compressed; how far depends on the digests in them.
    (re.compile(rb'(?<="sha256":"<64 hex>",)"size":[0-9]+'), b"<size>"),
    (re.compile(_CUSTODIANS.encode()), b"<custodian>"),
)
_LENGTH: Final = re.compile(r"Content-Length: [0-9]+")


def comparable(answer: Answer) -> tuple[int, bytes, bytes]:
    """Return status, headers and body with what lawfully differs replaced; the length is that of this body."""
    status, headers, data = answer
    body = replaced(text_of(data) if data.startswith(b"%PDF") else data)
    return status, replaced(_LENGTH.sub(f"Content-Length: {len(body)}", headers).encode()), body


def replaced(data: bytes) -> bytes:
    """Return bytes with what lawfully differs replaced, in the documents that they carry, too."""
    data = _BASE64.sub(_read, data)
    for pattern, instead in LAWFUL:
        data = pattern.sub(instead, data)
    return data


def _read(found: re.Match[bytes]) -> bytes:
    """Return the text that lies in base64; what is no text is a key, a signature, a ciphertext, of a certain length."""
    data = found[0]
    if _HEX.fullmatch(data):
        return data
    try:
        raw = b64decode(data) if data.endswith(b"=") else urlsafe_b64decode(data + b"=" * (-len(data) % 4))
        raw.decode()
    except ValueError:
        return b"<%d of base64>" % len(data)
    return replaced(raw)


def text_of(pdf: bytes) -> bytes:
    """Return what stands in a PDF file: its compressed bytes follow from every digest printed in it."""
    document = pypdfium2.PdfDocument(pdf)
    told = "\n".join(f"{name}: {value}" for name, value in sorted(document.get_metadata_dict().items()))
    return "\n".join([told, *(page.get_textpage().get_text_bounded() for page in document)]).encode()
