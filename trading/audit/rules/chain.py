"""Commitments and entries: what a leaf of the log is (AL1 L1.1, L1.2).

An entry is opaque: it carries the commitment ``h`` of a record, its index, the leaf hash of the entry before and the
sequencer's clock. The chain of ``p`` reuses the leaf hashes of the tree, so every link stands inside the tree.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from trading.audit.rules.tree import HASH_BYTES, leaf_hash
from trading.kernel.canonical import MAX_INTEGER
from trading.kernel.digests import AL1_GENESIS, AL1_RECORD
from trading.kernel.errors import InvalidInput

NONCE_BYTES = 32
_RECORD_PREFIX = AL1_RECORD.encode("ascii") + b"\0"
_GENESIS_PREFIX = AL1_GENESIS.encode("ascii") + b"\0"
# The key order of L1.2 is fixed, so one pattern admits exactly the canonical bytes and nothing else.
_ENTRY = re.compile(
    rb'\{"h":"([0-9a-f]{64})","n":(0|[1-9][0-9]{0,15}),"p":"([0-9a-f]{64})",'
    rb'(?:"q":"([0-9a-f]{64})",)?"t":(0|[1-9][0-9]{0,15}),"v":1\}'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One leaf of the log.

    Attributes:
        h: Commitment to the record, 32 bytes.
        n: Index from 0.
        p: Leaf hash of the entry before, or the genesis value for index 0.
        t: Clock of the sequencer, ms; never decreases over ``n``.
        q: SM3 of the bytes that ``p`` hashes; a log has it in every entry or in none.
    """

    h: bytes
    n: int
    p: bytes
    t: int
    q: bytes | None = None

    def encode(self) -> bytes:
        """Return the exact leaf data (L1.2)."""
        return entry_bytes(self.h, self.n, self.p, self.t, self.q)


def record_commitment(nonce: bytes, record: bytes) -> bytes:
    """Return ``h``, the commitment to the exact record bytes under a nonce of 32 random bytes (L1.1)."""
    if len(nonce) != NONCE_BYTES:
        raise ValueError("a record nonce has 32 bytes")
    return hashlib.sha256(_RECORD_PREFIX + nonce + record).digest()


def genesis(origin: str) -> bytes:
    """Return ``p`` of entry 0 of the log called ``origin``."""
    return hashlib.sha256(_GENESIS_PREFIX + origin.encode()).digest()


def entry_bytes(h: bytes, n: int, p: bytes, t: int, q: bytes | None = None) -> bytes:
    """Return the canonical bytes of an entry.

    Raises:
        ValueError: A hash that has not 32 bytes, or an integer outside the profile of P3. A bug.
    """
    if len(h) != HASH_BYTES or len(p) != HASH_BYTES or (q is not None and len(q) != HASH_BYTES):
        raise ValueError("h, p and q of an entry have 32 bytes")
    if not (0 <= n <= MAX_INTEGER and 0 <= t <= MAX_INTEGER):
        raise ValueError("n and t of an entry lie between 0 and 2^53−1")
    middle = "" if q is None else f'"q":"{q.hex()}",'
    return f'{{"h":"{h.hex()}","n":{n},"p":"{p.hex()}",{middle}"t":{t},"v":1}}'.encode()


def parse_entry(data: bytes) -> Entry:
    """Read an entry strictly: only the bytes that ``entry_bytes`` would write are admitted.

    Raises:
        InvalidInput: ``entry.malformed``.
    """
    match = _ENTRY.fullmatch(data)
    if match is None:
        raise InvalidInput("entry.malformed", "not the canonical bytes of an entry")
    h, n, p, q, t = match.groups()
    if int(n) > MAX_INTEGER or int(t) > MAX_INTEGER:
        raise InvalidInput("entry.malformed", "n or t is above 2^53−1")
    return Entry(
        h=bytes.fromhex(h.decode()),
        n=int(n),
        p=bytes.fromhex(p.decode()),
        t=int(t),
        q=None if q is None else bytes.fromhex(q.decode()),
    )


def link(commitments: Iterable[bytes], *, first: int, previous: bytes, t: int) -> list[bytes]:
    """Chain a batch of commitments and return the bytes of its entries.

    Args:
        commitments: ``h`` of each record, in log order.
        first: Index of the first entry.
        previous: Leaf hash of entry ``first − 1``, or ``genesis(origin)`` if ``first`` is 0.
        t: Instant of the batch, ms; the caller has made sure that it does not decrease.
    """
    entries: list[bytes] = []
    for n, h in enumerate(commitments, first):
        entry = entry_bytes(h, n, previous, t)
        previous = leaf_hash(entry)
        entries.append(entry)
    return entries


def check_chain(entries: Iterable[bytes], *, first: int, previous: bytes, t: int = 0) -> bytes:
    """Check consecutive entries and return the leaf hash of the last (or ``previous`` if there are none).

    Args:
        entries: Leaf data of the entries ``first``, ``first + 1``, …
        first: Expected index of the first.
        previous: Expected ``p`` of the first.
        t: Lower bound of ``t`` of the first, ms.

    Raises:
        InvalidInput: ``entry.malformed``, ``entry.index``, ``entry.link`` or ``entry.clock``; the index is in the text.
    """
    for n, data in enumerate(entries, first):
        entry = parse_entry(data)
        if entry.n != n:
            raise InvalidInput("entry.index", f"entry {n} says n = {entry.n}")
        if entry.p != previous:
            raise InvalidInput("entry.link", f"p of entry {n} is not the leaf hash of the entry before")
        if entry.t < t:
            raise InvalidInput("entry.clock", f"t of entry {n} is earlier than that of the entry before")
        previous, t = leaf_hash(data), entry.t
    return previous
