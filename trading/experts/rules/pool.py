"""The pool of one draw: a shuffled, salted snapshot of the register, and its vector of exclusions (ED1 D3, D4).

Both are recomputed from two keys of 32 random bytes, fresh for each attempt: K_draw orders and salts, K_x salts the
reasons. Indices of two attempts cannot be linked, and publishing indices and counts reveals no person.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from typing_extensions import override

from trading.audit.rules.tree import (
    inclusion_proof,
    leaf_hash,
    nodes_of,
    root_of_hashes,
    verify_inclusion,
)
from trading.kernel.digests import ED1_EXCLUSION_KEY, ED1_POOL_KEY, ED1_PROCEDURE, tuple_hash
from trading.kernel.errors import InvalidInput

#: ``draw`` of the key commitment of a nightly snapshot over the whole register; its attempt is the snapshot's seq.
REGISTER: Final = "register"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrant:
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
    """A pool in order, with its leaf hashes. ``k_draw`` stays out of ``repr``: it is a secret (P10)."""

    k_draw: bytes
    entrants: tuple[Entrant, ...]
    hashes: tuple[bytes, ...]

    @override
    def __repr__(self) -> str:
        """Name the size only."""
        return f"Pool(size={len(self.entrants)})"

    @property
    def root(self) -> bytes:
        """Return ``pool_root``."""
        return root_of_hashes(self.hashes)

    def strata(self, need: Mapping[str, int]) -> tuple[Stratum, ...]:
        """Return the range of each stratum; ``need`` has exactly the strata of the pool.

        Raises:
            ValueError: Another set of strata. A bug.
        """
        found: dict[str, list[int]] = {}
        for index, entrant in enumerate(self.entrants):
            found.setdefault(entrant.stratum, [index, index])[1] = index + 1
        if found.keys() != need.keys():
            raise ValueError("the pool has other strata than are needed")
        return tuple(Stratum(a=a, b=b, id=name, need=need[name]) for name, (a, b) in sorted(found.items()))

    def opened(self, index: int) -> OpenedLeaf:
        """Return the opening of one leaf."""
        entrant = self.entrants[index]
        proof = inclusion_proof(index, len(self.hashes), nodes_of(self.hashes))
        return OpenedLeaf(index=index, salt=salt(self.k_draw, entrant), attrs=entrant.attrs, proof=tuple(proof))


def make_pool(k_draw: bytes, entrants: Iterable[Entrant]) -> Pool:
    """Order and salt the entrants under a key (D3).

    Raises:
        ValueError: An expert twice in one stratum. A bug: the register's fold admits none.
    """
    prefix = hmac.new(k_draw, b"ord", hashlib.sha256)
    keyed = [(item.stratum, _mac(prefix, item.key), item) for item in entrants]
    if len({item.key for _, _, item in keyed}) < len(keyed):
        raise ValueError("an expert stands twice in one stratum")
    keyed.sort(key=lambda row: row[:2])
    ordered = tuple(item for _, _, item in keyed)
    return Pool(k_draw, ordered, tuple(_leaf_hashes(k_draw, ordered)))


def salt(k_draw: bytes, entrant: Entrant) -> bytes:
    """Return the salt of an entrant's leaf."""
    return hmac.digest(k_draw, b"salt" + entrant.key, hashlib.sha256)


def _leaf_hashes(k_draw: bytes, ordered: Sequence[Entrant]) -> Iterator[bytes]:
    prefix = hmac.new(k_draw, b"salt", hashlib.sha256)
    for entrant in ordered:
        yield leaf_hash(_mac(prefix, entrant.key) + entrant.attrs)


def _mac(prefix: hmac.HMAC, data: bytes) -> bytes:
    # The state after key and prefix is copied: half the time of a new HMAC for each of a million entrants.
    state = prefix.copy()
    state.update(data)
    return state.digest()


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
    prefix = hmac.new(k_x, digestmod=hashlib.sha256)
    return [
        leaf_hash(_mac(prefix, index.to_bytes(8, "big")) + reasons.get(index, "").encode("ascii"))
        for index in range(size)
    ]


def exclusion_root(k_x: bytes, size: int, reasons: Mapping[int, str]) -> bytes:
    """Return ``excl_root``."""
    return root_of_hashes(exclusion_hashes(k_x, size, reasons))


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
