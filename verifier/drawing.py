"""What a draw of experts computes: commitments, seed, tickets, pool, exclusions (ED1 D3, D4, D6, D8, D9)."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from hashlib import pbkdf2_hmac, sha256
from heapq import nsmallest
from typing import Any

from verifier.canonical import canonical_bytes
from verifier.hashing import (
    LABEL_CONTRIBUTION,
    LABEL_DRAW_SEED,
    LABEL_EXCLUSION_KEY,
    LABEL_POOL_KEY,
    LABEL_TICKET,
    tuple_hash,
)
from verifier.merkle import HASH_BYTES, leaf_hash, root_of_hashes, root_of_joined

FIRST_CALLS = 64
Entrant = tuple[str, str, str]  # stratum, id, unit


def contribution_commitment(spec_sha256: str, party: str, r: bytes) -> bytes:
    """Return ``commit`` of a contribution (D6.2)."""
    return tuple_hash(LABEL_CONTRIBUTION, bytes.fromhex(spec_sha256), party.encode(), r)


def dealing_context(document: dict[str, Any], holder: str, use: str) -> bytes:
    """Return ``ctx`` of a contribution or escrow: the canonical bytes of its four fields (D6.1)."""
    return canonical_bytes(
        {"draw": document["draw"], "holder": holder, "spec_sha256": document["spec_sha256"], "use": use}
    )


def final_document(spec_sha256: str, commits: Iterable[tuple[str, str]]) -> bytes:
    """Return ``ed1.final`` for (party, commit) of the valid contributions."""
    rows = [{"commit": commit, "party": party} for party, commit in sorted(commits)]
    return canonical_bytes({"commits": rows, "spec_sha256": spec_sha256, "typ": "ed1.final", "v": 1})


def draw_seed(final: bytes, rs: Sequence[bytes], beacon: bytes | None) -> bytes:
    """Return the seed (D8); ``rs`` in the order of the final document."""
    return tuple_hash(LABEL_DRAW_SEED, final, *rs, *(() if beacon is None else (beacon,)))


class Calls:
    """The indices of one stratum in the order of their tickets, sorted as far as they are asked for (D9)."""

    def __init__(self, seed: bytes, stratum: str, start: int, end: int) -> None:
        self._of = (seed, stratum, start, end)
        self._size = end - start
        self._known: list[int] = []

    def at(self, position: int) -> int | None:
        """Return the index that is called at a position, ``None`` after the last."""
        if position >= self._size:
            return None
        if position >= len(self._known):
            wanted = 8 * len(self._known)
            self._known = smallest_tickets(*self._of, wanted) if self._known else first_tickets(*self._of)
        return self._known[position]


@lru_cache(maxsize=64)  # several checks follow the same walk
def first_tickets(seed: bytes, stratum: str, start: int, end: int) -> list[int]:
    """Return the first indices of a range in calling order."""
    return smallest_tickets(seed, stratum, start, end, FIRST_CALLS)


def smallest_tickets(seed: bytes, stratum: str, start: int, end: int, wanted: int) -> list[int]:
    """Return so many indices of a range, those with the smallest tickets in ascending order of these (D9)."""
    prefix = sha256(LABEL_TICKET.encode() + b"\0" + seed + stratum.encode() + b"\0")

    def ticket(index: int) -> tuple[bytes, int]:
        state = prefix.copy()
        state.update(index.to_bytes(8, "big"))
        return state.digest(), index

    return [index for _, index in nsmallest(wanted, map(ticket, range(start, end)))]


def draw_key_commitment(label: str, draw: str, attempt: int, key: bytes) -> str:
    """Return the commitment to K_draw or K_x in hex."""
    return tuple_hash(label, draw.encode(), attempt.to_bytes(8, "big"), key).hex()


def pool_key_commitment(draw: str, attempt: int, key: bytes) -> str:
    """Return ``pool_key_commit``."""
    return draw_key_commitment(LABEL_POOL_KEY, draw, attempt, key)


def exclusion_key_commitment(draw: str, attempt: int, key: bytes) -> str:
    """Return ``exclusion_key_commit``."""
    return draw_key_commitment(LABEL_EXCLUSION_KEY, draw, attempt, key)


def entrant_key(entrant: Entrant) -> bytes:
    """Return ``key(e)``."""
    stratum, name, _ = entrant
    return f"{name}\0{stratum}".encode()


def entrant_attrs(entrant: Entrant) -> bytes:
    """Return ``attrs(e)``; none of the characters that the field rules allow is escaped in JSON."""
    stratum, name, unit = entrant
    return f'{{"id":"{name}","stratum":"{stratum}","unit":"{unit}"}}'.encode()


def ordered_pool(key: bytes, entrants: Iterable[Entrant]) -> list[Entrant]:
    """Return the pool in order: by stratum, then by the keyed hash (D3)."""
    mac, strata = keyed(key, b"ord"), dict[str, list[Entrant]]()
    for entrant in entrants:
        strata.setdefault(entrant[0], []).append(entrant)
    ordered = []
    for _, group in sorted(strata.items()):
        places = [mac(entrant_key(entrant)) for entrant in group]
        ordered += [group[i] for i in sorted(range(len(group)), key=places.__getitem__)]
    return ordered


def pool_root_of(key: bytes, ordered: Iterable[Entrant]) -> str:
    """Return ``pool_root`` of a pool in order, in hex."""
    mac = keyed(key, b"salt")
    hashes = [sha256(b"\0" + mac(entrant_key(entrant)) + entrant_attrs(entrant)).digest() for entrant in ordered]
    return root_of_hashes(hashes).hex()


def exclusion_root_of(key: bytes, size: int, reasons: dict[int, str]) -> str:
    """Return ``excl_root`` in hex (D4): every leaf is ``HMAC(key, u64(index))`` and a reason, mostly empty.

    PBKDF2 with one iteration is HMAC over salt and block number, a u32 from 1: with four zero bytes as salt that is
    u64(index), and one call of the library makes all of them but the first.
    """
    salts = hmac.new(key, bytes(8), sha256).digest()
    if size > 1:
        salts += pbkdf2_hmac("sha256", key, bytes(4), 1, HASH_BYTES * (size - 1))
    hashes = [sha256(b"\0" + salts[at : at + HASH_BYTES]).digest() for at in range(0, len(salts), HASH_BYTES)]
    for index, reason in reasons.items():
        if index < size:
            hashes[index] = leaf_hash(salts[HASH_BYTES * index : HASH_BYTES * (index + 1)] + reason.encode())
    return root_of_joined(b"".join(hashes)).hex()


def keyed(key: bytes, label: bytes) -> Callable[[bytes], bytes]:
    """Return HMAC-SHA-256 of ``label`` and data under a key of 32 bytes, its two states prepared once (RFC 2104)."""
    padded = key + bytes(32)
    inner = sha256(bytes(byte ^ 0x36 for byte in padded) + label).copy
    outer = sha256(bytes(byte ^ 0x5C for byte in padded)).copy

    def mac(data: bytes) -> bytes:
        first, second = inner(), outer()
        first.update(data)
        second.update(first.digest())
        return second.digest()

    return mac
