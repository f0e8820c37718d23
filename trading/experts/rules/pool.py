"""The pool of one draw: a shuffled, salted snapshot of the register, and its vector of exclusions (ED1 D3, D4).

Both are recomputed from two keys of 32 random bytes, fresh for each attempt: K_draw orders and salts, K_x salts the
reasons. Indices of two attempts cannot be linked, and publishing indices and counts reveals no person.
"""

from __future__ import annotations

import hashlib
import hmac
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Final, NamedTuple

from typing_extensions import override

from trading.audit.rules.tree import (
    HASH_BYTES,
    inclusion_proof,
    leaf_hash,
    nodes_in,
    tree_levels,
    verify_inclusion,
)
from trading.kernel.digests import ED1_EXCLUSION_KEY, ED1_POOL_KEY, ED1_PROCEDURE, tuple_hash
from trading.kernel.errors import InvalidInput

#: ``draw`` of the key commitment of a nightly snapshot over the whole register; its attempt is the snapshot's seq.
REGISTER: Final = "register"
_BLOCK: Final = 64  # bytes of a block of SHA-256


class Entrant(NamedTuple):
    """One (expert, stratum) of the pool: ``id`` one per person, ``unit`` the employer's code or empty."""

    id: str
    stratum: str
    unit: str

    @property
    def key(self) -> bytes:
        """Return ``key(e)`` of D3."""
        return f"{self.id}\0{self.stratum}".encode("ascii")

    @property
    def attrs(self) -> bytes:
        """Return the canonical bytes of the three attributes, by a template: none of their characters is escaped."""
        return f'{{"id":"{self.id}","stratum":"{self.stratum}","unit":"{self.unit}"}}'.encode("ascii")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stratum:
    """The indices ``a … b − 1`` of one stratum, and how many experts are drawn from them."""

    a: int
    b: int
    id: str
    need: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedLeaf:
    """One index opened: who stands there, with the proof under ``pool_root``."""

    index: int
    salt: bytes
    attrs: bytes
    proof: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool in order, with all levels of its tree. ``k_draw`` stays out of ``repr``: it is a secret (P10)."""

    k_draw: bytes
    entrants: tuple[Entrant, ...]
    levels: tuple[bytes, ...]

    @override
    def __repr__(self) -> str:
        """Name the size only."""
        return f"Pool(size={len(self.entrants)})"

    @property
    def root(self) -> bytes:
        """Return ``pool_root``."""
        return self.levels[-1]

    def strata(self, need: Mapping[str, int]) -> tuple[Stratum, ...]:
        """Return the range of each stratum; ``need`` has exactly the strata of the pool.

        Raises:
            ValueError: Another set of strata. A bug.
        """
        found: dict[str, tuple[int, int]] = {}
        a = 0
        while a < len(self.entrants):
            name = self.entrants[a].stratum
            b = bisect_right(self.entrants, name, lo=a, key=attrgetter("stratum"))
            found[name], a = (a, b), b
        if found.keys() != need.keys():
            raise ValueError("the pool has other strata than are needed")
        return tuple(Stratum(a=a, b=b, id=name, need=need[name]) for name, (a, b) in sorted(found.items()))

    def opened(self, index: int) -> OpenedLeaf:
        """Return the opening of one leaf."""
        entrant = self.entrants[index]
        proof = inclusion_proof(index, len(self.entrants), nodes_in(self.levels))
        return OpenedLeaf(index=index, salt=salt(self.k_draw, entrant), attrs=entrant.attrs, proof=tuple(proof))


def make_pool(k_draw: bytes, entrants: Iterable[Entrant]) -> Pool:
    """Order and salt the entrants under a key (D3).

    Raises:
        ValueError: An expert twice in one stratum. A bug: the register's fold admits none.
    """
    strata: dict[str, list[Entrant]] = {}
    for entrant in entrants:
        strata.setdefault(entrant.stratum, []).append(entrant)
    place, ordered = keyed(k_draw, b"ord"), list[Entrant]()
    for _, group in sorted(strata.items()):
        places = [place(entrant.key) for entrant in group]
        if len(set(places)) < len(group):
            raise ValueError("an expert stands twice in one stratum")
        ordered += [group[i] for i in sorted(range(len(group)), key=places.__getitem__)]
    return Pool(k_draw, tuple(ordered), tree_levels(_leaf_hashes(k_draw, ordered)))


def salt(k_draw: bytes, entrant: Entrant) -> bytes:
    """Return the salt of an entrant's leaf."""
    return hmac.digest(k_draw, b"salt" + entrant.key, hashlib.sha256)


def _leaf_hashes(k_draw: bytes, ordered: Sequence[Entrant]) -> bytes:
    mac, sha = keyed(k_draw, b"salt"), hashlib.sha256
    return b"".join([sha(b"\0" + mac(entrant.key) + entrant.attrs).digest() for entrant in ordered])


def keyed(key: bytes, label: bytes) -> Callable[[bytes], bytes]:
    """Return HMAC-SHA-256 of ``label ‖ data`` under a key of at most 64 bytes, as a function of ``data``.

    The two states of RFC 2104 are prepared once and copied: a third of the time of a new HMAC for each of a million
    entrants.

    Raises:
        ValueError: A longer key. A bug.
    """
    if len(key) > _BLOCK:
        raise ValueError("a key of a draw has 32 bytes")
    padded = key.ljust(_BLOCK, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded) + label).copy
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in padded)).copy

    def mac(data: bytes) -> bytes:
        first, second = inner(), outer()
        first.update(data)
        second.update(first.digest())
        return second.digest()

    return mac


def counted(key: bytes, size: int) -> bytes:
    """Return ``HMAC-SHA-256(key, u64(i))`` for ``i`` = 0 … size − 1, one after the other; ``size`` below 2³².

    PBKDF2 with one iteration is HMAC over salt and block number, a u32 from 1: with four zero bytes as salt that is
    u64(i), so one call of the library makes all of them but the first.
    """
    first = hmac.digest(key, bytes(8), "sha256")[: HASH_BYTES * size]
    return first + (hashlib.pbkdf2_hmac("sha256", key, bytes(4), 1, HASH_BYTES * (size - 1)) if size > 1 else b"")


def require_opened(leaf: OpenedLeaf, size: int, root: bytes) -> None:
    """Check an opened leaf under the ``pool_root`` of a spec.

    Raises:
        InvalidInput: ``proof.…``: another leaf stands at this index.
    """
    if len(leaf.salt) != hashlib.sha256().digest_size:
        raise InvalidInput("proof.bad_hash", "a salt has 32 bytes")
    verify_inclusion(leaf.index, size, leaf_hash(leaf.salt + leaf.attrs), leaf.proof, root)


def exclusion_hashes(k_x: bytes, size: int, reasons: Mapping[int, str]) -> list[bytes]:
    """Return the leaf hashes of the exclusion vector: a reason for each excluded index, empty for all others (D4)."""
    salts, sha = counted(k_x, size), hashlib.sha256
    hashes = [sha(b"\0" + salts[at : at + HASH_BYTES]).digest() for at in range(0, len(salts), HASH_BYTES)]
    for index, reason in reasons.items():
        if 0 <= index < size:
            hashes[index] = leaf_hash(salts[HASH_BYTES * index : HASH_BYTES * (index + 1)] + reason.encode("ascii"))
    return hashes


def exclusion_root(k_x: bytes, size: int, reasons: Mapping[int, str]) -> bytes:
    """Return ``excl_root``."""
    return tree_levels(b"".join(exclusion_hashes(k_x, size, reasons)))[-1]


def excluded_counts(strata: Sequence[Stratum], reasons: Mapping[int, str]) -> dict[str, int]:
    """Return how many indices of each stratum are excluded."""
    return {item.id: sum(item.a <= index < item.b for index in reasons) for item in strata}


def pool_key_commit(draw: str, attempt: int, k_draw: bytes) -> bytes:
    """Return the commitment to K_draw; also ``key_commit`` of a snapshot (draw ``register``, attempt = its seq)."""
    return tuple_hash(ED1_POOL_KEY, draw.encode("ascii"), attempt.to_bytes(8, "big"), k_draw)


def exclusion_key_commit(draw: str, attempt: int, k_x: bytes) -> bytes:
    """Return the commitment to K_x."""
    return tuple_hash(ED1_EXCLUSION_KEY, draw.encode("ascii"), attempt.to_bytes(8, "big"), k_x)


def procedure_commit(salt_of: bytes, reference: str) -> bytes:
    """Return the commitment to the procedure that a draw serves, hidden until the result (D5)."""
    return tuple_hash(ED1_PROCEDURE, salt_of, reference.encode())
