"""The order in which experts are called: ascending hash tickets, no modulus and so no modulo bias (ED1 D9)."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from trading.kernel.digests import ED1_TICKET

FIRST_TICKETS: Final = 64
_GROWTH: Final = 8


def ticket(seed: bytes, stratum: str, index: int) -> bytes:
    """Return the ticket of one index (32 bytes, compared as a big-endian number)."""
    state = _state(seed, stratum)
    state.update(index.to_bytes(8, "big"))
    return state.digest()


def order(seed: bytes, stratum: str, a: int, b: int) -> tuple[int, ...]:
    """Return all indices of the stratum's range ``a … b − 1`` in the order in which they are called."""
    return tuple(index for _, index in sorted(_tickets(seed, stratum, a, b)))


def calls(seed: bytes, stratum: str, a: int, b: int) -> Iterator[int]:
    """Yield the indices of the range in calling order, sorting only as many tickets as are asked for.

    A draw needs the smallest few of up to a million tickets; each time they run out, eight times as many are sorted.
    """
    done, wanted = 0, FIRST_TICKETS
    while done < b - a:
        smallest = _first(seed, stratum, a, b) if not done else _smallest(seed, stratum, a, b, wanted)
        yield from smallest[done:]
        done, wanted = len(smallest), wanted * _GROWTH


# A walk is replayed from its records for every step; the tickets of a stratum are hashed for the first one alone.
@lru_cache(maxsize=128)
def _first(seed: bytes, stratum: str, a: int, b: int) -> tuple[int, ...]:
    return _smallest(seed, stratum, a, b, FIRST_TICKETS)


def _smallest(seed: bytes, stratum: str, a: int, b: int, wanted: int) -> tuple[int, ...]:
    return tuple(index for _, index in heapq.nsmallest(wanted, _tickets(seed, stratum, a, b)))


def _tickets(seed: bytes, stratum: str, a: int, b: int) -> Iterator[tuple[bytes, int]]:
    prefix = _state(seed, stratum)
    for index in range(a, b):
        state = prefix.copy()
        state.update(index.to_bytes(8, "big"))
        yield state.digest(), index


def _state(seed: bytes, stratum: str) -> hashlib._Hash:
    return hashlib.sha256(ED1_TICKET.encode() + b"\0" + seed + stratum.encode("ascii") + b"\0")
