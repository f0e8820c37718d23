"""A checkpoint that somebody kept against the newest public one: the same history, or not (AL1 L8.3, L12.2 AL-06).

Two notes that the log has signed and that are not of one history prove to everybody that it was rewritten.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from trading.audit.rules.note import VerifiedCheckpoint, Verify, verify_checkpoint
from trading.audit.rules.policy import Policy
from trading.audit.rules.tree import verify_consistency
from trading.kernel.errors import InvalidInput

MAX_KEPT: Final = 64 * 1024  # characters of a note that is pasted; the largest of L1.3 has about 10 400
#: Returns the consistency proof between two sizes of our log.
Proof = Callable[[int, int], list[bytes]]


class Outcome(StrEnum):
    """What a comparison finds. Only ``FORK`` is proof of anything against the log."""

    SAME = "same"  # one size, one root
    CONTINUED = "continued"  # the kept log is the beginning of the newest one
    AHEAD = "ahead"  # the kept log is larger than the public head is now
    FORK = "fork"  # both are signed, and they are not of one history
    DROPPED = "dropped"  # of a closed log, and larger than its final checkpoint: what stood behind that was dropped
    OTHER_LOG = "other-log"
    NOT_SIGNED = "not-signed"  # a known signature fails, or that of the log is missing
    MALFORMED = "malformed"  # no checkpoint at all


_REFUSED: Final = {
    "checkpoint.wrong_origin": Outcome.OTHER_LOG,
    "checkpoint.bad_signature": Outcome.NOT_SIGNED,
    "checkpoint.not_signed": Outcome.NOT_SIGNED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What was found; ``kept`` is None if the note could not be verified, ``proof`` empty if none is needed."""

    outcome: Outcome
    newest: VerifiedCheckpoint
    kept: VerifiedCheckpoint | None = None
    proof: tuple[bytes, ...] = ()
    detail: str = ""


def compare(kept: bytes, newest: bytes, *, origin: str, policy: Policy, verify: Verify, proof: Proof) -> Comparison:
    """Compare a kept note with the newest public one.

    Args:
        kept: As somebody brings it: nothing about it is believed.
        newest: Our own newest public note.
        origin: Of our log.
        policy: Whose keys count.
        verify: Checks one signature.
        proof: Makes the consistency proof from the kept size to the newest; asked only when it is needed.

    Raises:
        InvalidInput: Our own note is not valid; that is our fault, not the reader's.
    """

    def verified(note: bytes) -> VerifiedCheckpoint:
        return verify_checkpoint(note, origin, policy.log_keys(origin), policy.witness_keys, verify)

    shown = verified(newest)
    try:
        found = verified(kept)
    except InvalidInput as error:
        return Comparison(outcome=_REFUSED.get(error.code, Outcome.MALFORMED), newest=shown, detail=error.detail)
    old, new = found.checkpoint, shown.checkpoint
    if old.size > new.size:
        return Comparison(outcome=Outcome.AHEAD, newest=shown, kept=found)
    path = tuple(proof(old.size, new.size))
    try:
        verify_consistency(old.size, new.size, path, old.root, new.root)
    except InvalidInput as error:
        return Comparison(outcome=Outcome.FORK, newest=shown, kept=found, detail=error.detail)
    outcome = Outcome.SAME if old.size == new.size else Outcome.CONTINUED
    return Comparison(outcome=outcome, newest=shown, kept=found, proof=path)
