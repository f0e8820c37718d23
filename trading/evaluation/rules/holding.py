"""How a member shows that the signed sheet is there, without showing anything of it (EXP-22; ADR 0078).

The challenge is made of the digests that all who sit have signed: nobody knows it before the last one has signed, and
with any other signature it is another one. The echo is the digest of challenge and sheet. A sheet holds a random salt,
so that nothing is guessed from an echo; once the sheet is handed in, everybody can recompute it.
"""

from __future__ import annotations

from collections.abc import Iterable

from trading.kernel.digests import SHEET_CHALLENGE, SHEET_ECHO, tuple_hash
from trading.kernel.errors import RuleBroken


def challenge_of(commits: Iterable[str]) -> bytes:
    """Return the challenge of a lot: ``commits`` (hex) are the signed digests that count, in any order."""
    return tuple_hash(SHEET_CHALLENGE, *sorted(bytes.fromhex(each) for each in commits))


def echo_of(challenge: bytes, raw: bytes) -> str:
    """Return the echo (hex) of a sheet under a challenge."""
    return tuple_hash(SHEET_ECHO, challenge, raw).hex()


def require_echo(told: str, challenge: bytes, raw: bytes) -> None:
    """Refuse a sheet with which the echo that was told before was not made.

    Raises:
        RuleBroken: ``sheet.echo_wrong`` (EXP-22).
    """
    if told != echo_of(challenge, raw):
        raise RuleBroken("sheet.echo_wrong", "EXP-22")


def is_outdated(signed_for: frozenset[str] | None, conforming: frozenset[str], *, handed_in: bool) -> bool:
    """Say whether a sheet is about other bids than those that conform now (EXP-17, 87-49).

    One that is handed in may have bids too many, which are not ranked; it may lack none. One that still has to be
    handed in must be about the conforming bids exactly. ``signed_for`` is None where it is not known.
    """
    if signed_for is None:
        return False
    return not conforming <= signed_for if handed_in else conforming != signed_for
