"""What a draw of experts computes: commitments, seed, tickets, pool, exclusions (ED1 D3, D4, D6, D8, D9)."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from hashlib import sha256
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
from verifier.merkle import leaf_hash, root_of_hashes

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
        self._prefix = sha256(LABEL_TICKET.encode() + b"\0" + seed + stratum.encode() + b"\0")
        self._start, self._end = start, end
        self._known: list[int] = []

    def at(self, position: int) -> int | None:
        """Return the index that is called at a position, ``None`` after the last."""
        if position >= self._end - self._start:
            return None
        if position >= len(self._known):
            wanted = max(FIRST_CALLS, 8 * len(self._known))
            self._known = [index for _, index in nsmallest(wanted, map(self._ticket, range(self._start, self._end)))]
        return self._known[position]

    def _ticket(self, index: int) -> tuple[bytes, int]:
        state = self._prefix.copy()
        state.update(index.to_bytes(8, "big"))
        return state.digest(), index


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
    prefix = hmac.new(key, b"ord", sha256)
    return sorted(entrants, key=lambda entrant: (entrant[0], _keyed(prefix, entrant_key(entrant))))


def pool_root_of(key: bytes, ordered: Iterable[Entrant]) -> str:
    """Return ``pool_root`` of a pool in order, in hex."""
    prefix = hmac.new(key, b"salt", sha256)
    hashes = [leaf_hash(_keyed(prefix, entrant_key(entrant)) + entrant_attrs(entrant)) for entrant in ordered]
    return root_of_hashes(hashes).hex()


def exclusion_root_of(key: bytes, size: int, reasons: dict[int, str]) -> str:
    """Return ``excl_root`` in hex (D4)."""
    prefix = hmac.new(key, digestmod=sha256)
    hashes = [
        leaf_hash(_keyed(prefix, index.to_bytes(8, "big")) + reasons.get(index, "").encode()) for index in range(size)
    ]
    return root_of_hashes(hashes).hex()


def _keyed(prefix: hmac.HMAC, data: bytes) -> bytes:
    state = prefix.copy()
    state.update(data)
    return state.digest()
