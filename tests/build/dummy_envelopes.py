"""Bids that cost nothing to seal: every field has its form and length, what should be ciphertext is random.

The platform cannot tell them from real ones, which is the point of sealing: it checks form, size and signature only.
For storms of thousands of submissions; nobody can ever open them.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, BinaryIO

from tests.build.market import Market, OpenLot, Party
from trading.bids.rules.context import BidContext
from trading.bids.rules.fields import AGE, SEALED_SHARE_BYTES
from trading.bids.tables import part
from trading.crypto.envelope import age_body_size
from trading.crypto.signatures import SignedDocument, sign_document
from trading.kernel.canonical import dumps
from trading.kernel.digests import sha256_hex
from trading.kernel.encoding import b64, b64u
from trading.storage.objects import CHUNK, MAX_PART, Saved

WITHDRAWN_EVERY = 7


@dataclass
class MemoryPieces:
    """Pieces of uploads that are gone with the test."""

    _pieces: dict[tuple[str, str], bytes] = field(default_factory=dict)
    origin: str = ""

    def destination(self, upload: str, name: str, size: int, sha256: str) -> None:
        """Nobody reaches the memory of a test."""

    def size(self, upload: str, name: str) -> int | None:
        return len(self._pieces[upload, name]) if (upload, name) in self._pieces else None

    def put(self, upload: str, source: BinaryIO) -> tuple[str, int]:
        name, data = secrets.token_hex(8), source.read()
        self._pieces[upload, name] = data
        return name, len(data)

    def chunks(self, upload: str, names: Iterable[str]) -> Iterator[bytes]:
        yield from (self._pieces[upload, name] for name in names)

    def drop(self, upload: str, name: str) -> None:
        self._pieces.pop((upload, name), None)

    def discard(self, upload: str) -> None:
        for each in [each for each in self._pieces if each[0] == upload]:
            del self._pieces[each]

    def uploads(self) -> Iterator[str]:
        yield from {upload for upload, _ in self._pieces}


@dataclass
class MemoryStore:
    """An object store that is gone with the test; disks are not what a storm is about."""

    _objects: dict[str, bytes] = field(default_factory=dict)
    pieces: MemoryPieces = field(default_factory=MemoryPieces)

    def put(self, data: bytes) -> str:
        return self.put_stream(BytesIO(data))[0]

    def put_stream(self, source: BinaryIO, *, limit: int = MAX_PART) -> tuple[str, int]:
        data = source.read(limit)
        digest = sha256_hex(data)
        self._objects[digest] = data
        return digest, len(data)

    def get(self, digest: str) -> bytes:
        return self._objects[digest]

    def chunks(self, digest: str) -> Iterator[bytes]:
        data = self._objects[digest]
        yield from (data[at : at + CHUNK] for at in range(0, len(data), CHUNK))

    def stat(self, digest: str) -> int | None:
        return len(self._objects[digest]) if digest in self._objects else None

    def address(self, digest: str, size: int, saved: Saved) -> None:
        """Nobody reaches the memory of a test."""

    def remove(self, digest: str) -> None:
        self._objects.pop(digest, None)

    def walk(self) -> Iterator[str]:
        yield from self._objects

    def forget(self, digest: str) -> None:
        """Take less room: a storm keeps what it needs for the lots that are still open."""
        self._objects.pop(digest, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class DummyVersion:
    """One version of a bid, ready to be sent; ``parts`` are digests of stored objects."""

    bid: str
    seq: int
    kind: str
    signed: SignedDocument
    supersedes: str | None
    parts: tuple[str, ...] = ()


def _header() -> bytes:
    """Return an age header of the right form (SB1 S4.6)."""
    argument, body, mac = (b64(secrets.token_bytes(32)).rstrip("=") for _ in range(3))
    return f"age-encryption.org/v1\n-> X25519 {argument}\n{body}\n--- {mac}\n".encode()


def dummy_part(plain_size: int) -> bytes:
    """Return what an encrypted part of ``plain_size`` bytes looks like from the outside."""
    return _header() + secrets.token_bytes(age_body_size(plain_size))


def dummy_envelope(lot: OpenLot, context: BidContext, parts: dict[str, bytes], supersedes: str | None) -> bytes:
    """Return the bytes of an envelope over ``parts``; commitments and shares are random."""
    rows = [
        {"alg": AGE, "name": name, "sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
        for name, data in sorted(parts.items())
    ]
    shares = [
        {"c": secrets.token_hex(32), "ct": b64u(secrets.token_bytes(SEALED_SHARE_BYTES)), "i": custodian.i}
        for custodian in lot.policy.custodians
    ]
    return dumps(
        {
            **_fields(context),
            "created": 0,
            "factor_commit": secrets.token_hex(32) if lot.policy.bidder_factor else None,
            "parts": rows,
            "seed_commit": secrets.token_hex(32),
            "shares": shares,
            "supersedes": supersedes,
            "typ": "sb1.envelope",
            "v": 1,
        }
    )


def dummy_withdrawal(context: BidContext, supersedes: str | None) -> bytes:
    """Return the bytes of a withdrawal; nothing in it is sealed."""
    return dumps({**_fields(context), "created": 0, "supersedes": supersedes, "typ": "sb1.withdrawal", "v": 1})


def _fields(context: BidContext) -> dict[str, Any]:
    return {name: getattr(context, name) for name in BidContext.__slots__}


def dummy_chain(market: Market, lot: OpenLot, bidder: Party, bid: str, versions: int) -> list[DummyVersion]:
    """Return the versions of one bid, each superseding the one before, now and then a withdrawal; parts are stored."""
    chain: list[DummyVersion] = []
    for seq in range(1, versions + 1):
        kind = "withdrawal" if seq % WITHDRAWN_EVERY == 0 else "envelope"
        chain.append(dummy_version(market, lot, bidder, bid, kind, chain[-1] if chain else None))
    announce_parts(market, chain)
    return chain


def dummy_version(
    market: Market, lot: OpenLot, bidder: Party, bid: str, kind: str, before: DummyVersion | None
) -> DummyVersion:
    """Return the version after ``before``; its parts are stored, but the platform has not been told of them."""
    context = market.context(lot, bidder, bid, seq=1 if before is None else before.seq + 1)
    supersedes = None if before is None else before.signed.sha256
    parts: dict[str, bytes] = {}
    if kind == "envelope":
        parts = {"main": dummy_part(0), "price": dummy_part(lot.policy.price_bytes or 0)}
        document = dummy_envelope(lot, context, parts, supersedes)
    else:
        document = dummy_withdrawal(context, supersedes)
    return DummyVersion(
        bid=bid,
        seq=context.seq,
        kind=kind,
        signed=sign_document(document, bidder.signer),
        supersedes=supersedes,
        parts=tuple(market.runtime.objects.put(data) for data in parts.values()),
    )


def announce_parts(market: Market, chain: Sequence[DummyVersion]) -> None:
    """Tell the platform that the parts are stored, all at once; an upload of each would take the time of a storm."""
    stat = market.runtime.objects.stat
    rows = [
        {"bid_reference": version.bid, "sha256": bytes.fromhex(digest), "size": stat(digest), "stored_at": 0}
        for version in chain
        for digest in version.parts
    ]
    with market.ledger.upkeep() as conn:
        conn.execute(part.insert(), rows)
